"""From what speaks for a label to the probability that it is meant."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from nearside.confidence import CERTAIN, UNDECIDED

LEAST_LOGIT = -30.0


class Evidence(NamedTuple):
    """What both stages say about one label of a text."""

    score: float
    """Of stage two, about 0 to 1."""
    margin: float
    """To the best other label."""
    inside: float
    """To what is out of scope; the score itself where nothing was given as out of scope."""
    one: float
    """Of stage one, about -1 to 1."""
    one_margin: float
    near: float
    """Cosine with the label's nearest example in the space of the examples, -1 to 1."""
    meaning: float
    """Cosine of the encoder's vectors with the label's nearest in meaning."""
    covered: float
    answered: float
    strange: float
    known: float
    """Share of the text's n-grams that any example has."""
    length: float
    """Logarithm of the number of content words."""
    is_chinese: float
    is_unread: float
    """1 for a text that the encoder cannot read: its vector says nothing."""


class QuickEvidence(NamedTuple):
    """What stage one alone says about its best label."""

    one: float
    one_margin: float
    known: float


def features(evidence: Evidence) -> tuple[float, ...]:
    e = evidence
    products = (
        e.score * e.covered,
        e.near * e.covered,
        e.covered * e.answered,
        e.meaning * e.meaning,
        e.meaning * e.covered,
        e.is_chinese * e.meaning,
        e.is_chinese * e.covered,
        e.is_unread * e.one_margin,
        e.is_unread * e.covered,
    )
    return (1.0, *e, *products)


def quick_features(evidence: QuickEvidence) -> tuple[float, ...]:
    e = evidence
    return (1.0, e.one, e.one_margin, e.known, e.one_margin * e.known)


def probability(values: Sequence[float], weights: Sequence[float]) -> float:
    total = sum(weight * value for weight, value in zip(weights, values, strict=True))
    return min(CERTAIN, 1 / (1 + math.exp(-max(total, LEAST_LOGIT))))


def confidence(evidence: Evidence, weights: Sequence[float]) -> float:
    found = probability(features(evidence), weights)
    return found if evidence.margin > 0 else min(found, UNDECIDED)


# What a tenant's own weights start from, and stay near to while it has few examples. Fitted on 90 made-up tenants of 8
# to 90 labels with 2 to 20 examples each, English, Chinese and both: on other wordings of the same labels, and on as
# many questions that nobody answers: of other labels, of other trades, and examples with a noun of another trade.
WEIGHTS: Sequence[float] = (
    -1.78, 2.9, 2.82, 2.9, -0.03, -1.45, -3.12, 7.7, 5.9, -1.23, -2.62, -2.43, -0.84, -0.99, 0.68, 0.95, -7.65, -2.96,
    -0.45, 1.99, 0.1, 0.14, 0.22, 0.28,
)  # fmt: skip
QUICK_WEIGHTS: Sequence[float] = (1.96, 5.37, -2.41, 0.88, -1.77)
