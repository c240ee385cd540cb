"""What the person at the terminal sees, and how Ctrl-C reaches us."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console
from rich.status import Status

ENDING = sum(1 << (number - 1) for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM))


class Board:
    """Finished steps as lines; on a terminal, the running ones behind a spinner."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._running: dict[str, float] = {}
        self._status: Status | None = None

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self._running[name] = time.monotonic()
        self._draw()
        try:
            yield
        except BaseException:
            self._running.pop(name)
            self._draw()
            raise
        took_s = time.monotonic() - self._running.pop(name)
        self._print(f"  [green]✓[/green] {name} [dim]{took_s:.1f} s[/dim]")
        self._draw()

    def say(self, line: str) -> None:
        self._print(line, markup=False)

    def complain(self, line: str) -> None:
        self._clear()
        with suppress(OSError):
            print(f"nearside: {line}", file=sys.stderr, flush=True)

    def _print(self, line: str, *, markup: bool = True) -> None:
        with suppress(OSError):  # the terminal may be gone; that must not keep us from stopping
            self._console.print(line, markup=markup)
            self._console.file.flush()

    def _draw(self) -> None:
        if not self._console.is_interactive:
            return
        if not self._running:
            self._clear()
            return
        text = ", ".join(self._running)
        with suppress(OSError):
            if self._status is None:
                self._status = self._console.status(text)
                self._status.start()
            self._status.update(text)

    def _clear(self) -> None:
        if self._status is not None:
            with suppress(OSError):
                self._status.stop()
            self._status = None


@contextmanager
def foreground() -> Iterator[None]:
    """Under make on a terminal, take the terminal for this process alone.

    make answers an interrupt with a failure of its own, whatever its children say: Ctrl-C must not reach it.
    """
    shared = os.getpgrp()
    try:
        if not started_by_make():
            raise OSError
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
        if os.tcgetpgrp(terminal) != shared:
            os.close(terminal)
            raise OSError
    except OSError:
        yield
        return
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # make would not notice, and the terminal would hang
    os.setpgid(0, 0)
    os.tcsetpgrp(terminal, os.getpgrp())
    try:
        yield
    finally:
        with suppress(OSError):
            os.tcsetpgrp(terminal, shared)
        os.close(terminal)


def started_by_make() -> bool:
    return "MAKELEVEL" in os.environ


async def parent_gives_up() -> None:
    """Returns when the make that started us was interrupted or is gone.

    A signal sent to make alone never reaches us: make only stops catching it and waits for us to end.
    """
    parent = os.getppid()
    if not started_by_make():
        await asyncio.Event().wait()
    caught = signals_caught(parent)
    while os.getppid() == parent and signals_caught(parent) == caught:  # noqa: ASYNC110 - nothing tells us
        await asyncio.sleep(0.3)


def signals_caught(pid: int) -> int:
    """Of those that end a program, the ones it has a handler for, as bits."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("SigCgt:"):
                return int(line.split()[1], 16) & ENDING
    return 0
