"""The bytes around the members of a pack: they follow from names, sizes and contents alone."""

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

ALIGNMENT = 64
"""Of each member's first byte: numpy reads aligned arrays faster."""
STORED, UTF8, FROM_VERSION, MIDNIGHT_1980 = 0, 0x0800, 10, 0x0021
PADDING = 0x4E50
"""The kind of a header's extra field that holds nothing."""

LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
LOCAL_SIGN, CENTRAL_SIGN, END_SIGN = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


@dataclass(frozen=True, slots=True)
class Slot:
    """`header_at` and `at`: where a member's header and its first byte lie."""

    name: bytes
    size: int
    header_at: int
    at: int

    @property
    def end(self) -> int:
        return self.at + self.size

    def header(self, crc: int) -> bytes:
        padding = self.at - self.header_at - LOCAL.size - len(self.name)
        extra = struct.pack("<HH", PADDING, padding - 4).ljust(padding, b"\0") if padding else b""
        fields = (UTF8, STORED, 0, MIDNIGHT_1980, crc, self.size, self.size, len(self.name), padding)
        return LOCAL.pack(LOCAL_SIGN, FROM_VERSION, *fields) + self.name + extra

    def entry(self, crc: int) -> bytes:
        """In the directory at the end."""
        fields = (UTF8, STORED, 0, MIDNIGHT_1980, crc, self.size, self.size, len(self.name), 0, 0, 0, 0, 0)
        return CENTRAL.pack(CENTRAL_SIGN, FROM_VERSION, FROM_VERSION, *fields, self.header_at) + self.name


def place(members: Iterable[tuple[str, int]]) -> list[Slot]:
    """Where members of these names and sizes lie, one after the other."""
    slots: list[Slot] = []
    for name, size in members:
        encoded = name.encode()
        start = slots[-1].end if slots else 0
        begins = start + LOCAL.size + len(encoded)
        padding = -begins % ALIGNMENT
        padding += ALIGNMENT if 0 < padding < 4 else 0  # an extra field has four bytes of its own
        slots.append(Slot(encoded, size, start, begins + padding))
    return slots


def directory(slots: Sequence[Slot], crcs: Sequence[int]) -> bytes:
    """What stands behind the last member."""
    entries = b"".join(slot.entry(crc) for slot, crc in zip(slots, crcs, strict=True))
    start = slots[-1].end if slots else 0
    return entries + END.pack(END_SIGN, 0, 0, len(slots), len(slots), len(entries), start, 0)


def crc_of(content: bytes | memoryview) -> int:
    return zlib.crc32(content)
