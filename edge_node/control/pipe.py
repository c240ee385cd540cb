"""The way from a running edge to the command that asked: a named pipe that one reader takes up."""

import os
import select
import threading
import time
from pathlib import Path

from nearside.errors import StorageError

READER_S = 60.0
"""How long a reader may keep the edge waiting."""
EVERY_S = 0.2


class Pipe:
    """Written from threads, one at a time; `give_up` ends a write that waits. Raises StorageError."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path, 0o600)
        self.path = path
        self.written = 0
        self._descriptor = -1
        self._at_work = threading.Lock()
        self._is_given_up = threading.Event()

    def write(self, content: bytes) -> None:
        with self._at_work:
            if self._descriptor < 0:
                self._descriptor = self._taken_up()
            view, give_up_at = memoryview(content), time.monotonic() + READER_S
            while view:
                if select.select([], [self._descriptor], [], EVERY_S)[1]:
                    written = self._write(view)
                    view, self.written = view[written:], self.written + written
                    give_up_at = time.monotonic() + READER_S
                else:
                    self._wait(give_up_at)

    def close(self) -> None:
        """The reader has all there is."""
        with self._at_work:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def give_up(self) -> None:
        self._is_given_up.set()

    def _taken_up(self) -> int:
        give_up_at = time.monotonic() + READER_S
        while True:
            try:
                return os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:  # nobody reads yet
                self._wait(give_up_at)
                time.sleep(EVERY_S / 10)

    def _wait(self, give_up_at: float) -> None:
        if self._is_given_up.is_set() or time.monotonic() > give_up_at:
            raise StorageError("nobody takes the archive", hint="repeat the command")

    def _write(self, content: memoryview) -> int:
        try:
            return os.write(self._descriptor, content)
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            raise StorageError("whoever asked for the archive is gone", hint="repeat the command") from None
