"""The search index in pieces, however they are stored: which to join, and how."""

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cloud_core.knowledge.index import postings as index

LARGE = 50_000
MOST_SMALL = 8
Numbers = NDArray[np.int64]
Lengths = NDArray[np.uint16]
Term = TypeVar("Term", str, bytes)


def numbers_in(blob: bytes) -> Numbers:
    return np.frombuffer(blob, "<i8").astype(np.int64)


def lengths_in(blob: bytes) -> Lengths:
    return np.frombuffer(blob, "<u2").astype(np.uint16).reshape(-1, len(index.FIELDS))


def blobs_of(numbers: Numbers, lengths: Lengths) -> tuple[bytes, bytes]:
    return numbers.astype("<i8").tobytes(), lengths.astype("<u2").tobytes()


def count_of(held: Numbers, live: Numbers) -> int:
    return int(np.isin(held, live, assume_unique=True).sum())


def lengths_of(pieces: Iterable[tuple[bytes, bytes]], numbers: Numbers) -> Lengths:
    """(n, 3) of these passages, which grow; zeros for one that is in no piece."""
    lengths = np.zeros((len(numbers), len(index.FIELDS)), dtype=np.uint16)
    for blob, sizes in pieces:
        held, rows = numbers_in(blob), lengths_in(sizes)
        places = np.searchsorted(numbers, held)
        places[places == len(numbers)] = 0
        there = numbers[places] == held if len(numbers) else np.zeros(len(held), dtype=bool)
        lengths[places[there]] = rows[there]
    return lengths


def to_join(sizes: dict[int, tuple[int, int]]) -> list[int]:
    """`sizes`: passages held, and still needed. First what is mostly dead, then small ones where there are many."""
    dead = [segment for segment, (held, needed) in sizes.items() if needed < held / 2]
    if dead:
        return dead[:1]
    small = sorted((needed, segment) for segment, (_, needed) in sizes.items() if needed < LARGE)
    if len(small) <= MOST_SMALL:
        return []
    chosen: list[int] = []
    total = 0
    for needed, segment in small:  # each passage is moved only as often as its piece doubles
        if len(chosen) >= 2 and needed > total or total + needed > 2 * LARGE:
            break
        chosen.append(segment)
        total += needed
    return chosen


def joined(
    streams: Sequence[Iterable[tuple[Term, bytes]]], keep: Numbers, *, complete: bool
) -> Iterator[tuple[Term, bytes]]:
    """`streams`: by growing term. `complete`: every passage in them is in `keep`."""
    for term, group in groupby(merge(*streams, key=itemgetter(0)), key=itemgetter(0)):
        blobs = [blob for _, blob in group]
        if complete and len(blobs) == 1:
            yield term, blobs[0]
            continue
        postings = index.among(index.joined([index.decode(blob) for blob in blobs]), keep)
        if len(postings.numbers):
            yield term, index.encode(postings)
