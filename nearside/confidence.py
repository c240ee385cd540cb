"""From what speaks for a label to the probability that it is meant."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

CERTAIN = 0.99
ALMOST_CERTAIN = 0.9
UNDECIDED = 0.5  # the most that a label gets which another one equals


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for one label."""

    score: float
    """Of the label model, about 0 to 1."""
    margin: float
    """To the best other label."""
    likeness: float
    """To the nearest example, 0 to 1."""
    meaning: float
    """Dense cosine with the nearest in meaning."""
    wording: float
    """Character n-gram cosine with the nearest in wording."""
    covered: float
    """Share of the question's content, weighted by rarity, that the label's examples know."""
    answered: float
    """Share of the nearest example's content, weighted by rarity, that the question has."""
    elsewhere: float
    """Nouns of other trades in the question that the label's examples lack."""
    length: float
    """Logarithm of the number of content words."""


def probability(evidence: Evidence, weights: Sequence[float]) -> float:
    values = features(evidence)
    total = sum(weight * value for weight, value in zip(weights, values, strict=True))
    return min(CERTAIN if evidence.margin > 0 else UNDECIDED, 1 / (1 + math.exp(-max(total, -30))))


def features(evidence: Evidence) -> tuple[float, ...]:
    e = evidence
    products = (e.likeness * e.covered, e.likeness * e.answered, e.covered * e.answered, e.score * e.covered)
    return (1.0, *astuple(e), *products)


WEIGHTS: Mapping[str, Sequence[float]] = {
    "en": (-6.42, 2.79, 5.65, 1.29, 5.00, -2.72, 3.75, 0.60, -2.82, 0.85, -3.21, -3.51, 5.03, -5.02),
    "zh": (-7.95, 1.79, 5.23, -0.05, 5.67, -0.11, 2.51, 1.26, -3.26, 0.93, -0.82, -4.16, 2.04, -1.95),
    "unread": (-9.08, -0.51, -0.63, 0.31, 0.00, -0.68, 5.15, 0.50, -0.80, 0.36, 0.85, 0.17, 3.79, -0.13),
}
