"""Vectors on their way to pgvector's `halfvec` and back, as its binary form: no digits are written or read.

Known to every connection that is opened after this was imported.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from psycopg import adapters
from psycopg.adapt import Dumper
from psycopg.pq import Format

HEAD_BYTES = 4
"""Two big-endian 16-bit integers: the length, and 0."""


@dataclass(frozen=True, slots=True, eq=False)
class Half:
    """A parameter of a statement; `values` (d,)."""

    values: NDArray[np.float16]


class HalfDumper(Dumper):
    format = Format.BINARY

    def dump(self, half: Half) -> bytes:
        head = np.array([len(half.values), 0], dtype=">u2").tobytes()
        return head + half.values.astype(">f2").tobytes()


adapters.register_dumper(Half, HalfDumper)


def values_of(sent: bytes) -> NDArray[np.float16]:
    """(d,) of what a cursor in binary mode gives."""
    return np.frombuffer(sent, ">f2", offset=HEAD_BYTES).astype(np.float16)
