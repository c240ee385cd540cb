"""The wording of every example, as it lies in the pack: its n-grams, and its content words."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearside.cascade.grams import Weighed

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class Wording:
    """N-gram cosines with a few of the examples; nothing is copied."""

    def __init__(self, rows: NDArray[Any], values: NDArray[np.float16], ends: Ints, width: int) -> None:
        """`rows`, `values`: as in `Weighed`, one example after the other. `ends`: (examples,). `width`: of the table.

        Raises ValueError where they do not belong together.
        """
        self._parts = _Parts(ends, len(rows))
        if len(rows) != len(values) or int(rows.max(initial=0)) >= max(width, 1):
            raise ValueError("n-grams and their values differ")
        self._rows, self._values, self._width = rows, values, width

    def cosines(self, text: Weighed, examples: Sequence[int]) -> Floats:
        """(examples,) 0 to 1; no example, no cosine."""
        parts = [self._parts.of(example) for example in examples]
        if not parts:
            return np.zeros(0, dtype=np.float32)
        written = np.zeros(self._width, dtype=np.float32)
        written[text.rows] = text.values
        rows = np.concatenate([self._rows[part] for part in parts])
        values = np.concatenate([self._values[part] for part in parts])
        sums = np.zeros(len(rows) + 1)
        np.cumsum(written[rows] * values, out=sums[1:])
        ends = np.cumsum([part.stop - part.start for part in parts])
        found: Floats = np.diff(sums[ends], prepend=0.0).astype(np.float32)
        return found


class Terms:
    """The content words of every example."""

    def __init__(self, words: Sequence[str], numbers: NDArray[Any], ends: Ints) -> None:
        """`numbers`: places in `words`, one example after the other. `ends`: (examples,). Raises ValueError too."""
        self._parts = _Parts(ends, len(numbers))
        if len(numbers) and int(numbers.max()) >= len(words):
            raise ValueError("content words and their numbers differ")
        self._words, self._numbers = words, numbers

    def of(self, example: int) -> list[str]:
        return [self._words[number] for number in self._numbers[self._parts.of(example)].tolist()]


class _Parts:
    """Where each example's part of an array lies."""

    def __init__(self, ends: Ints, size: int) -> None:
        self._bounds = np.concatenate([np.zeros(1, dtype=np.int64), ends])
        if np.any(self._bounds[1:] < self._bounds[:-1]) or self._bounds[-1] != size:
            raise ValueError("the examples end elsewhere")

    def of(self, example: int) -> slice:
        return slice(int(self._bounds[example]), int(self._bounds[example + 1]))
