"""What the cascade would say of its own examples, had it not been trained on them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log1p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud_core.tuning.examples import Ints, Prepared
from cloud_core.tuning.linear import Written
from nearside.cascade.cascade import LEAST_ONE, NEAREST, read_from
from nearside.cascade.evidence import Evidence, QuickEvidence
from nearside.cascade.grams import Table
from nearside.cascade.words import LabelWords, Rarity, answered, covered, strange, terms_of
from nearside.lexical import language_of

Floats = NDArray[np.float32]

_BLOCK = 500
_NONE = np.float32(-2)  # less than any cosine


@dataclass(frozen=True, slots=True)
class Scored:
    """Rows with the scores of models that have not seen them; what a label must not get is -inf."""

    rows: Ints
    two: Floats
    """(rows, labels)."""
    one: Floats
    known: Floats
    """(rows,)."""
    is_alone: bool
    """Only the row itself was left out; else its whole label."""

    def part(self, places: Ints) -> "Scored":
        return replace(
            self, rows=self.rows[places], two=self.two[places], one=self.one[places], known=self.known[places]
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """`labels`, `quick_labels`: the numbers of what stages two and one found best for each row."""

    rows: Ints
    """Of the examples; empty for texts that are none."""
    labels: Ints
    quick_labels: Ints
    ranks: Ints
    """Of the right label in stage two, from 1."""
    evidence: Sequence[Evidence]
    quick: Sequence[QuickEvidence]

    @classmethod
    def joined(cls, parts: Sequence["Judged"]) -> "Judged":
        """By row."""
        order = np.argsort(np.concatenate([part.rows for part in parts]))
        rows, labels, quick_labels, ranks = (
            np.concatenate(arrays)[order]
            for arrays in zip(*((part.rows, part.labels, part.quick_labels, part.ranks) for part in parts), strict=True)
        )
        evidence = [one for part in parts for one in part.evidence]
        quick = [one for part in parts for one in part.quick]
        return cls(
            rows, labels, quick_labels, ranks, [evidence[place] for place in order], [quick[place] for place in order]
        )


class Witness:
    """All that is known of the examples; `points`: (rows, dimensions), `vectors`: (rows, dimensions)."""

    def __init__(
        self, prepared: Prepared, written: Written, points: Floats, vectors: Floats, is_unread: NDArray[np.bool_]
    ) -> None:
        self._written = written
        self._prepared, self._points, self._vectors, self._is_unread = prepared, points, vectors, is_unread
        self.terms = [terms_of(question) for question in prepared.questions[: prepared.size]]
        self.counts = [Counter[str]() for _ in prepared.labels]
        for terms, owner in zip(self.terms, prepared.owners[: prepared.size], strict=True):
            self.counts[owner].update(terms)
        self.rarities = _rarities(self.terms)
        self._words = [LabelWords(counts) for counts in self.counts]
        self._rarity = Rarity(self.rarities)

    def judge(self, scored: Scored) -> Judged:
        two = np.where(self._is_unread[scored.rows][:, None], read_from(scored.one), scored.two)
        inside = np.where(self._prepared.outside, -np.inf, two)
        found = np.argmax(inside, axis=1)
        ranks = 1 + (inside > inside[np.arange(len(found)), self._prepared.owners[scored.rows]][:, None]).sum(axis=1)
        quick_found = np.argmax(scored.one, axis=1)
        likest = self._nearest(scored, found)
        evidence = [self._evidence(scored, place, int(label), two[place], likest) for place, label in enumerate(found)]
        quick = [
            QuickEvidence(float(one[label]), _margin(one, label, LEAST_ONE), float(known))
            for one, label, known in zip(scored.one, quick_found, scored.known, strict=True)
        ]
        return Judged(scored.rows, found, quick_found, ranks, evidence, quick)

    def _evidence(self, scored: Scored, place: int, label: int, two: Floats, likest: "Likest") -> Evidence:
        row = int(scored.rows[place])
        terms, own = self.terms[row], self.terms[row] if scored.is_alone and self._owns(row, label) else ()
        outside = two[self._prepared.outside].max(initial=0.0)
        return Evidence(
            score=float(two[label]),
            margin=_margin(two, label),
            inside=float(two[label] - outside),
            one=float(scored.one[place, label]),
            one_margin=_margin(scored.one[place], label, LEAST_ONE),
            near=float(likest.near[place]),
            meaning=float(likest.meaning[place]),
            wording=float(likest.wording[place]),
            covered=covered(terms, self._words[label], self._rarity, own),
            answered=answered(self.terms[likest.rows[place]], terms, self._rarity),
            strange=strange(terms, self._words[label], own),
            known=float(scored.known[place]),
            length=log1p(len(terms)),
            is_unread=float(self._is_unread[row]),
            is_chinese=float(language_of(self._prepared.questions[row]) == "zh"),
        )

    def _owns(self, row: int, label: int) -> bool:
        return int(self._prepared.owners[row]) == label

    def _nearest(self, scored: Scored, found: Ints) -> "Likest":
        size, owners = self._prepared.size, self._prepared.owners[: self._prepared.size]
        likest = Likest.of(len(found))
        for start in range(0, len(found), _BLOCK):
            block = slice(start, start + _BLOCK)
            rows = scored.rows[block]
            others = owners[None, :] != found[block][:, None]
            others[np.arange(len(rows)), rows] = True
            cosines = np.where(others, _NONE, self._points[rows] @ self._points[:size].T)
            likest.rows[block], likest.near[block] = cosines.argmax(axis=1), np.maximum(cosines.max(axis=1), -1)
            likest.wording[block] = self._wording(rows, cosines)
            meant = np.where(others, 0, self._vectors[rows] @ self._vectors[:size].T).max(axis=1, initial=0.0)
            likest.meaning[block] = np.where(self._is_unread[rows], 0, meant)
        return likest

    def _wording(self, rows: Ints, cosines: Floats) -> Floats:
        """With the nearest few."""
        found: Floats = np.zeros(len(rows), dtype=np.float32)
        count = min(NEAREST, cosines.shape[1])
        nearest = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        for column in nearest.T:
            alike = np.asarray(self._written.matrix[rows].multiply(self._written.matrix[column]).sum(axis=1)).ravel()
            found = np.maximum(found, np.where(cosines[np.arange(len(rows)), column] == _NONE, 0, alike))
        return found


@dataclass(frozen=True, slots=True)
class Likest:
    """Of each row's found label: the nearest example, and its cosines in the space, in meaning and in wording."""

    rows: Ints
    near: Floats
    meaning: Floats
    wording: Floats

    @classmethod
    def of(cls, size: int) -> "Likest":
        near, meaning, wording = np.zeros((3, size), dtype=np.float32)
        return cls(np.zeros(size, dtype=np.int64), near, meaning, wording)


