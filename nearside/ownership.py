"""One process at a time on a data folder: `<program>.lock` is held while it runs, `<program>.pid` says who holds it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nearside.errors import NearsideError, StorageError


@contextmanager
def sole_owner(data: Path, program: str) -> Iterator[None]:
    """Raises NearsideError where another one holds the folder; the lock ends with the process, however it ends."""
    pid_file = data / f"{program}.pid"
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (data / f"{program}.lock").open("a")
    except OSError as error:
        raise StorageError(
            f"the data folder cannot be written ({error.strerror})", where=str(data), hint="correct its owner"
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NearsideError(
                f"another {program} (process {running_pid(data, program) or 'unknown'}) serves this data folder",
                where=str(data),
                hint="stop that one, or give this one a folder of its own",
            ) from None
        pid_file.write_text(f"{os.getpid()}\n", encoding="ascii")
        try:
            yield
        finally:
            pid_file.unlink(missing_ok=True)


def running_pid(data: Path, program: str) -> int | None:
    """The process id that one left in this folder; it may have died since."""
    try:
        return int((data / f"{program}.pid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
