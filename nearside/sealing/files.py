"""Secret files: written whole or not at all, and destroyed so that nothing of them is left."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write_secret(path: Path, content: bytes, *, keep: bool = False) -> None:
    """Write as 0600, whole or not at all, durable on return. With `keep`, a file that is there stays.

    Written by root it belongs to whoever has the file already, or its folder: the service's user reads it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            if os.geteuid() == 0:
                owner = (path if path.exists() else path.parent).stat()
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if keep:
            with suppress(FileExistsError):
                os.link(partial, path)
        else:
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)


def shred(path: Path) -> None:
    """Overwrite and remove, durable on return; also what an interrupted `write_secret` left of it."""
    for file in (path, *path.parent.glob(f".{path.name}.*")):
        with suppress(FileNotFoundError):
            with file.open("r+b") as content:
                content.write(os.urandom(file.stat().st_size))
                content.flush()
                os.fsync(content.fileno())
            file.unlink()
    if path.parent.is_dir():
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make what was created, renamed or removed in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold `folder` against other programs and threads; `shared` only against those that want it alone."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
