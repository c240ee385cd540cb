"""One process at a time on a data folder: `<program>.lock` is held while it runs, `<program>.pid` says who holds it."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from nearside.errors import NearsideError, StorageError

EVERY_S = 0.05


class FolderInUse(NearsideError):
    pass


@contextmanager
def sole_owner(data: Path, program: str, *, patience_s: float = 0.0) -> Iterator[None]:
    """Raises FolderInUse where another one holds the folder; the lock ends with the process, however it ends.

    `patience_s`: how long to wait for one that may be about to end, such as a command.
    """
    pid_file = data / f"{program}.pid"
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (data / f"{program}.lock").open("a")
    except OSError as error:
        raise StorageError(
            f"the data folder cannot be written ({error.strerror})", where=str(data), hint="correct its owner"
        ) from None
    with lock:
        if not _locked(lock, time.monotonic() + patience_s):
            raise FolderInUse(
                f"another {program} (process {running_pid(data, program) or 'unknown'}) serves this data folder",
                where=str(data),
                hint="stop that one, or give this one a folder of its own",
            )
        with suppress(OSError):  # a full disk: the lock is what counts
            pid_file.write_text(f"{os.getpid()}\n", encoding="ascii")
        try:
            yield
        finally:
            with suppress(OSError):
                pid_file.unlink()


def _locked(lock: IO[str], until: float) -> bool:
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(EVERY_S)
        else:
            return True


def running_pid(data: Path, program: str) -> int | None:
    """The process id that one left in this folder; it may have died since."""
    try:
        return int((data / f"{program}.pid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
