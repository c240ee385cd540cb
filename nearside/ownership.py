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
        lock = _opened(data / f"{program}.lock")
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
        with suppress(OSError), _opened(pid_file) as pid:  # a full disk: the lock is what counts
            pid.truncate(0)
            pid.write(f"{os.getpid()}\n")
        try:
            yield
        finally:
            with suppress(OSError):
                pid_file.unlink()


def _opened(file: Path) -> IO[str]:
    """To append to. A new one that root makes is its folder's owner's, who must be able to open it too.

    The folder may be somebody else's, who could have put a link there: it is not followed.
    """
    flags = os.O_WRONLY | os.O_APPEND
    try:
        descriptor = os.open(file, flags | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return open(os.open(file, flags | os.O_NOFOLLOW), "a", encoding="ascii")
    owner = file.parent.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        with suppress(OSError):
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return open(descriptor, "a", encoding="ascii")


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
