"""What may become documents: files, the files of folders and archives, each with what stands beside it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cloud_core.knowledge.documents import Unreadable
from cloud_core.knowledge.ingest.archives import Member, is_plain, members_of
from cloud_core.knowledge.ingest.metadata import MOST_SIDECAR_BYTES, SIDECAR

MOST_BYTES = 20 * 2**20
MOST_ARCHIVE_BYTES = 200 * 2**20
ARCHIVE = ".zip"


@dataclass(frozen=True, slots=True)
class Source:
    """`sidecar` is the content of its `FILE.meta.yaml`, if any; `reason` says why there is no content."""

    document_id: str
    content: bytes = b""
    sidecar: bytes = b""
    reason: str = ""

    @property
    def ending(self) -> str:
        return PurePosixPath(self.document_id).suffix.lower()

    @property
    def digest(self) -> str:
        """Changes when the file or its sidecar does."""
        return hashlib.sha256(hashlib.sha256(self.content).digest() + self.sidecar).hexdigest()


def sources(path: Path, root: Path | None = None) -> Iterator[Source]:
    """One file, or every file below a folder except hidden ones; an archive's files come as `archive.zip/inner/path`.

    Ids are paths below `root`: the folder itself, or that of the file. Never raises: what cannot be read has a reason.
    """
    root = root or (path if path.is_dir() else path.parent)
    for file in _files(path) if path.is_dir() else (path,):
        document_id = file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name
        if not is_plain(document_id):
            shown = document_id.encode("utf-8", "replace").decode()
            yield Source(shown, reason="has a name with characters that are no text: rename it")
        elif file.suffix.lower() == ARCHIVE:
            yield from _archived(file, document_id)
        elif not _describes(file):
            yield _read(file, document_id)


def count(path: Path) -> int:
    """How many files `sources` will look at; an archive is one."""
    return sum(not _describes(file) for file in _files(path)) if path.is_dir() else 1


def _files(root: Path) -> Iterator[Path]:
    inside = root.resolve()
    for path in sorted(root.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if not hidden and path.is_file() and path.resolve().is_relative_to(inside):
            yield path


def _describes(file: Path) -> bool:
    """Whether it is the sidecar of a file that is there."""
    return file.name.endswith(SIDECAR) and file.with_name(file.name.removesuffix(SIDECAR)).is_file()


def _read(file: Path, document_id: str) -> Source:
    try:
        content = content_of(file)
        beside = file.with_name(file.name + SIDECAR)
        sidecar = content_of(beside, MOST_SIDECAR_BYTES) if beside.is_file() else b""
    except Unreadable as error:
        return Source(document_id, reason=str(error))
    return Source(document_id, content, sidecar)


def content_of(file: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """Raises Unreadable."""
    try:
        size = file.stat().st_size
        if size > most_bytes:
            raise Unreadable(f"has {_amount(size)}, more than {_amount(most_bytes)}: split it")
        with file.open("rb") as opened:
            content = opened.read(most_bytes + 1)
    except OSError as error:
        raise Unreadable(f"does not open ({error.strerror})") from None
    if not content.strip():
        raise Unreadable("is empty")
    return content


def _amount(size: int) -> str:
    return f"{size / 2**20:.0f} MiB" if size >= 2**20 else f"{size / 2**10:.0f} KiB"


def _archived(file: Path, document_id: str) -> Iterator[Source]:
    if file.stat().st_size > MOST_ARCHIVE_BYTES:
        yield Source(document_id, reason=f"has more than {_amount(MOST_ARCHIVE_BYTES)}: split it")
        return
    found = False
    try:
        sidecars = {member.name: member for member in members_of(file, MOST_BYTES, _is_sidecar)}
        for member in members_of(file, MOST_BYTES, lambda name: not _is_sidecar(name)):
            found = True
            yield _member(member, f"{document_id}/{member.name}", sidecars.get(member.name + SIDECAR))
    except Unreadable as error:
        yield Source(document_id, reason=str(error))
        return
    if not found:
        yield Source(document_id, reason="is an archive without files")


def _is_sidecar(name: str) -> bool:
    return name.endswith(SIDECAR)


def _member(member: Member, document_id: str, beside: Member | None) -> Source:
    if not is_plain(document_id):
        document_id = "".join(letter if letter.isprintable() else "\ufffd" for letter in document_id)
    sidecar = beside.content if beside else b""
    reason = member.reason or (beside.reason if beside else "")
    if not reason and not member.content.strip():
        reason = "is empty"
    if len(sidecar) > MOST_SIDECAR_BYTES:
        reason = f"has a {SIDECAR} of more than {_amount(MOST_SIDECAR_BYTES)}"
    return Source(document_id, reason=reason) if reason else Source(document_id, member.content, sidecar)
