"""What a program asks of the kernel, in order: the only witness for what `kill -9` cannot prove."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

READS = ("read", "readv", "recvfrom", "recvmsg")
WRITES = ("write", "writev", "sendto", "sendmsg")
WAL_WRITES = ("write", "pwrite64")
SYNCS = ("fsync", "fdatasync")
TRACED = ",".join(dict.fromkeys((*READS, *WRITES, *WAL_WRITES, *SYNCS)))

CALL = re.compile(r"(\d+) +([\d.]+) (\w+)\(\d+<(.*?)>(?:,|\)| <un)")
RESUMED = re.compile(r"(\d+) +[\d.]+ <\.\.\. (\w+) resumed>")
NOTHING_READ = re.compile(r"= (?:0|-1 .*)$")


@dataclass(frozen=True, slots=True)
class Call:
    """`on` is the file or, as `TCP:[…]`, the connection; `began` and `ended` are places in the order of all.

    `at` is when it began, in seconds since 1970.
    """

    name: str
    on: str
    at: float
    began: int
    ended: int


def tracer(output: Path) -> list[str]:
    """What to put before a command line."""
    return ["strace", "-f", "-ttt", "--seccomp-bpf", "-s", "0", "-yy", "-o", str(output), "-e", f"trace={TRACED}"]


def why_not() -> str:
    """Why nothing can be traced here, or nothing."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    return tried.stderr.strip() if tried.returncode else ""


def calls(trace: Path) -> list[Call]:
    """Those that succeeded."""
    begun: dict[str, tuple[str, str, float, int]] = {}
    found = []
    for place, line in enumerate(trace.read_text(errors="replace").splitlines()):
        if call := CALL.match(line):
            thread, when, name, on = call.groups()
            at, began = float(when), place
        elif (resumed := RESUMED.match(line)) and resumed[1] in begun:
            thread = resumed[1]
            name, on, at, began = begun.pop(thread)
        else:
            continue
        if line.endswith("<unfinished ...>"):
            begun[thread] = (name, on, at, began)
        elif not NOTHING_READ.search(line) or name in SYNCS and line.endswith("= 0"):
            found.append(Call(name, on, at, began, place))
    return found


def exchange(made: Sequence[Call], client_port: int, sent_at: float) -> tuple[Call, Call]:
    """On the connection of a client: the first read of what it sent at that time, and the first write after it."""
    on_it = (call for call in made if call.on.startswith("TCP") and call.on.endswith(f":{client_port}]"))
    since = [call for call in on_it if call.at >= sent_at]
    arrival = next(call for call in since if call.name in READS)
    return arrival, next(call for call in since if call.name in WRITES and call.began > arrival.ended)


def is_synced(made: Sequence[Call], wal: Path, arrival: Call, answer: Call) -> bool:
    """Whether `wal` was written after the arrival and, after the last such write, synced before the answer."""
    between = [
        call for call in made if call.on == str(wal) and arrival.began < call.began and call.ended < answer.began
    ]
    written = [call.ended for call in between if call.name in WAL_WRITES]
    synced = [call.began for call in between if call.name in SYNCS]
    return bool(written) and any(began > written[-1] for began in synced)
