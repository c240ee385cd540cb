"""An inverted index in pieces: which passages hold a term, how often in each field, and the bytes it is stored as."""

import struct
import zlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nearside.errors import StorageError
from nearside.lexical import search_terms

FIELDS = ("title", "heading", "text")
MOST_OF_A_TERM = 255
MOST_TERMS = 65_535
_FORMAT = 1
_HEAD = struct.Struct("<BBBBIqI")  # format, width of a gap, what the counts look like, 0, length, first number, crc32
_WIDTHS = (1, 2, 4, 8)
_NEVER, _ONCE, _LISTED = 0, 1, 2


@dataclass(frozen=True, slots=True, eq=False)
class Postings:
    """The passages that hold one term: `numbers` (n,) grow; `counts` (n, 3) per field, at most 255 each."""

    numbers: NDArray[np.int64]
    counts: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """The index of some passages: `numbers` (n,) grow; `lengths` (n, 3) are terms per field, at most 65,535 each."""

    numbers: NDArray[np.int64]
    lengths: NDArray[np.uint16]
    postings: dict[str, Postings]


def encode(postings: Postings) -> bytes:
    """At least one passage. Gaps as narrow as they go; a field's counts only where they are not all 0 or all 1."""
    numbers, counts = postings.numbers, postings.counts
    if len(numbers) == 1:
        return _encode_one(int(numbers[0]), counts[0].tolist())
    gaps = np.diff(numbers)
    width = next(width for width in _WIDTHS if width == 8 or not len(gaps) or int(gaps.max()) < 1 << 8 * width)
    shapes = [_shape(counts[:, field]) for field in range(len(FIELDS))]
    columns = [
        np.ascontiguousarray(counts[:, field]).tobytes() for field, shape in enumerate(shapes) if shape == _LISTED
    ]
    body = gaps.astype(f"<u{width}").tobytes() + b"".join(columns)
    shape = sum(shape << 2 * field for field, shape in enumerate(shapes))
    return _HEAD.pack(_FORMAT, width, shape, 0, len(numbers), int(numbers[0]), zlib.crc32(body)) + body


def _encode_one(number: int, counts: list[int]) -> bytes:
    """What most terms have: without arrays, ten times as fast."""
    body = bytes(count for count in counts if count > _ONCE)
    shape = sum(min(count, _LISTED) << 2 * field for field, count in enumerate(counts))
    return _HEAD.pack(_FORMAT, _WIDTHS[0], shape, 0, 1, number, zlib.crc32(body)) + body


def decode(blob: bytes) -> Postings:
    """Raises StorageError on bytes that `encode` did not make."""
    try:
        version, width, shape, _, length, first, checksum = _HEAD.unpack_from(blob)
    except struct.error:
        raise _damaged() from None
    shapes = [shape >> 2 * field & 3 for field in range(len(FIELDS))]
    listed = shapes.count(_LISTED)
    size = _HEAD.size + (length - 1) * width + listed * length
    known = version == _FORMAT and width in _WIDTHS and length and len(blob) == size
    if not known or zlib.crc32(memoryview(blob)[_HEAD.size :]) != checksum:
        raise _damaged()
    numbers = np.empty(length, dtype=np.int64)
    numbers[0] = 0
    np.cumsum(np.frombuffer(blob, f"<u{width}", length - 1, _HEAD.size), dtype=np.int64, out=numbers[1:])
    numbers += first
    return Postings(numbers, _counts(blob, shapes, length))


def build(rows: Iterable[tuple[int, tuple[str, str, str]]]) -> Segment:
    """`rows` are (passage number, (title, heading, text)) by growing number."""
    numbers, lengths = array("q"), array("H")
    holders: dict[str, tuple[array[int], bytearray]] = {}
    for number, texts in rows:
        numbers.append(number)
        found: dict[str, list[int]] = {}
        for field, text in enumerate(texts):
            terms = _terms_again(text) if field == 0 else search_terms(text)
            lengths.append(min(len(terms), MOST_TERMS))
            for term, count in Counter(terms).items():
                found.setdefault(term, [0] * len(FIELDS))[field] = min(count, MOST_OF_A_TERM)
        for term, counts in found.items():
            held, often = holders.setdefault(term, (array("q"), bytearray()))
            held.append(number)
            often.extend(counts)
    return Segment(
        np.array(numbers, dtype=np.int64),
        np.array(lengths, dtype=np.uint16).reshape(-1, len(FIELDS)),
        {term: _postings(held, often) for term, (held, often) in holders.items()},
    )


def merge(segments: Sequence[Segment], keep: NDArray[np.int64]) -> Segment:
    """One segment of the passages in `keep`; no passage may be in two segments."""
    if not segments:
        return build(())
    numbers = np.concatenate([segment.numbers for segment in segments])
    lengths = np.concatenate([segment.lengths for segment in segments])
    kept = np.isin(numbers, keep)
    numbers, lengths = numbers[kept], lengths[kept]
    order = np.argsort(numbers, kind="stable")
    postings = dict(_merged(segments, numbers[order]))
    return Segment(numbers[order], lengths[order], postings)


def joined(parts: Sequence[Postings]) -> Postings:
    """The postings of one term in several segments."""
    if len(parts) == 1:
        return parts[0]
    numbers = np.concatenate([part.numbers for part in parts])
    counts = np.concatenate([part.counts for part in parts])
    order = np.argsort(numbers, kind="stable")
    return Postings(numbers[order], counts[order])


def among(postings: Postings, live: NDArray[np.int64]) -> Postings:
    """Those of the passages in `live` (m,), which grow."""
    rows = np.searchsorted(live, postings.numbers)
    rows[rows == len(live)] = 0
    kept = live[rows] == postings.numbers if len(live) else np.zeros(len(rows), dtype=bool)
    return postings if kept.all() else Postings(postings.numbers[kept], postings.counts[kept])


def _merged(segments: Sequence[Segment], keep: NDArray[np.int64]) -> Iterator[tuple[str, Postings]]:
    for term in dict.fromkeys(term for segment in segments for term in segment.postings):
        parts = [segment.postings[term] for segment in segments if term in segment.postings]
        postings = among(joined(parts), keep)
        if len(postings.numbers):
            yield term, postings


def _shape(counts: NDArray[np.uint8]) -> int:
    low, high = int(counts.min()), int(counts.max())
    return low if low == high and high <= _ONCE else _LISTED


def _counts(blob: bytes, shapes: Sequence[int], length: int) -> NDArray[np.uint8]:
    counts = np.empty((length, len(FIELDS)), dtype=np.uint8)
    offset = len(blob) - shapes.count(_LISTED) * length
    for field, shape in enumerate(shapes):
        if shape == _LISTED:
            counts[:, field] = np.frombuffer(blob, np.uint8, length, offset)
            offset += length
        else:
            counts[:, field] = shape
    return counts


def _postings(held: "array[int]", often: bytearray) -> Postings:
    counts = np.frombuffer(bytes(often), np.uint8).reshape(-1, len(FIELDS))
    return Postings(np.array(held, dtype=np.int64), counts)


@lru_cache(maxsize=256)
def _terms_again(text: str) -> tuple[str, ...]:
    """A title comes with each passage of its document."""
    return tuple(search_terms(text))


def _damaged() -> StorageError:
    return StorageError("the search index is damaged", hint="publish the knowledge base again, or restore a backup")