def left_alone(prepared: Prepared, written: Written, table: Table, two: Floats, one: Floats) -> Scored:
    """Every example, itself left out."""
    rows = np.arange(prepared.size)
    return Scored(rows, two[rows], one, known_without(written, table, rows, _frequencies(written.matrix) > 1), True)


def left_with_label(prepared: Prepared, written: Written, table: Table, rows: Ints, two: Floats, one: Floats) -> Scored:
    """Examples with all the others of their labels left out: questions that nobody answers."""
    gone = np.isin(np.arange(len(prepared.labels)), prepared.owners[rows])
    rows_in, keep = rows[rows < prepared.size], rows < prepared.size
    two, one = two[keep].copy(), one[keep].copy()
    two[:, gone], one[:, gone] = 0, LEAST_ONE
    remaining = _frequencies(written.matrix) - _frequencies(written.matrix[rows]) > 0
    return Scored(rows_in, two, one, known_without(written, table, rows_in, remaining), False)


def known_without(written: Written, table: Table, rows: Ints, present: NDArray[np.bool_]) -> Floats:
    """See `Weighed.known`, had only the n-grams of `present` been there."""
    matrix = written.matrix[rows]
    matrix.data = table.rarity[matrix.indices]
    all_known = np.maximum(np.asarray(matrix.sum(axis=1)).ravel(), 1e-9)
    total = all_known / np.maximum(written.known[rows], 1e-9)
    lost = matrix.multiply(~present).tocsr()
    gone, count = np.asarray(lost.sum(axis=1)).ravel(), np.asarray((lost > 0).sum(axis=1)).ravel()
    found: Floats = ((all_known - gone) / (total - gone + table.rarest * count)).astype(np.float32)
    return found


def _frequencies(matrix: Any) -> NDArray[np.int64]:
    return np.bincount(matrix.indices, minlength=matrix.shape[1])


def _margin(scores: Floats, label: int, least: float = 0.0) -> float:
    return float(scores[label] - np.delete(scores, label).max(initial=least))


def _rarities(rows: Sequence[Sequence[str]]) -> dict[str, float]:
    frequency = Counter(term for row in rows for term in set(row))
    return {term: float(np.log(1 + len(rows) / seen)) for term, seen in sorted(frequency.items())}
