"""The questions that the cache has an answer to: hashes and vectors in memory, least recently asked first."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nearside.encoder import DIMENSIONS

Vector = NDArray[np.float32]
CANDIDATES = 3


@dataclass(frozen=True, slots=True)
class _Entry:
    place: int
    kept_at: float


class Known:
    """At most `most` of them. `signature` is that of `sameness`, hashed."""

    def __init__(self, most: int) -> None:
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._keys: list[bytes] = [b""] * most
        self._free = list(range(most))[::-1]
        self._vectors = np.zeros((most, DIMENSIONS), dtype=np.float32)
        self._signatures = np.zeros(most, dtype=np.uint64)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, key: bytes, signature: bytes, vector: Vector | None, kept_at: float) -> list[bytes]:
        """Keys of those that had to go. Without a `vector` only the very same question finds it."""
        self.drop(key)
        gone = [] if self._free else [next(iter(self._entries))]
        for old in gone:
            self.drop(old)
        place = self._free.pop()
        self._entries[key], self._keys[place] = _Entry(place, kept_at), key
        self._vectors[place] = 0.0 if vector is None else vector
        self._signatures[place] = _number(signature)
        return gone

    def has(self, key: bytes) -> bool:
        if key not in self._entries:
            return False
        self._entries.move_to_end(key)
        return True

    def nearest(self, signature: bytes, vector: Vector, threshold: float) -> Iterator[tuple[bytes, float]]:
        """Keys with the same signature and their cosine, the most alike first."""
        places = np.flatnonzero(self._signatures == _number(signature))
        cosines = self._vectors[places] @ vector
        for index in np.argsort(-cosines, kind="stable")[:CANDIDATES]:
            if cosines[index] >= threshold:
                yield self._keys[places[index]], min(1.0, float(cosines[index]))

    def drop(self, key: bytes) -> None:
        if (entry := self._entries.pop(key, None)) is not None:
            self._signatures[entry.place] = 0
            self._free.append(entry.place)

    def drop_older(self, before: float) -> None:
        for key in [key for key, entry in self._entries.items() if entry.kept_at < before]:
            self.drop(key)

    def clear(self) -> None:
        for key in list(self._entries):
            self.drop(key)


def _number(signature: bytes) -> np.uint64:
    """Never 0, which is that of a free place."""
    return np.uint64(int.from_bytes(signature[:8], "big") or 1)
