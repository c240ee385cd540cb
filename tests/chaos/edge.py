"""The edge that is killed: started by its own command line, known to be up by its open door."""

import asyncio
import os
import signal
import subprocess
import time
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

from tests.servers import Demo, ServerError, is_alive

LAST_LINES = 5


class Edge:
    """The demo's edge; `door` is set while it takes connections."""

    def __init__(self, demo: Demo) -> None:
        self._port = urlsplit(demo.env["EDGE_URL"]).port or 443
        self._command = demo.command_of("EDGE_PID")
        self._pid = int(demo.env["EDGE_PID"])
        self._process: subprocess.Popen[bytes] | None = None
        self._log = demo.home / "logs" / "edge-chaos.log"
        self._knocking: asyncio.Task[None] | None = None
        self.door = asyncio.Event()
        self.door.set()
        self._failure = ""

    def is_well(self) -> bool:
        """Raises ServerError if it has ended while it started."""
        if self._failure:
            raise ServerError(self._failure)
        return True

    async def kill(self) -> None:
        self._close_door()
        await self._end(signal.SIGKILL)

    async def ask_to_stop(self, for_s: float) -> bool:
        """SIGTERM, then `for_s` of peace; False if it has ended by itself meanwhile."""
        os.kill(self._pid, signal.SIGTERM)
        give_up_at = time.monotonic() + for_s
        while time.monotonic() < give_up_at:
            await asyncio.sleep(0.005)
            if self._has_ended():
                return False
        return True

    async def stop(self) -> None:
        """As an operator does it; raises ServerError if it does not end well."""
        self._close_door()
        await self._end(signal.SIGTERM)
        if self._process is not None and self._process.returncode:
            raise ServerError(f"the edge ended with status {self._process.returncode}: {self._last_lines()}")

    def start(self) -> None:
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        self._pid = self._process.pid
        self._knocking = asyncio.create_task(self._knock(self._process))

    async def _knock(self, process: subprocess.Popen[bytes]) -> None:
        while process.poll() is None:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
                writer.close()
                self.door.set()
                return
            await asyncio.sleep(0.02)
        self._failure = f"the edge ended with status {process.returncode} while it started: {self._last_lines()}"

    def _close_door(self) -> None:
        self.door.clear()
        if self._knocking is not None:
            self._knocking.cancel()

    async def _end(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._pid, number)
        while not self._has_ended():  # noqa: ASYNC110 - a process that is not our child tells nobody
            await asyncio.sleep(0.005)

    def _has_ended(self) -> bool:
        return self._process.poll() is not None if self._process else not is_alive(self._pid)

    def _last_lines(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-LAST_LINES:])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
