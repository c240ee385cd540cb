"""Vectors in memory. Few are searched exactly; of many, their leading directions say which are looked at whole."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_EXACT = 20_000
LEADING = 64
LEAST_LOOKED_AT, LOOKED_AT_SHARE = 1_000, 0.02
_SAMPLE = 10_000

Halves = NDArray[np.float16]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Leading:
    """`axes` (d, k): the directions in which the vectors differ most; `parts` (n, k): theirs along these."""

    axes: Floats
    parts: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """Rows of `vectors` (n, d), of length 1, belong to the passages `numbers` (n,), which grow."""

    numbers: NDArray[np.int64]
    vectors: Halves
    exact: Floats | None = None
    leading: Leading | None = None

    @classmethod
    def of(cls, numbers: Sequence[int], blobs: Sequence[bytes]) -> "Matrix":
        """`blobs` hold float16, all of the same length. Not to be searched yet."""
        width = len(blobs[0]) // 2 if blobs else 0
        vectors = np.frombuffer(b"".join(blobs), np.float16).reshape(len(blobs), width)
        return cls(np.array(numbers, dtype=np.int64), vectors)

    def with_these(self, live: NDArray[np.int64], other: "Matrix") -> "Matrix":
        """Those of this one's rows that are in `live`, and all of the other's; to be searched."""
        kept = np.isin(self.numbers, live)
        if kept.all() and not len(other.numbers):
            return self
        if not kept.any():
            return other._searched()
        numbers = np.concatenate([self.numbers[kept], other.numbers])
        order = np.argsort(numbers, kind="stable")
        new = other.vectors.reshape(-1, self.vectors.shape[1])
        vectors = np.concatenate([self.vectors[kept], new])[order]
        if self.leading is None or len(numbers) <= MOST_EXACT or len(new) > len(numbers) / 2:
            return Matrix(numbers[order], vectors)._searched()
        axes = self.leading.axes
        parts = np.concatenate([self.leading.parts[kept], new.astype(np.float32) @ axes])[order]
        return Matrix(numbers[order], vectors, leading=Leading(axes, parts))

    def nearest(self, vector: Floats, limit: int, counting: NDArray[np.int64] | None = None) -> list[tuple[int, float]]:
        """(passage number, cosine), best first, ties by number; only passages in `counting`, which grow."""
        if not len(self.numbers) or self.vectors.shape[1] != len(vector):
            return []
        out = None if counting is None else ~np.isin(self.numbers, counting, assume_unique=True)
        if self.exact is not None:
            return self._best(np.arange(len(self.numbers)), _without(self.exact @ vector, out), limit)
        assert self.leading is not None
        near = _without(self.leading.parts @ (vector @ self.leading.axes), out)
        looked_at = min(max(LEAST_LOOKED_AT, limit, int(LOOKED_AT_SHARE * len(near))), len(near))
        rows = np.argpartition(near, -looked_at)[-looked_at:]
        scores = np.where(np.isfinite(near[rows]), self.vectors[rows].astype(np.float32) @ vector, -np.inf)
        return self._best(rows, scores, limit)

    def _best(self, rows: NDArray[np.int64], scores: Floats, limit: int) -> list[tuple[int, float]]:
        if len(rows) > limit:
            places = np.argpartition(scores, -limit)[-limit:]
            rows, scores = rows[places], scores[places]
        order = np.lexsort((rows, -scores))
        return [(int(self.numbers[rows[at]]), float(scores[at])) for at in order if np.isfinite(scores[at])]

    def _searched(self) -> "Matrix":
        if len(self.numbers) <= MOST_EXACT:
            return Matrix(self.numbers, self.vectors, exact=self.vectors.astype(np.float32))
        axes = _axes(self.vectors)
        runs = np.array_split(self.vectors, -(-len(self.numbers) // _SAMPLE))
        parts = np.concatenate([run.astype(np.float32) @ axes for run in runs])
        return Matrix(self.numbers, self.vectors, leading=Leading(axes, parts))


def _without(scores: Floats, out: NDArray[np.bool_] | None) -> Floats:
    if out is not None:
        scores[out] = -np.inf
    return scores


def _axes(vectors: Halves) -> Floats:
    sample = vectors[:: -(-len(vectors) // _SAMPLE)].astype(np.float32)
    _, directions = np.linalg.eigh(sample.T @ sample)
    return np.ascontiguousarray(directions[:, -LEADING:])
