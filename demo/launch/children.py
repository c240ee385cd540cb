"""The programs of the demo as processes: started in groups of their own, watched, ended."""

import asyncio
import os
import shlex
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from demo.launch.errors import LaunchError

GRACE_S = 10.0
PROGRAMS = ("edge-node", "cloud-core", "nats-server", "shop_api.py")


@dataclass(slots=True)
class Child:
    name: str
    command: tuple[str, ...]
    log: Path
    process: asyncio.subprocess.Process

    @property
    def pid(self) -> int:
        return self.process.pid

    def ended(self) -> str:
        """One line for a child that ended by itself."""
        status = self.process.returncode or 0
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        return f"{self.name} {how}, see {self.log}; start it again: {shlex.join(self.command)}"

    def last_line(self) -> str:
        return (self.log.read_text(errors="replace").strip().splitlines() or ["nothing"])[-1]


class Children:
    """From `watch` on, `lost` is told of each child that ends before `stop`."""

    def __init__(self, logs: Path, lost: Callable[[Child], None]) -> None:
        self._logs = logs
        self._lost = lost
        self._children: list[Child] = []
        self._watchers: list[asyncio.Task[None]] = []

    async def start(self, name: str, file: str, command: Sequence[str | Path], cwd: Path) -> Child:
        log = self._logs / f"{file}.log"
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        words = tuple(str(word) for word in command)
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *words,
                cwd=cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        child = Child(name, words, log, process)
        self._children.append(child)
        return child

    def watch(self) -> None:
        self._watchers = [asyncio.create_task(self._watch(child)) for child in self._children]

    async def _watch(self, child: Child) -> None:
        await child.process.wait()
        self._lost(child)

    async def stop(self, home: Path) -> None:
        """Ends every child, the last one first, then what else runs on `home`: a core restarted by hand."""
        for watcher in self._watchers:
            watcher.cancel()
        for child in reversed(self._children):
            await end(child.process)
        await end_processes_on(home)


async def end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), GRACE_S)
    except TimeoutError:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def end_processes_on(home: Path) -> list[int]:
    pids = processes_on(home)
    for number, patience_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, 2.0)):
        for pid in processes_on(home):
            with suppress(OSError):
                os.kill(pid, number)
        for _ in range(int(patience_s / 0.05)):
            if not processes_on(home):
                return pids
            await asyncio.sleep(0.05)
    if left := processes_on(home):
        raise LaunchError(f"processes {left} on {home} do not end: end them by hand")
    return pids


def processes_on(home: Path) -> list[int]:
    """Servers of the demo, whoever started them: those that name a file below `home` or have one open."""
    servers = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit() and is_server(entry)]
    return [
        int(entry.name) for entry in servers if any(path.is_relative_to(home.resolve()) for path in files_of(entry))
    ]


def is_server(entry: Path) -> bool:
    try:
        words = words_of(entry)
        if (entry / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return False
    except OSError:
        return False
    names = {Path(word).name for word in words[:2]}
    if names & {"edge-node", "cloud-core"} and "serve" not in words:
        return False
    return bool(names & set(PROGRAMS))


def files_of(entry: Path) -> Iterator[Path]:
    """A command line may name them relative to the folder that its process was started in, or not at all."""
    with suppress(OSError):
        folder = (entry / "cwd").readlink()
        for word in words_of(entry):
            path = (folder / word.rpartition("=")[2]).resolve()
            if "/" in word or path.is_file():
                yield path
        for opened in (entry / "fd").iterdir():
            with suppress(OSError):
                yield opened.readlink()


def words_of(entry: Path) -> list[str]:
    return (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")


async def run_step(command: Sequence[str | Path], cwd: Path, log: Path) -> str:
    """Run a program to its end and return what it printed; its last line of complaint becomes the error."""
    process = await asyncio.create_subprocess_exec(
        *(str(word) for word in command),
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        output, complaint = await process.communicate()
    except asyncio.CancelledError:
        await end(process)
        raise
    with log.open("ab") as file:
        file.write(b"$ " + shlex.join(str(word) for word in command).encode() + b"\n" + complaint)
    if process.returncode:
        last = complaint.decode(errors="replace").strip().splitlines()[-1:] or ["no reason given"]
        raise LaunchError(f"`{shlex.join(str(word) for word in command)}` failed: {last[0]} (more in {log})")
    return output.decode()
