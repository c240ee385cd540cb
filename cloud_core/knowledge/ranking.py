"""What a list's scores are worth, and which results say the same."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cloud_core.knowledge.index.snapshot import Catalogue
from cloud_core.messages import Passage

DENSE_WEIGHT = 0.8
OTHER_LANGUAGE = 0.5
_LEAST_COSINE = 0.15
_ALIKE = 0.85
_STRETCH = 4
_NEITHER = re.compile(r"[\W_]+")
_DIGITS = re.compile(r"\d+")


def without_duplicates(passages: Sequence[Passage], limit: int) -> list[Passage]:
    """The first of passages that say the same with the same numbers."""
    kept: list[Passage] = []
    shapes: list[_Shape] = []
    for passage in passages:
        shape = _Shape.of(passage.text)
        if any(shape.is_like(other) for other in shapes):
            continue
        kept.append(passage)
        shapes.append(shape)
        if len(kept) == limit:
            break
    return kept


@dataclass(frozen=True, slots=True)
class _Shape:
    """A text's stretches of four characters, without what is neither letter nor digit, and its digits."""

    stretches: frozenset[str]
    digits: str

    @classmethod
    def of(cls, text: str) -> "_Shape":
        plain = _NEITHER.sub("", unicodedata.normalize("NFKC", text).casefold())
        stretches = frozenset(plain[at : at + _STRETCH] for at in range(max(len(plain) - _STRETCH + 1, 1)))
        return cls(stretches, "".join(_DIGITS.findall(plain)))

    def is_like(self, other: "_Shape") -> bool:
        if self.digits != other.digits:
            return False
        fewer, more = sorted((len(self.stretches), len(other.stretches)))
        if fewer < _ALIKE * more:
            return False
        return len(self.stretches & other.stretches) >= _ALIKE * len(self.stretches | other.stretches)


def gains(catalogue: Catalogue, dense: Sequence[tuple[int, float]]) -> Iterator[tuple[int, float]]:
    """(row, what its cosine is worth): what unrelated texts have is worth nothing."""
    rows = catalogue.rows(np.array([number for number, _ in dense], dtype=np.int64))
    for row, (_, cosine) in zip(rows, dense, strict=True):
        if row >= 0:
            yield int(row), DENSE_WEIGHT * max(cosine - _LEAST_COSINE, 0.0) / (1.0 - _LEAST_COSINE)
