"""A text as numbers without a model: hashed character n-grams and words, the same in every process and release."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint32]
Floats = NDArray[np.float32]

BITS = 16
"""Each of the two blocks, character n-grams and words, has 2^16 buckets; the words' come after the others."""
BUCKETS = 2 << BITS
LONGEST = 8192
"""Code points; what comes after them is not read."""
_SIZES = (2, 3, 4, 5)
_SPACE, _DIGIT, _CJK = 32, ord("0"), 0x2E80
_STEP, _SPREAD = np.uint32(0x01000193), np.uint32(0x9E3779B1)
_PAIR = np.uint32(0x27D4EB2F)
_ODD = 0x100000001B3  # invertible modulo 2^64
_SHIFT = np.uint32(32 - BITS)


def _powers(base: int) -> NDArray[np.uint64]:
    factors = np.full(LONGEST + 2, base, dtype=np.uint64)
    factors[0] = 1
    return np.cumprod(factors, dtype=np.uint64)


def _folded() -> Codes:
    """ASCII as it is compared: digits alike, everything else that is no letter a space."""
    table = np.full(128, _SPACE, dtype=np.uint32)
    table[ord("a") : ord("z") + 1] = np.arange(ord("a"), ord("z") + 1)
    table[ord("0") : ord("9") + 1] = _DIGIT
    return table


_POWERS = _powers(_ODD)
_INVERSES = _powers(pow(_ODD, -1, 2**64))
_ASCII = _folded()
_FOLDED = _ASCII.astype(np.uint8).tobytes().ljust(256)
_SEEDS = {size: np.uint32(size * 0x85EBCA6B & 0xFFFFFFFF) for size in _SIZES}


def buckets(normalised: str) -> NDArray[np.int64]:
    """Of a text as `nearside.lexical.normalise` gives it, one per n-gram, word and pair of words, in any order.

    N-grams of 2 to 5 characters within words, their ends included. In Chinese every character counts as a word as
    well. Linear in the text's length.
    """
    codes = _codes(normalised)
    spaces = codes == _SPACE
    ngrams, words = _ngrams(codes, spaces), _words(codes, spaces)
    hashes = np.concatenate([*ngrams, *words]) >> _SHIFT
    found = hashes.astype(np.int64)
    found[sum(map(len, ngrams)) :] += 1 << BITS
    return found


def _codes(normalised: str) -> Codes:
    """Code points with one space around every word."""
    read = normalised[:LONGEST]
    if read.isascii():
        words = read.encode("ascii").translate(_FOLDED).split()
        return np.frombuffer(b" ".join((b"", *words, b"")) or b" ", dtype=np.uint8).astype(np.uint32)
    codes = np.frombuffer(f" {read} ".encode("utf-32-le", "replace"), dtype=np.uint32)
    codes = np.where(codes < 128, _ASCII[np.minimum(codes, 127)], codes)
    spaces = codes == _SPACE
    kept = np.ones(len(codes), dtype=bool)
    kept[1:] = ~(spaces[1:] & spaces[:-1])
    return codes[kept]


def _ngrams(codes: Codes, spaces: NDArray[np.bool_]) -> list[Codes]:
    found = []
    hashes, within = codes, np.ones(len(codes), dtype=bool)
    for size in _SIZES:
        hashes = (hashes[:-1] * _STEP) ^ codes[size - 1 :]
        within = within[:-1] & ~spaces[size - 2 : -1] if size > 2 else within[:-1]
        found.append((hashes[within] ^ _SEEDS[size]) * _SPREAD)
    return found


def _words(codes: Codes, spaces: NDArray[np.bool_]) -> list[Codes]:
    ends = np.flatnonzero(spaces)
    sums = np.zeros(len(codes) + 1, dtype=np.uint64)
    np.cumsum(codes * _POWERS[: len(codes)], out=sums[1:])
    starts = ends[:-1] + 1
    whole = (sums[ends[1:]] - sums[starts]) * _INVERSES[starts]
    words = ((whole >> np.uint64(32)) ^ whole).astype(np.uint32)
    pairs = (words[:-1] * _PAIR) ^ (words[1:] * _STEP)
    characters = codes[codes >= _CJK]
    return [words * _SPREAD, pairs * _SPREAD, (characters ^ _PAIR) * _SPREAD]


@dataclass(frozen=True, slots=True)
class Weighed:
    """A text as a sparse vector of length 1 over the rows of a `Table`."""

    rows: NDArray[np.int32]
    values: Floats
    known: float
    """Share of the text, weighted by rarity, that the examples have too, 0 to 1."""


class Table:
    """Which buckets the examples of one company have, and how rare they are there."""

    def __init__(self, kept: NDArray[np.int64], rarity: Floats) -> None:
        """`kept`: (rows,) buckets, ascending. `rarity`: (rows,) inverse document frequencies."""
        self.kept, self.rarity = kept, rarity
        self._row = np.full(BUCKETS, -1, dtype=np.int32)
        self._row[kept] = np.arange(len(kept), dtype=np.int32)
        self.rarest = float(rarity.max(initial=1.0))
        self._first_word = int(np.searchsorted(kept, 1 << BITS))

    def weigh(self, normalised: str) -> Weighed:
        found = self._row[buckets(normalised)]
        rows, counts = _counted(found[found >= 0])
        rarity = self.rarity[rows]
        values = (np.float32(1) + np.log(counts, dtype=np.float32)) * rarity
        known = float(rarity.sum())
        unknown = self.rarest * (len(found) - int(counts.sum()))
        words = int(rows.searchsorted(self._first_word))
        for block in (values[:words], values[words:]):
            block /= np.float32(np.sqrt(2 * (block @ block)) or 1)
        return Weighed(rows, values, known / (known + unknown) if known else 0.0)


def _counted(rows: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The distinct ones, ascending, and how often each occurs."""
    rows = np.sort(rows)
    is_first = np.ones(len(rows), dtype=bool)
    np.not_equal(rows[1:], rows[:-1], out=is_first[1:])
    first = is_first.nonzero()[0]
    counts = np.empty_like(first)
    counts[:-1] = first[1:] - first[:-1]
    counts[-1:] = len(rows) - first[-1:]
    return rows[first], counts
