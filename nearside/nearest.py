"""Which approved question or intent does a text mean? Silent when unsure: a wrong answer is worse than none."""

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nearside.encoder import Encoding, TextEncoder
from nearside.lexical import char_ngrams, language_of, normalise
from nearside.postings import Postings, Vocabulary, content_terms
from nearside.vectors import encode_cached

Floats = NDArray[np.float32]

DEFAULT_THRESHOLD = 0.75
_CERTAIN = 0.99
_UNDECIDED = 0.5  # the most that a label gets which another one equals
_UNKNOWN_LIMIT = 0.5  # above it a vector says nothing about its text

# Shares of the dense and the word cosine in the score.
_DENSE, _LEXICAL = np.float32(0.85), np.float32(0.15)


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
    """What speaks for one label."""

    score: float
    margin: float
    """Of dense scores (or of scores where there is no vector), to the best other label."""
    covered: float
    """Share of the question's content, weighted by rarity, that the label's examples know."""
    answered: float
    """Share of the nearest example's content, weighted by rarity, that the question has."""


# Logistic weights: constant, score, margin, covered, answered, score*covered, score*answered, covered*answered.
# Fitted on the demo company's FAQ, with single examples left out (right answers) and whole labels left out (there is
# no right answer), for indexes of 8 to 80 labels; the constant for English was then set on questions kept apart.
_WEIGHTS_ENGLISH = (-5.10, 7.43, 6.86, 0.92, -3.31, -0.70, 0.90, 3.11)
_WEIGHTS_RENDERED = (-5.95, 3.80, 4.70, 1.03, -1.30, 1.96, 2.95, 0.21)
_WEIGHTS_LEXICAL = (-5.34, 0.19, 2.92, 2.98, 1.28, 0.39, 0.94, 1.07)


class NearestIndex:
    def __init__(self, examples: Sequence[Example], encodings: Sequence[Encoding]) -> None:
        order = sorted(range(len(examples)), key=lambda index: examples[index].label)
        self._examples = [examples[index] for index in order]
        self._vectors = _dense_matrix([encodings[index] for index in order])
        self._groups = _groups([example.label for example in self._examples])
        self._starts = np.array([group.start for group in self._groups], dtype=np.int64)
        self._contents = [content_terms(example.text) for example in self._examples]
        self._words = Postings(self._contents)
        self._grams = Postings([_grams(terms) for terms in self._contents])
        self._known = [Vocabulary(self._examples[row].text for row in group) for group in self._groups]
        self._exact = self._unambiguous_texts()

    @classmethod
    def build(cls, examples: Sequence[Example], encoder: TextEncoder, cache: Path | None = None) -> "NearestIndex":
        """`cache` keeps the vectors between starts; it may be missing, older or damaged."""
        return cls(examples, encode_cached([example.text for example in examples], encoder, cache))

    def query(self, text: str, encoding: Encoding, limit: int = 3) -> list[Match]:
        """The best labels, best first. `encoding` is that of `text`."""
        exact = self._exact.get(normalise(text))
        weights = _weights(text, encoding)
        matches = []
        for example, evidence in self.weigh(text, encoding, limit):
            confidence = _CERTAIN if example.label == exact else _probability(evidence, weights)
            matches.append(Match(example.label, confidence, example.text))
        return sorted(matches, key=lambda match: -match.confidence)

    def weigh(self, text: str, encoding: Encoding, limit: int) -> list[tuple[Example, Evidence]]:
        """The labels with the best scores: the nearest example of each, and what speaks for the label."""
        terms = content_terms(text)
        if not self._examples or not terms:
            return []
        scores, compared = self._scores(terms, encoding)
        tops, rivals = (np.maximum.reduceat(values, self._starts) for values in (scores, compared))
        found = []
        for place in map(int, np.argsort(-tops, kind="stable")[:limit]):
            group = self._groups[place]
            row = group.start + int(np.argmax(scores[group.start : group.stop]))
            evidence = Evidence(
                score=float(tops[place]),
                margin=float(rivals[place] - np.delete(rivals, place).max(initial=0.0)),
                covered=self._words.share(terms, map(self._known[place].knows, terms)),
                answered=self._answered(row, terms),
            )
            found.append((self._examples[row], evidence))
        return found

    def _scores(self, terms: Sequence[str], encoding: Encoding) -> tuple[Floats, Floats]:
        """Per example: its score, and the part of it that tells labels apart best."""
        by_words = self._words.cosines(terms)
        if not _has_vector(encoding):
            score = (by_words + self._grams.cosines(_grams(terms))) * np.float32(0.5)
            return score, score
        dense: Floats = self._vectors @ encoding.vector
        return _DENSE * dense + _LEXICAL * by_words, dense

    def _answered(self, row: int, terms: Sequence[str]) -> float:
        wanted = self._contents[row]
        question = Vocabulary(terms)
        return self._words.share(wanted, map(question.knows, wanted))

    def _unambiguous_texts(self) -> dict[str, str]:
        labels: dict[str, set[str]] = {}
        for example in self._examples:
            labels.setdefault(normalise(example.text), set()).add(example.label)
        return {text: next(iter(owners)) for text, owners in labels.items() if len(owners) == 1}


def _weights(text: str, encoding: Encoding) -> tuple[float, ...]:
    if not _has_vector(encoding):
        return _WEIGHTS_LEXICAL
    return _WEIGHTS_RENDERED if language_of(text) == "zh" else _WEIGHTS_ENGLISH


def _probability(evidence: Evidence, weights: Sequence[float]) -> float:
    score, margin, covered, answered = astuple(evidence)
    products = (score * covered, score * answered, covered * answered)
    values = (1.0, score, margin, covered, answered, *products)
    total = sum(weight * value for weight, value in zip(weights, values, strict=True))
    return min(_CERTAIN if margin > 0 else _UNDECIDED, 1 / (1 + math.exp(-total)))


def _has_vector(encoding: Encoding) -> bool:
    return encoding.unknown_share <= _UNKNOWN_LIMIT


def _grams(terms: Sequence[str]) -> list[str]:
    return char_ngrams(" ".join(terms))


def _dense_matrix(encodings: Sequence[Encoding]) -> Floats:
    """A row that the model could not read is zero, so that it resembles nothing."""
    rows = [e.vector if _has_vector(e) else np.zeros_like(e.vector) for e in encodings]
    return np.array(rows, dtype=np.float32)


def _groups(labels: Sequence[str]) -> list[range]:
    """The rows of each label; equal labels are neighbours."""
    starts = [row for row, label in enumerate(labels) if row == 0 or labels[row - 1] != label]
    return [range(start, stop) for start, stop in pairwise([*starts, len(labels)])]
