"""What a GGUF file says of itself, read with bounds: whoever wrote the file is not trusted.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian.
"""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from nearside.errors import ModelError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MOST_KEYS, MOST_TENSORS, MOST_DIMENSIONS = 4_096, 65_536, 4
MOST_HEADER_BYTES = 256 << 20
MOST_NAME, MOST_TEXT, MOST_ITEMS = 1 << 10, 16 << 20, 2 << 20
DEEPEST = 3
KEPT_TEXT = 200
"""Longer texts (a chat template) and lists (a vocabulary) are checked and not kept."""

STRING, ARRAY = 8, 9
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
    23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
    34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip
"""ggml's tensor types: elements and bytes of a block. A type that is not here is measured by its offset alone."""


@dataclass(frozen=True, slots=True)
class Header:
    """`needed_bytes`: how long the file must be at least to hold its tensors."""

    architecture: str
    name: str
    licence: str
    context: int
    quantisation: str
    needed_bytes: int


def read_header(file: BinaryIO, size: int, where: str) -> Header:
    """Raises ModelError where the file, of `size` bytes, is no whole GGUF model."""
    reader = _Reader(file, min(size, MOST_HEADER_BYTES), where)
    if size < len(MAGIC) or reader.take(len(MAGIC)) != MAGIC:
        raise ModelError("not a GGUF file", where=where, hint="take a model file that ends in .gguf")
    version = reader.number("I")
    if version not in VERSIONS:
        raise ModelError(f"GGUF version {version} is not known", where=where, hint="take a file of version 2 or 3")
    tensors = reader.count("Q", MOST_TENSORS, "tensors")
    keys = reader.count("Q", MOST_KEYS, "keys")
    said = dict(reader.key() for _ in range(keys))
    needed = _needed(reader, tensors, said)
    header = _header(said, needed, where)
    if size < needed:
        what = f"cut off: {size:,} of at least {needed:,} bytes are there"
        raise ModelError(what, where=where, hint="copy or download it again")
    return header


class _Reader:
    def __init__(self, file: BinaryIO, limit: int, where: str) -> None:
        self._file, self._left, self._where = file, limit, where
        self.at = 0

    def take(self, count: int) -> bytes:
        """Raises ModelError where the file ends first."""
        if count > self._left:
            raise self.broken("it ends, or is longer than any model's, in its description")
        found = self._file.read(count)
        if len(found) < count:
            raise self.broken("it ends in its description")
        self._left -= count
        self.at += count
        return found

    def number(self, kind: str) -> Any:
        return struct.unpack(f"<{kind}", self.take(struct.calcsize(kind)))[0]

    def count(self, kind: str, most: int, what: str) -> int:
        found = int(self.number(kind))
        if found > most:
            raise self.broken(f"it claims {found:,} {what}")
        return found

    def text(self, most: int) -> str:
        return self.take(self.count("Q", most, "characters in a text")).decode("utf-8", "replace")

    def key(self) -> tuple[str, Any]:
        return self.text(MOST_NAME), self.value(self.number("I"))

    def value(self, kind: int, depth: int = 0) -> Any:
        if kind == STRING:
            text = self.text(MOST_TEXT)
            return text if len(text) <= KEPT_TEXT else None
        if kind == ARRAY and depth < DEEPEST:
            self._skip_list(depth)
            return None
        if kind in NUMBERS:
            return self.number(NUMBERS[kind])
        raise self.broken(f"a value is of the unknown kind {kind}")

    def _skip_list(self, depth: int) -> None:
        kind, items = self.number("I"), self.count("Q", MOST_ITEMS, "items in a list")
        if kind in NUMBERS:
            self.take(items * struct.calcsize(NUMBERS[kind]))
        else:
            for _ in range(items):
                self.value(kind, depth + 1)

    def broken(self, what: str) -> ModelError:
        return ModelError(f"a damaged GGUF file: {what}", where=self._where, hint="copy or download it again")


def _needed(reader: _Reader, tensors: int, said: Mapping[str, Any]) -> int:
    """Bytes of the description, the padding behind it and the tensors."""
    end = 0
    for _ in range(tensors):
        reader.text(MOST_NAME)
        shape = [reader.number("Q") for _ in range(reader.count("I", MOST_DIMENSIONS, "dimensions of a tensor"))]
        elements, kind, offset = math.prod(shape), reader.number("I"), reader.number("Q")
        block, width = BLOCKS.get(kind, (1, 0))
        end = max(end, offset + elements // block * width)
    alignment = said.get("general.alignment") or 32
    if not isinstance(alignment, int) or not 0 < alignment <= 1 << 16:
        raise reader.broken("its alignment is not a number of bytes")
    return -(-reader.at // alignment) * alignment + int(end)


def _header(said: Mapping[str, Any], needed: int, where: str) -> Header:
    architecture = _text(said, "general.architecture")
    if not architecture:
        raise ModelError("it does not name its architecture", where=where, hint="take a language model in GGUF")
    if said.get("split.count", 1) not in (0, 1):
        raise ModelError("one part of a split model", where=where, hint="merge the parts with llama-gguf-split --merge")
    if said.get("general.type", "model") != "model" or not _number(said, f"{architecture}.block_count"):
        raise ModelError(f"no language model ({architecture[:40]!a})", where=where, hint="take a chat model in GGUF")
    licence = _text(said, "general.license") or _text(said, "general.license.name")
    context = _number(said, f"{architecture}.context_length")
    quantisation = _QUANTISATIONS.get(_number(said, "general.file_type"), "")
    return Header(architecture, _text(said, "general.name"), licence, context, quantisation, needed)


def _text(said: Mapping[str, Any], key: str) -> str:
    """On one line, for a terminal."""
    value = said.get(key)
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in value) if isinstance(value, str) else ""


def _number(said: Mapping[str, Any], key: str) -> int:
    value = said.get(key)
    return value if isinstance(value, int) and 0 <= value < 1 << 32 else 0


_QUANTISATIONS = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S",
    12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K",
    24: "IQ1_S", 25: "IQ4_NL", 30: "IQ4_XS", 32: "BF16",
}  # fmt: skip
