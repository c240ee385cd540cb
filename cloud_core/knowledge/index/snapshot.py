"""What search sees of a knowledge base: one version of it, which does not change while it is read."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cloud_core.knowledge.index.postings import Postings
from cloud_core.messages import Lang, Passage

LANGS: tuple[Lang, ...] = ("en", "zh")
_MOST_GAPS = 8


@dataclass(frozen=True, slots=True)
class About:
    """What holds for all passages of a document. Dates are YYYY-MM-DD, both included; "" sets no bound.

    `audience` "" is for everyone.
    """

    document_id: str
    tags: frozenset[str] = frozenset()
    audience: str = ""
    valid_from: str = ""
    valid_until: str = ""


@dataclass(frozen=True)
class Catalogue:
    """The live passages of one version, a row each, by growing `numbers` (n,).

    `lengths` (n, 3): terms per field. `langs` (n,): places in LANGS. `documents` (n,): places in `about`.
    `positions` (n,): the passage's place in its document. `memo`: what was worked out from it, for as long as it lives.
    """

    numbers: NDArray[np.int64]
    lengths: NDArray[np.uint16]
    langs: NDArray[np.uint8]
    documents: NDArray[np.int32]
    positions: NDArray[np.int32]
    about: tuple[About, ...] = field(repr=False)
    memo: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.numbers)

    def rows(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """(m,): the row of each of `numbers`, -1 where it is not live."""
        if not len(self):
            return np.full(len(numbers), -1)
        if self._by_number is not None:
            inside = np.clip(numbers - self.numbers[0], -1, len(self._by_number) - 1)
            live: NDArray[np.int64] = self._by_number[inside]
            return live
        places = np.minimum(np.searchsorted(self.numbers, numbers), len(self) - 1)
        rows: NDArray[np.int64] = np.where(self.numbers[places] == numbers, places, -1)
        return rows

    @cached_property
    def _by_number(self) -> NDArray[np.int64] | None:
        """Rows by number from the first on, and a last -1; None where it would be mostly gaps."""
        width = int(self.numbers[-1] - self.numbers[0]) + 2
        if width > _MOST_GAPS * len(self) + 2:
            return None
        rows = np.full(width, -1, dtype=np.int64)
        rows[self.numbers - self.numbers[0]] = np.arange(len(self))
        return rows

    @cached_property
    def mean_lengths(self) -> NDArray[np.float32]:
        """(3,), at least 1."""
        if not len(self):
            return np.ones(self.lengths.shape[1], dtype=np.float32)
        means: NDArray[np.float64] = self.lengths.mean(axis=0, dtype=np.float64)
        return np.maximum(means, 1.0).astype(np.float32)


class Snapshot(Protocol):
    """One version, as of one moment; good until its reader lets go of it."""

    @property
    def version(self) -> str: ...

    @property
    def catalogue(self) -> Catalogue: ...

    def postings(self, terms: Sequence[str]) -> dict[str, Postings]:
        """May hold passages that are not live; terms that stand nowhere are left out."""
        ...

    def dense(
        self, vector: NDArray[np.float32], limit: int, among: NDArray[np.bool_] | None = None
    ) -> list[tuple[int, float]]:
        """(passage number, cosine), best first; `among` (n,) are the catalogue's rows that count."""
        ...

    def passages(self, numbers: Sequence[int]) -> dict[int, Passage]: ...

    def learned(self, name: str) -> bytes | None:
        """What was learned from the passages when they were published."""
        ...
