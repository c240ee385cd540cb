"""Weights and thresholds, from what the cascade says of examples that were left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cloud_core.tuning.calibration import HIGHEST, Bools, Doubles, fit_logistic, steady_threshold
from cloud_core.tuning.examples import Ints, Prepared
from cloud_core.tuning.holding_out import Judged
from cloud_core.tuning.report import LeftOut
from nearside.cascade.evidence import (
    QUICK_WEIGHTS,
    WEIGHTS,
    confidence,
    features,
    probability,
    quick_features,
)

_STRANGERS, _STRANGERS_OF_FEW = 0.03, 0.1
"""Questions that come near but that nobody answers, beside one that somebody does: so many are reckoned with."""
_COUNTERFEITS = 0.2
"""The same, of questions with a noun of another trade."""
_OUTSIDE = 0.1
"""The same, of what was given as out of scope, which is easier to tell."""
_STIFFNESS = 1.0
_FOLDS = 5
_COST = 0.0015
"""Share of the questions that stage one may answer wrongly and stage two would not."""
NEVER = 2.0


@dataclass(frozen=True, slots=True)
class Decided:
    weights: Sequence[float]
    quick_weights: Sequence[float]
    threshold: float
    sure: float
    """What stage one has to be, so that stage two is not asked."""
    outside_below: float
    """What is less sure is more likely out of scope; 0 where nothing was given as out of scope."""


@dataclass(frozen=True)
class Held:
    """Rows that were left out, alone or with their label; `counts`: what each counts."""

    judged: Sequence[Judged]
    is_right: Bools
    is_quick_right: Bools
    counts: Doubles
    owners: Ints
    """Each row's label; any, of a counterfeit."""
    is_inside: Bools
    """Of those that were left out alone."""
    may_be_quick: Bools
    """Stage one found a label that answers."""

    @cached_property
    def weights(self) -> Doubles:
        return self._fit(np.ones(len(self.counts), dtype=bool))

    @cached_property
    def quick_weights(self) -> Doubles:
        return self._fit_quick(self.may_be_quick)

    @cached_property
    def confidences(self) -> Doubles:
        """Each as weights say that were fitted without its label."""
        weights = [self._fit(self._folds != fold).tolist() for fold in range(_FOLDS)]
        evidence = (one for judged in self.judged for one in judged.evidence)
        return np.array([confidence(one, weights[fold]) for one, fold in zip(evidence, self._folds, strict=True)])

    @cached_property
    def quick_confidences(self) -> Doubles:
        """The same, of stage one."""
        weights = [self._fit_quick(self.may_be_quick & (self._folds != fold)).tolist() for fold in range(_FOLDS)]
        quick = zip(self._quick_values.tolist(), self._folds, strict=True)
        return np.array([probability(values, weights[fold]) for values, fold in quick])

    @cached_property
    def _values(self) -> Doubles:
        return np.array([features(one) for judged in self.judged for one in judged.evidence])

    @cached_property
    def _quick_values(self) -> Doubles:
        return np.array([quick_features(one) for judged in self.judged for one in judged.quick])

    @property
    def _folds(self) -> Ints:
        return self.owners % _FOLDS

    def _fit(self, rows: Bools) -> Doubles:
        return fit_logistic(self._values[rows], self.is_right[rows], self.counts[rows], np.array(WEIGHTS), _STIFFNESS)

    def _fit_quick(self, rows: Bools) -> Doubles:
        return fit_logistic(
            self._quick_values[rows], self.is_quick_right[rows], self.counts[rows], np.array(QUICK_WEIGHTS), _STIFFNESS
        )


