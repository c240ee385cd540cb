"""From what speaks for a label to the probability that it is meant."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

DEFAULT_THRESHOLD = 0.75
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


# Logistic weights of `features`, by language; "unread" is for a text that the encoder cannot read. Fitted on the demo
# company's FAQ (single examples and whole labels left out, indexes of 10 to 90 labels) and on questions written apart
# from it; the constants were then set so that 3 in 100 questions of other trades get an answer at 0.45.
WEIGHTS: Mapping[str, Sequence[float]] = {
    "en": (-6.51, 3.15, 5.51, 0.88, 4.63, -3.00, 4.26, 0.60, -2.68, 0.98, -2.89, -3.47, 5.09, -5.15),
    "zh": (-8.08, 2.00, 5.39, 0.88, 3.34, -0.45, 3.60, 0.89, -3.62, 1.30, 0.15, -2.38, 0.30, -2.26),
    "unread": (-12.36, -0.57, -0.67, 0.33, 0.00, 0.29, 3.45, 1.74, -0.62, 1.73, 0.73, 0.46, 4.41, -0.31),
}
