"""One core at a time on a data folder: `core.lock` is held while it runs, `core.pid` says who holds it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nearside.errors import NearsideError, StorageError


@contextmanager
def sole_owner(data: Path) -> Iterator[None]:
    """Raises NearsideError where another core holds the folder; the lock ends with the process, however it ends."""
    pid_file = data / "core.pid"
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (data / "core.lock").open("a")
    except OSError as error:
        raise StorageError(
            f"the data folder cannot be written ({error.strerror})", where=str(data), hint="correct its owner"
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NearsideError(
                f"another core (process {running_pid(data) or 'unknown'}) serves this data folder",
                where=str(data),
                hint="stop that one, or give this one a folder of its own",
            ) from None
        pid_file.write_text(f"{os.getpid()}\n", encoding="ascii")
        try:
            yield
        finally:
            pid_file.unlink(missing_ok=True)


def running_pid(data: Path) -> int | None:
    """The process id that a core left in this folder; it may have died since."""
    try:
        return int((data / "core.pid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
