"""Zip archives as bounded streams: of hostile ones, neither memory nor names get out."""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from cloud_core.knowledge.documents import Unreadable
from cloud_core.knowledge.ingest.decoding import decode

MOST_UNPACKED_BYTES = 200 * 2**20
MOST_RATIO = 200
MOST_MEMBERS = 5_000
MOST_DIRECTORY_BYTES = 2 * 2**20
_ALWAYS_BYTES = 2**20  # what any archive may unpack to: little files of blanks pack well
_CHUNK = 1 << 16
_UTF8_NAME, _ENCRYPTED = 0x800, 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others take memory as the file wishes
BROKEN = (
    zipfile.BadZipFile,
    ValueError,
    OSError,
    NotImplementedError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class Member:
    """`reason`: why there is no content."""

    name: str
    content: bytes = b""
    reason: str = ""


class _Bounded(io.BufferedIOBase):
    """zipfile reads an archive's directory in one go, as long as the file says it is."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MOST_DIRECTORY_BYTES:
            raise Unreadable("is an archive of far too many files: split it")
        return self._file.read(MOST_DIRECTORY_BYTES if size is None or size < 0 else size)


def check_office(content: bytes, program: str, ending: str) -> None:
    """Raises Unreadable for what is no archive, or unpacks to far more than its size."""
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise Unreadable(f"is encrypted or in an old format: save it as {ending} without a password")
    try:
        with zipfile.ZipFile(cast(BinaryIO, _Bounded(io.BytesIO(content)))) as archive:
            check_sizes(archive.infolist(), len(content))
    except BROKEN:
        raise Unreadable(f"is not {program} file: damaged, or wrong file name ending") from None


def check_sizes(members: list[zipfile.ZipInfo], packed: int) -> None:
    unpacked = sum(member.file_size for member in members)
    allowed = min(MOST_UNPACKED_BYTES, max(MOST_RATIO * packed, _ALWAYS_BYTES))
    if unpacked > allowed or len(members) > MOST_MEMBERS:
        raise Unreadable("unpacks to far more than its size: not read")


def members_of(path: Path, most_bytes: int, wanted: Callable[[str], bool]) -> Iterator[Member]:
    """The files in an archive whose names are wanted, one after the other; folders and hidden ones are passed over.

    Raises Unreadable.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(cast(BinaryIO, _Bounded(file))) as archive:
            members = archive.infolist()
            check_sizes(members, path.stat().st_size)
            seen: set[str] = set()
            for member in members:
                name = _name(member)
                if not member.is_dir() and not _hidden(name) and wanted(name):
                    reason = "is in the archive twice" if name in seen else _refusal(member, name, most_bytes)
                    seen.add(name)
                    yield Member(name, reason=reason) if reason else _unpacked(archive, member, name)
    except OSError as error:
        raise Unreadable(f"does not open ({error.strerror})") from None
    except BROKEN:
        raise Unreadable("is a damaged archive, or no zip") from None


def _name(member: zipfile.ZipInfo) -> str:
    """Names of no stated encoding are often those of a Chinese Windows."""
    if member.flag_bits & _UTF8_NAME:
        return member.filename
    try:
        return decode(member.filename.encode("cp437"))
    except (UnicodeEncodeError, Unreadable):
        return member.filename


def _hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) and part != ".." for part in name.split("/"))


def _refusal(member: zipfile.ZipInfo, name: str, most_bytes: int) -> str:
    if not is_plain(name) or "\\" in name or ":" in name:
        return "has a name that leads out of the archive"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link"
    if member.flag_bits & _ENCRYPTED:
        return "is encrypted: pack it without a password"
    if PurePosixPath(name).suffix.lower() == ".zip":
        return "is an archive in an archive: unpack it first"
    if member.compress_type not in _METHODS:
        return "is packed in an unusual way: pack it again"
    if member.file_size > most_bytes:
        return f"has {member.file_size / 2**20:.0f} MiB, more than {most_bytes // 2**20}: split it"
    return ""


def is_plain(name: str) -> bool:
    """A relative path without detours, fit for a document's id."""
    parts = name.split("/")
    return all(part not in ("", ".", "..") for part in parts) and name.isprintable() and len(name) <= 1000


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> Member:
    """The library reads no more of a member than its stated size."""
    content = bytearray()
    try:
        with archive.open(member) as file:
            while piece := file.read(_CHUNK):
                content += piece
    except BROKEN:
        return Member(name, reason="is damaged in the archive")
    return Member(name, bytes(content))
