"""What systemd is told of this process: that it is ready, what it does, that it still lives, that it stops.

Without `Type=notify` in the unit there is no `$NOTIFY_SOCKET`, and nothing is sent.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Mapping

from nearside.logs import failure, logger

log = logger("notify")

LONGEST_SEND_S = 0.5
"""A systemd that does not listen must not hold up the program."""


async def loop_runs() -> bool:
    """Whoever is asked on the event loop and answers shows that it goes round."""
    return True


class Notifier:
    """`address` is a path, or `@name` for an abstract socket; `watchdog_s` is how long systemd waits for a sign."""

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog_s = watchdog_s

    @classmethod
    def of_systemd(cls, environ: Mapping[str, str] = os.environ) -> "Notifier":
        return cls(environ.get("NOTIFY_SOCKET", ""), _watchdog_s(environ))

    def ready(self, status: str) -> None:
        """`status` is shown by `systemctl status`."""
        self._send("READY=1", f"STATUS={status}")

    def stopping(self) -> None:
        self._send("STOPPING=1", "STATUS=stopping")

    def status(self, status: str) -> None:
        self._send(f"STATUS={status}")

    async def watch(self, is_alive: Callable[[], Awaitable[bool]] = loop_runs) -> None:
        """For ever: a sign of life twice in the time given, as long as `is_alive` says so in a quarter of it."""
        while self.watchdog_s:
            if await self._lives(is_alive):
                self._send("WATCHDOG=1")
            await asyncio.sleep(self.watchdog_s / 2)

    async def _lives(self, is_alive: Callable[[], Awaitable[bool]]) -> bool:
        try:
            async with asyncio.timeout(self.watchdog_s / 4):
                return await is_alive()
        except Exception as error:
            log.error("not_alive", error=failure(error))
            return False

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, contextlib.suppress(OSError):
            sender.settimeout(LONGEST_SEND_S)
            sender.sendto("\n".join(lines).encode(), self._address)


def _watchdog_s(environ: Mapping[str, str]) -> float:
    """0 where nobody waits, or where another process is meant."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    try:
        return max(0.0, int(environ.get("WATCHDOG_USEC", "0")) / 1e6)
    except ValueError:
        return 0.0
