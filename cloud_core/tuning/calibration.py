"""From evidence to probabilities that hold: a logistic model near the shipped one, and the thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloud_core.tuning.examples import Ints

Doubles = NDArray[np.float64]
Bools = NDArray[np.bool_]

_STEPS = 50
_SMALL = 1e-6
LOWEST, HIGHEST = 0.5, 0.97
"""Between these lies every threshold: below, an answer is a guess; above, nothing but the example itself passes."""
_IMAGINED = 50
"""Rows; so many that behave as their confidence says stand beside those that were counted."""
BINS = 10
_RESAMPLINGS = 100
_HOLDS = 0.9
"""In so many of them a threshold keeps what it promises."""
_SEED = 7


def fit_logistic(values: Doubles, is_right: Bools, counts: Doubles, prior: Doubles, stiffness: float) -> Doubles:
    """Weights near `prior`: `stiffness` is what a deviation of 1 costs, in rows. `counts`: what each row counts."""
    weights = prior.copy()
    for _ in range(_STEPS):
        chances = _chances(values, weights)
        slope = values.T @ (counts * (chances - is_right)) + stiffness * (weights - prior)
        bend = (values * (counts * chances * (1 - chances))[:, None]).T @ values
        bend[np.diag_indices_from(bend)] += stiffness
        step = np.linalg.solve(bend, slope)
        weights = weights - step * min(1.0, 5 / max(float(np.abs(step).max()), _SMALL))
        if np.abs(step).max() < _SMALL:
            break
    return weights


def _chances(values: Doubles, weights: Doubles) -> Doubles:
    found: Doubles = 1 / (1 + np.exp(-np.clip(values @ weights, -30, 30)))
    return found


def threshold_for(confidences: Doubles, is_right: Bools, counts: Doubles, precision: float) -> float:
    """The lowest from which on `precision` of the answers are right."""
    order = np.argsort(-confidences, kind="stable")
    sure, right, count = confidences[order], is_right[order], counts[order]
    answered = np.cumsum(count)
    expected = np.cumsum(count * sure) / np.maximum(answered, _SMALL)
    reached = (np.cumsum(count * right) + _IMAGINED * expected) / (answered + _IMAGINED)
    # Of equal confidences only the last counts: a threshold cannot part them.
    is_last = np.append(sure[1:] != sure[:-1], True)
    fine = np.flatnonzero((reached >= precision) & is_last)
    lowest = float(sure[fine[-1]]) if len(fine) else HIGHEST
    return float(np.clip(lowest, LOWEST, HIGHEST))


def steady_threshold(confidences: Doubles, is_right: Bools, counts: Doubles, owners: Ints, precision: float) -> float:
    """That of `threshold_for`, such that it does not hang on which labels there happen to be.

    `owners`: each row's label, from 0; its rows are drawn together.
    """
    random = np.random.default_rng(_SEED)
    size = int(owners.max()) + 1
    found = [
        threshold_for(confidences, is_right, counts * random.poisson(1, size)[owners], precision)
        for _ in range(_RESAMPLINGS)
    ]
    return float(np.quantile(found, _HOLDS))


@dataclass(frozen=True, slots=True)
class Bin:
    least: float
    confidence: float
    """The mean of those in it."""
    right: float
    count: float


def reliability(confidences: Doubles, is_right: Bools, counts: Doubles | None = None) -> list[Bin]:
    """Ten bins of equal width; those without a row are left out. `counts`: what each row counts, else 1."""
    counts = np.ones(len(confidences)) if counts is None else counts
    places = np.minimum((confidences * BINS).astype(int), BINS - 1)
    bins = []
    for place in range(BINS):
        here = places == place
        total = float(counts[here].sum())
        if total:
            sure, right = (float((counts * values)[here].sum() / total) for values in (confidences, is_right))
            bins.append(Bin(place / BINS, sure, right, round(total, 1)))
    return bins


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected: what confidence and truth differ by, on average over the rows."""
    total = sum(one.count for one in bins)
    return sum(one.count * abs(one.confidence - one.right) for one in bins) / total if total else 0.0
