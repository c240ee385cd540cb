"""What the figures were taken on; a figure without its machine says nothing."""

import os
import platform
import ssl
from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024
BUSY = 0.5
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Machine:
    cpu: str
    cores: int
    memory_gib: float
    python: str
    system: str
    load: float
    """How many processes wanted to run, over the last minute, before the benchmarks began."""

    @property
    def is_busy(self) -> bool:
        return self.load > BUSY


def this_machine() -> Machine:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        cpu=_first_value(Path("/proc/cpuinfo"), "model name") or platform.processor() or platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(memory / MIB / 1024, 1),
        python=f"{platform.python_version()} ({ssl.OPENSSL_VERSION})",
        system=f"{platform.system()} {platform.release()}",
        load=load_average(),
    )


def load_average() -> float:
    return round(os.getloadavg()[0], 2)


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used, in user and in kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def resident_bytes(pid: int) -> int:
    return int(_first_value(Path(f"/proc/{pid}/status"), "VmRSS").split()[0]) * 1024


def _first_value(file: Path, key: str) -> str:
    for line in file.read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""
