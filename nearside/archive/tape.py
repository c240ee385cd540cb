"""The tar inside: regular files only. Any tar program reads it; what we read ourselves we take from nobody else."""

import re
import tarfile
from collections.abc import Callable, Iterator

from nearside.archive.manifest import is_safe
from nearside.errors import StorageError

BLOCK = tarfile.BLOCKSIZE
READ_BYTES = 256 << 10
LONGEST_EXTENSION = 16 << 10
RECORD = re.compile(rb"([0-9]{1,5}) (path|size)=")

Read = Callable[[int], bytes]


def head(path: str, size: int) -> bytes:
    """What stands before a file's content."""
    info = tarfile.TarInfo(path)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def padding(size: int) -> bytes:
    return bytes(-size % BLOCK)


END = bytes(2 * BLOCK)


def members(read: Read) -> Iterator[tuple[str, int, Iterator[bytes]]]:
    """Each file's path, size and content, to be taken in turn. Raises StorageError at the first thing that is odd."""
    while (block := _block(read)) != bytes(BLOCK):
        path, size = _next_member(read, block)
        if not is_safe(path):
            raise _odd("a path that leads elsewhere")
        content = _content(read, size)
        yield path, size, content
        for _ in content:
            pass
        if read(-size % BLOCK).strip(b"\0"):
            raise _odd("bytes between its files")
    while rest := read(READ_BYTES):
        if rest.strip(b"\0"):
            raise _odd("bytes behind its end")


def _next_member(read: Read, block: bytes) -> tuple[str, int]:
    path, size, kind = _parsed(block)
    extension: dict[bytes, bytes] = {}
    if kind == tarfile.XHDTYPE:
        if size > LONGEST_EXTENSION:
            raise _odd("an extended header that is too long")
        extension = _records(read(size))
        read(-size % BLOCK)
        path, size, kind = _parsed(_block(read))
    if kind != tarfile.REGTYPE:
        raise _odd("something that is no regular file")
    try:
        path = extension[b"path"].decode() if b"path" in extension else path
        return path, _number(extension[b"size"], 10) if b"size" in extension else size
    except UnicodeDecodeError:
        raise _odd("a path that is not UTF-8") from None


def _parsed(block: bytes) -> tuple[str, int, bytes]:
    """Path, size and type. Raises StorageError where it is no header."""
    total = sum(block) - sum(block[148:156]) + 8 * ord(" ")
    if block[257:263] != b"ustar\0" or _number(block[148:156], 8) != total:
        raise _odd("a header that is none")
    name, prefix = (part.partition(b"\0")[0] for part in (block[:100], block[345:500]))
    try:
        path = b"/".join(filter(None, (prefix, name))).decode()
    except UnicodeDecodeError:
        raise _odd("a path that is not UTF-8") from None
    return path, _number(block[124:136], 8), block[156:157]


def _number(field: bytes, base: int) -> int:
    digits = field.strip(b" \0")
    if not re.fullmatch(rb"[0-7]{1,12}" if base == 8 else rb"[0-9]{1,15}", digits):
        raise _odd("a number that is none")
    return int(digits, base)


def _records(content: bytes) -> dict[bytes, bytes]:
    """`LENGTH KEY=VALUE` lines; only those that head() writes."""
    found: dict[bytes, bytes] = {}
    while content:
        record = RECORD.match(content)
        length = int(record[1]) if record else 0
        if not record or length <= record.end() or content[length - 1 : length] != b"\n" or record[2] in found:
            raise _odd("an extended header that is none")
        found[record[2]] = content[record.end() : length - 1]
        content = content[length:]
    return found


def _content(read: Read, size: int) -> Iterator[bytes]:
    while size:
        part = read(min(size, READ_BYTES))
        if not part:
            raise _odd("no end")
        size -= len(part)
        yield part


def _block(read: Read) -> bytes:
    block = read(BLOCK)
    if len(block) < BLOCK:
        raise _odd("no end")
    return block


def _odd(what: str) -> StorageError:
    return StorageError(f"the archive has {what}", hint="it was not made by this program")
