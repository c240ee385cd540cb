"""Opening an archive: every byte is checked before anybody relies on it."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from nearside.archive import tape
from nearside.archive.manifest import LARGEST_MANIFEST, MANIFEST, Entry, Manifest, parse_files
from nearside.archive.sealed import DAMAGED, Header, SealedReader
from nearside.errors import NearsideError, StorageError
from nearside.sealing import RecoveryKey, sync_folder

MOST_FILES = 200_000
Take = Callable[[str, Iterator[bytes]], None]


def read_header(source: Path) -> Header:
    """What stands in clear; nothing of it is certain before the archive was opened. Raises StorageError."""
    with _archive(source) as file:
        return Header.read(file)


def header_for(source: Path, *, program: str, schemas: Mapping[str, int]) -> Header:
    """The same, refused where `unpack` would refuse it before it is opened. Raises NearsideError."""
    with _archive(source) as file:
        header = Header.read(file)
        header.refuse_for(program, schemas)
        return header


def read_manifest(source: Path, key: RecoveryKey) -> Manifest:
    """Reads the whole archive and checks every byte. Raises StorageError."""
    with _archive(source) as file:
        header = Header.read(file)
        return _taken(SealedReader(file, header, key), header, _let_go)


def unpack(source: Path, key: RecoveryKey, into: Path, *, program: str, schemas: Mapping[str, int]) -> Manifest:
    """The archive's files in the new folder `into`: files 0600, folders 0700, durable on return; else nothing.

    `schemas`: the newest migration that this program has, by room; an archive with a newer one is refused.
    Raises NearsideError where it is another program's, StorageError where anything in it is wrong.
    """
    with _archive(source) as file:
        header = Header.read(file)
        header.refuse_for(program, schemas)
        sealed = SealedReader(file, header, key)
        try:
            into.mkdir(mode=0o700)
            manifest = _taken(sealed, header, lambda path, content: _write(into / path, content))
            for folder in (into, *filter(Path.is_dir, into.rglob("*"))):
                sync_folder(folder)
            return manifest
        except BaseException as error:
            shutil.rmtree(into, ignore_errors=True)
            if isinstance(error, OSError):
                what = f"cannot be unpacked ({error.strerror})"
                raise StorageError(what, where=str(into), hint="look at disk space and the folder's owner") from None
            raise


@contextmanager
def _archive(source: Path) -> Iterator[BinaryIO]:
    """Its errors say which file."""
    try:
        with source.open("rb") as file:
            yield file
    except NearsideError as error:
        raise type(error)(error.what, where=error.where or str(source), hint=error.hint) from None
    except OSError as error:
        raise StorageError(f"the archive cannot be read ({error.strerror})", where=str(source)) from None


def _taken(sealed: SealedReader, header: Header, take: Take) -> Manifest:
    found: dict[str, Entry] = {}
    folders: set[str] = set()
    manifest: bytes | None = None
    for path, size, content in tape.members(sealed.read):
        if manifest is not None or len(found) >= MOST_FILES:
            raise StorageError("the archive has files that its manifest does not name", hint=DAMAGED)
        if path == MANIFEST:
            manifest = _whole(content, size)
            continue
        above = {path[:at] for at, letter in enumerate(path) if letter == "/"}
        if path in found or path in folders or above & found.keys():
            raise StorageError("the archive has a path twice", hint="it was not made by this program")
        folders |= above
        digest = sha256()
        take(path, _hashed(content, digest.update))
        found[path] = Entry(path, size, digest.hexdigest())
    files, facts = parse_files(manifest or b"")
    if files != tuple(found.values()):
        raise StorageError("the archive's files are not those of its manifest", hint=DAMAGED)
    return Manifest(header.about, header.version, header.made_at, header.recovery_key, files, facts)


def _hashed(content: Iterator[bytes], update: Callable[[bytes], object]) -> Iterator[bytes]:
    for part in content:
        update(part)
        yield part


def _whole(content: Iterator[bytes], size: int) -> bytes:
    if size > LARGEST_MANIFEST:
        raise StorageError("the archive's manifest is too long", hint="it was not made by this program")
    return b"".join(content)


def _let_go(_path: str, content: Iterator[bytes]) -> None:
    for _ in content:
        pass


def _write(target: Path, content: Iterator[bytes]) -> None:
    _make_folder(target.parent)
    with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        for part in content:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())


def _make_folder(folder: Path) -> None:
    """Private, and so are its parents."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o700)
