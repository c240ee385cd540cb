"""Which approved question or intent does a text mean? Silent when unsure: a wrong answer is worse than none."""

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nearside.encoder import Encoding, TextEncoder
from nearside.lexical import char_ngrams, normalise
from nearside.postings import Postings, Vocabulary, content_terms
from nearside.vectors import encode_cached

DEFAULT_THRESHOLD = 0.75
_CERTAIN = 0.99
_UNKNOWN_LIMIT = 0.5  # above it a vector says nothing about its text

# Shares of the dense, the word and the character cosine in the score.
_BLEND = (0.85, 0.1, 0.05)
_BLEND_LEXICAL = (0.0, 0.5, 0.5)


@dataclass(frozen=True, slots=True)
class Example:
    label: str
    text: str
    lang: str


@dataclass(frozen=True, slots=True)
class Match:
    label: str
    confidence: float
    """How probable it is that `label` is meant, 0 to 1."""
    text: str
    """The nearest example of the label."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for one label. `margin`: to the best other label. Shares are weighted by rarity."""

    score: float
    margin: float
    dense: float
    dense_margin: float
    covered: float
    """Share of the question's content that the label's examples know."""
    unknown: float
    """Share of the question's content that no example knows."""
    answered: float
    """Share of the nearest example's content that the question has."""
    length: float
    """Log of the number of content words."""


# Fitted by logistic regression; see the comment at the end of this file.
_WEIGHTS = (-6.65, 0.32, 1.75, 5.18, 4.45, 2.64, 0.66, 0.09, -0.08)
_WEIGHTS_LEXICAL = (-1.23, 0.95, 1.73, 0.0, 0.0, 3.33, -1.28, 0.39, -1.01)


class NearestIndex:
    def __init__(self, examples: Sequence[Example], encodings: Sequence[Encoding]) -> None:
        order = sorted(range(len(examples)), key=lambda index: examples[index].label)
        self._examples = [examples[index] for index in order]
        self._vectors = _dense_matrix([encodings[index] for index in order])
        self._groups = _groups([example.label for example in self._examples])
        self._starts = np.array([group.start for group in self._groups], dtype=np.int64)
        self._words = Postings([content_terms(example.text) for example in self._examples])
        self._grams = Postings([char_ngrams(" ".join(content_terms(example.text))) for example in self._examples])
        self._contents = [content_terms(example.text) for example in self._examples]
        self._known = [Vocabulary(self._examples[row].text for row in group) for group in self._groups]
        self._exact = self._unambiguous_texts()

    @classmethod
    def build(
        cls, examples: Sequence[Example], encoder: TextEncoder, cache: Path | None = None
    ) -> "NearestIndex":
        """`cache` keeps the vectors between starts; it may be missing, older or damaged."""
        return cls(examples, encode_cached([example.text for example in examples], encoder, cache))

    def query(self, text: str, encoding: Encoding, limit: int = 3) -> list[Match]:
        """The best labels, best first. `encoding` is that of `text`."""
        exact = self._exact.get(normalise(text))
        weights = _WEIGHTS if _is_dense(encoding) else _WEIGHTS_LEXICAL
        matches = [
            Match(example.label, _CERTAIN if example.label == exact else probability(evidence, weights), example.text)
            for example, evidence in self.weigh(text, encoding, limit)
        ]
        return sorted(matches, key=lambda match: -match.confidence)

    def weigh(self, text: str, encoding: Encoding, limit: int) -> list[tuple[Example, Evidence]]:
        """The labels with the best scores: the nearest example of each, and what speaks for the label."""
        terms = content_terms(text)
        if not self._examples or not terms:
            return []
        dense, blended = self._cosines(text, encoding)
        tops = np.maximum.reduceat(blended, self._starts)
        dense_tops = np.maximum.reduceat(dense, self._starts)
        found = []
        for place in map(int, np.argsort(-tops, kind="stable")[:limit]):
            group = self._groups[place]
            row = group.start + int(np.argmax(blended[group.start : group.stop]))
            evidence = Evidence(
                score=float(tops[place]),
                margin=_margin(tops, place),
                dense=float(dense_tops[place]),
                dense_margin=_margin(dense_tops, place),
                covered=self._words.share(terms, map(self._known[place].knows, terms)),
                unknown=self._words.share(terms, (term not in self._words for term in terms)),
                answered=self._answered(row, terms),
                length=math.log(1 + len(terms)),
            )
            found.append((self._examples[row], evidence))
        return found

    def _cosines(self, text: str, encoding: Encoding) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Per example: the dense cosine, and the blended score."""
        by_words = self._words.cosines(content_terms(text))
        by_grams = self._grams.cosines(char_ngrams(" ".join(content_terms(text))))
        if _is_dense(encoding):
            dense, blend = self._vectors @ encoding.vector, _BLEND
        else:
            dense, blend = np.zeros(len(self._examples), dtype=np.float32), _BLEND_LEXICAL
        return dense, blend[0] * dense + blend[1] * by_words + blend[2] * by_grams

    def _answered(self, row: int, terms: Sequence[str]) -> float:
        wanted = self._contents[row]
        question = Vocabulary(terms)
        return self._words.share(wanted, map(question.knows, wanted))

    def _unambiguous_texts(self) -> dict[str, str]:
        labels: dict[str, set[str]] = {}
        for example in self._examples:
            labels.setdefault(normalise(example.text), set()).add(example.label)
        return {text: next(iter(owners)) for text, owners in labels.items() if len(owners) == 1}


def probability(evidence: Evidence, weights: Sequence[float]) -> float:
    """Logistic; the first weight is the constant."""
    total = weights[0] + sum(w * value for w, value in zip(weights[1:], astuple(evidence), strict=True))
    return min(_CERTAIN, 1 / (1 + math.exp(-total)))


def _is_dense(encoding: Encoding) -> bool:
    return encoding.unknown_share <= _UNKNOWN_LIMIT


def _dense_matrix(encodings: Sequence[Encoding]) -> NDArray[np.float32]:
    """A row that the model could not read is zero, so that it resembles nothing."""
    rows = [e.vector if e.unknown_share <= _UNKNOWN_LIMIT else np.zeros_like(e.vector) for e in encodings]
    return np.array(rows, dtype=np.float32)


def _groups(labels: Sequence[str]) -> list[range]:
    """The rows of each label; equal labels are neighbours."""
    starts = [row for row, label in enumerate(labels) if row == 0 or labels[row - 1] != label]
    return [range(start, stop) for start, stop in zip(starts, [*starts[1:], len(labels)], strict=True)]


def _margin(tops: NDArray[np.float32], place: int) -> float:
    return float(tops[place] - np.delete(tops, place).max(initial=0.0))
