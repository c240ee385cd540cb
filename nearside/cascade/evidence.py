"""From what speaks for a label to the probability that it is meant."""

import math
from collections.abc import Sequence
from operator import mul
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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
    wording: float
    """N-gram cosine with the nearest in wording among those that are nearest in the space."""
    covered: float
    """Share of the question's content, weighted by rarity, that the label's examples know."""
    answered: float
    """Share of the nearest example's content, weighted by rarity, that the question has."""
    strange: float
    """Nouns of other trades in the question that the label's examples lack."""
    known: float
    """Share of the text's n-grams that any example has."""
    length: float
    """Logarithm of the number of content words."""
    is_unread: float
    """1 for a text that the encoder cannot read: its vector says nothing."""
    is_chinese: float


class QuickEvidence(NamedTuple):
    """What stage one alone says about its best label."""

    one: float
    one_margin: float
    known: float


def features(evidence: Evidence) -> tuple[float, ...]:
    """Once for every language, and once more for Chinese, where the same evidence weighs differently."""
    e = evidence
    products = (
        e.score * e.covered,
        e.near * e.covered,
        e.covered * e.answered,
        e.meaning * e.meaning,
        e.meaning * e.covered,
        e.wording * e.covered,
        e.wording * e.meaning,
        e.is_unread * e.one_margin,
        e.is_unread * e.covered,
    )
    values = (1.0, *e[:-1], *products)
    return (*values, *(values if e.is_chinese else (0.0,) * len(values)))


def quick_features(evidence: QuickEvidence) -> tuple[float, ...]:
    e = evidence
    return (1.0, e.one, e.one_margin, e.known, e.one_margin * e.known)


def margins(scores: NDArray[np.float32], least: float = 0.0) -> NDArray[np.float32]:
    """Of every label, to the best other one; `least` is the score of a label that there is not."""
    best = int(scores.argmax())
    others = scores.copy()
    others[best] = least
    found: NDArray[np.float32] = scores - max(scores[best], np.float32(least))
    found[best] = scores[best] - others.max(initial=least)
    return found


def probability(values: Sequence[float], weights: Sequence[float]) -> float:
    if len(values) != len(weights):
        raise ValueError("as many weights as values")
    total = sum(map(mul, weights, values))
    return min(CERTAIN, 1 / (1 + math.exp(-max(total, LEAST_LOGIT))))


def confidence(evidence: Evidence, weights: Sequence[float]) -> float:
    found = probability(features(evidence), weights)
    return found if evidence.margin > 0 else min(found, UNDECIDED)


# What a tenant's own weights start from, and stay near to while it has few examples. Fitted on 80 made-up tenants of 8
# to 90 labels with 2 to 20 examples each, English, Chinese and both: on other wordings of the same labels, and on as
# many questions that nobody answers: of other labels, of other trades, and wordings with a noun of another trade.
WEIGHTS: Sequence[float] = (
    -1.98, 0.4, 3.12, 0.4, -0.25, 0.21, 1.51, 4.02, 0.37, 1.97, -1.23, -2.59, -1.08, -1.08, 0.38, -0.28, -1.55, -0.05,
    1.88, 0.66, -0.27, -1.83, 0.37, 0.33,
    -0.3, -0.64, -0.41, -0.64, 0.41, 0.25, -1.83, 1.1, 0.45, 0.13, 0.13, -1.58, 0.2, 0.19, 0.38, 0.5, -0.9, 0.12, 0.48,
    0.29, -0.41, -0.02, 0.37, 0.33,
)  # fmt: skip
QUICK_WEIGHTS: Sequence[float] = (-0.5, 2.65, 1.05, 1.2, -0.83)