def hold(prepared: Prepared, alone: Judged, strangers: Sequence[Judged], counterfeits: Judged | None) -> Held:
    truth, inside = prepared.owners[alone.rows], prepared.is_inside
    of_inside = float(inside.sum())
    others = [*strangers, *([counterfeits] if counterfeits else [])]
    shares = [(_STRANGERS_OF_FEW if prepared.is_few else _STRANGERS) / max(1, len(strangers)) for _ in strangers]
    shares += [_COUNTERFEITS] * (len(others) - len(strangers))
    nobody = np.zeros(sum(len(judged.labels) for judged in others), dtype=bool)
    outside = max(1.0, _OUTSIDE * of_inside / max(1.0, float((~inside).sum())))
    counts = [np.where(inside, 1.0, outside)]
    counts += [
        np.full(len(judged.labels), share * of_inside / max(1, len(judged.labels)))
        for judged, share in zip(others, shares, strict=True)
    ]
    return Held(
        judged=[alone, *others],
        is_right=np.concatenate([(alone.labels == truth) & inside, nobody]),
        is_quick_right=np.concatenate([(alone.quick_labels == truth) & inside, nobody]),
        counts=np.concatenate(counts),
        owners=np.concatenate([truth, *(_owners(prepared, judged) for judged in others)]),
        is_inside=inside,
        may_be_quick=~prepared.outside[np.concatenate([judged.quick_labels for judged in (alone, *others)])],
    )


def _owners(prepared: Prepared, judged: Judged) -> Ints:
    if len(judged.rows):
        return prepared.owners[judged.rows]
    return np.arange(len(judged.labels)) % len(prepared.labels)


SHIPPED = Decided(WEIGHTS, QUICK_WEIGHTS, HIGHEST, NEVER, 0.0)
"""Before anything was fitted."""


def decide(held: Held, precision: float, *, is_few: bool) -> Decided:
    """Of few examples, n-grams alone are never sure: they do not see that one word makes it another question."""
    found = held.confidences
    threshold = steady_threshold(found, held.is_right, held.counts, held.owners, precision)
    return Decided(
        held.weights.tolist(),
        held.quick_weights.tolist(),
        threshold,
        NEVER if is_few else _sure(held, held.quick_confidences, found, threshold),
        _outside_below(held, found),
    )


def _outside_below(held: Held, found: Doubles) -> float:
    """Where rejecting makes the most of what is in scope, and of a tenth as much that is not, come out right."""
    if held.is_inside.all():
        return 0.0
    alone = len(held.is_inside)
    order = np.argsort(found[:alone], kind="stable")
    gains = np.where(held.is_inside, -1.0 * held.is_right[:alone], held.counts[:alone])[order]
    gained = np.cumsum(gains)
    best = int(np.argmax(gained))
    return float(np.nextafter(found[:alone][order][best], 1.0)) if gained[best] > 0 else 0.0


def _sure(held: Held, quick: Doubles, slow: Doubles, threshold: float) -> float:
    """The lowest confidence of stage one from which on it costs next to nothing not to ask stage two."""
    is_stranger = np.concatenate([np.zeros(len(held.judged[0].rows), bool), np.ones(_strangers(held), bool)])
    slow_wrong = np.where(is_stranger, slow >= threshold, ~held.is_right)
    cost = np.where(held.may_be_quick, held.counts * (~held.is_quick_right * 1.0 - slow_wrong), 0.0)
    order = np.argsort(-quick, kind="stable")
    sure = quick[order]
    is_last = np.append(sure[1:] != sure[:-1], True)
    fine = np.flatnonzero((np.cumsum(cost[order]) <= _COST * held.counts.sum()) & is_last & (sure >= threshold))
    return float(sure[fine[-1]]) if len(fine) else max(NEVER, HIGHEST)


def _strangers(held: Held) -> int:
    return sum(len(judged.labels) for judged in held.judged[1:])


def left_out_of(prepared: Prepared, held: Held, decided: Decided) -> LeftOut:
    """As the cascade goes: what stage one is sure of is not looked at again."""
    alone, inside = held.judged[0], held.is_inside
    size = len(inside)
    quick, slow = held.quick_confidences, held.confidences
    at_once = (quick >= decided.sure) & held.may_be_quick
    sure = np.where(at_once, quick, slow)
    truth, found = prepared.owners[alone.rows], np.where(at_once[:size], alone.quick_labels, alone.labels)
    ranks = np.where(at_once[:size], np.where(found == truth, 1, np.maximum(alone.ranks, 2)), alone.ranks)
    is_nobodys = np.concatenate([~inside, np.ones(len(sure) - size, dtype=bool)])
    return LeftOut(
        truth=truth[inside],
        labels=found[inside],
        ranks=ranks[inside],
        confidences=sure[:size][inside],
        at_once=at_once[:size][inside],
        nobodys=sure[is_nobodys],
        counts=held.counts[is_nobodys],
    )
