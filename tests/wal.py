"""SQLite's write-ahead log as a file: where its last commit ends, and what a power cut may leave behind it.

https://www.sqlite.org/fileformat.html#the_write_ahead_log
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path

HEADER = struct.Struct(">8I")
FRAME = struct.Struct(">6I")
BIG_ENDIAN_SUMS = 0x377F0683
WORD = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Wal:
    """`end` is the offset behind the last commit, `sums` the running checksum there; `salts` are this log's own."""

    path: Path
    page_size: int
    order: str
    salts: tuple[int, int]
    end: int
    sums: tuple[int, int]

    def frame(self, *, commits: bool, valid: bool = True) -> bytes:
        """One that would be the next, of random content."""
        page = os.urandom(self.page_size)
        head = struct.pack(">2I", 1, 1 if commits else 0)
        sums = checksum(self.order, head + page, self.sums)
        return head + struct.pack(">4I", *self.salts, *(sums if valid else (sums[0] ^ 1, sums[1]))) + page

    def end_with(self, tail: bytes) -> None:
        """Everything behind the last commit is gone, and `tail` is there instead."""
        with self.path.open("r+b") as file:
            file.truncate(self.end)
            file.seek(self.end)
            file.write(tail)


def read_wal(path: Path) -> Wal:
    """Of a file that nobody has open."""
    content = path.read_bytes()
    magic, _, page_size, _, *salts, _, _ = HEADER.unpack_from(content)
    order = ">" if magic == BIG_ENDIAN_SUMS else "<"
    sums = checksum(order, content[:24], (0, 0))
    offset = end = HEADER.size
    end_sums = sums
    while offset + FRAME.size + page_size <= len(content):
        _, pages, *found = FRAME.unpack_from(content, offset)
        page = content[offset + FRAME.size : offset + FRAME.size + page_size]
        sums = checksum(order, content[offset : offset + 8] + page, sums)
        if found != [*salts, *sums]:
            break
        offset += FRAME.size + page_size
        if pages:
            end, end_sums = offset, sums
    return Wal(path, page_size, order, (salts[0], salts[1]), end, end_sums)


def checksum(order: str, content: bytes, sums: tuple[int, int]) -> tuple[int, int]:
    first, second = sums
    words = struct.unpack(f"{order}{len(content) // 4}I", content)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & WORD
        second = (second + odd + first) & WORD
    return first, second
