"""Making an archive."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from nearside.archive import tape
from nearside.archive.manifest import MANIFEST, About, Entry, Manifest, is_safe
from nearside.archive.sealed import SealedWriter
from nearside.errors import StorageError
from nearside.sealing import RecoveryPublic, sync_folder


class ArchiveWriter:
    """Add files, then `finish`. What comes out goes to `sink` in order, at most about 1 MiB at a time.

    A file is read while it is added and must not change meanwhile. Raises StorageError.
    """

    def __init__(self, sink: Callable[[bytes], object], public: RecoveryPublic, about: About) -> None:
        self._sealed = SealedWriter(sink, public, about)
        self._about = about
        self._files: dict[str, Entry] = {}

    def add_bytes(self, path: str, content: bytes) -> None:
        self._put(path, len(content), iter((content,)))

    def add_file(self, path: str, source: Path) -> None:
        """`path` is its name in the archive: relative, with `/` between folders."""
        try:
            with source.open("rb") as file:
                self._put(path, os.fstat(file.fileno()).st_size, _read(file))
        except OSError as error:
            raise StorageError(f"cannot be read ({error.strerror})", where=str(source)) from None

    def finish(self, facts: Mapping[str, Any]) -> Manifest:
        """Write the manifest and the end. `facts` is what the manifest tells besides, as JSON."""
        header = self._sealed.header
        files = tuple(self._files.values())
        manifest = Manifest(self._about, header.version, header.made_at, header.recovery_key, files, facts)
        self.add_bytes(MANIFEST, manifest.to_json())
        self._sealed.write(tape.END)
        self._sealed.close()
        return manifest

    def _put(self, path: str, size: int, content: Iterator[bytes]) -> None:
        if not is_safe(path) or path in self._files:
            raise StorageError(f"an archive takes no such path: {path!a}", hint="rename the file")
        self._sealed.write(tape.head(path, size))
        digest, left = sha256(), size
        for part in content:
            part = part[:left]
            digest.update(part)
            self._sealed.write(part)
            left -= len(part)
            if not left:
                break
        if left:
            raise StorageError("it changed while it was read", where=path, hint="repeat the backup")
        self._sealed.write(tape.padding(size))
        self._files[path] = Entry(path, size, digest.hexdigest())


def _read(file: BinaryIO) -> Iterator[bytes]:
    while part := file.read(tape.READ_BYTES):
        yield part


@contextmanager
def whole_file(target: Path, *, force: bool) -> Iterator[BinaryIO]:
    """A new 0600 file that gets its name when the block ends well, durable then; else nothing is left.

    Raises StorageError where `target` exists and `force` is not set, where it is no file (a folder, a device), and
    where the disk refuses.
    """
    _must_be_free(target, force=force)
    partial = target.with_name(f".{target.name}.{os.urandom(6).hex()}.partial")
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _must_be_free(target, force=force)
        os.replace(partial, target)
    except OSError as error:
        hint = "look at disk space and the folder's owner"
        raise StorageError(f"cannot be written ({error.strerror})", where=str(target), hint=hint) from None
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(target.absolute().parent)


def _must_be_free(target: Path, *, force: bool) -> None:
    if target.exists() and not target.is_file():
        raise StorageError("a folder or a device has this name", where=str(target), hint="name a file")
    if target.exists() and not force:
        raise StorageError("there is a file already", where=str(target), hint="give another name, or --force")
