"""Learns which differences between texts tell their labels apart."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloud_core.tuning.examples import Ints

Floats = NDArray[np.float32]

_SHARPNESS = np.float32(4)
_STIFFNESS = 0.02
"""What it costs to depart from the space as it is."""
_STEPS, _LOOKS = 10, 15
_TOLERANCE = 1e-3
_SAME = 0.9999  # a cosine
_LEAST = np.float32(1e-6)


def learn_turn(points: Floats, owners: Ints) -> Floats:
    """(dimensions, dimensions) that brings rows near to others of their label; `points`: (rows, dimensions).

    Neighbourhood components analysis (Goldberger et al. 2004) with a label's mean likeness in place of its sum, held
    near the identity. Takes the square of the rows. Deterministic.
    """
    from scipy.optimize import minimize

    neighbours = Neighbours.of(points, owners)
    size = points.shape[1]
    limits = {"maxiter": _STEPS, "maxfun": _LOOKS, "ftol": _TOLERANCE}
    found = minimize(neighbours.loss, np.eye(size).ravel(), jac=True, method="L-BFGS-B", options=limits)
    turn: Floats = found.x.reshape(size, size).astype(np.float32)
    return turn


@dataclass(frozen=True, slots=True)
class Neighbours:
    points: Floats
    is_own: Floats
    """(rows, labels) 1 or 0."""
    shares: Floats
    """(rows, labels) what each row counts in its label's mean."""
    is_other: Floats
    """(rows, rows) 0 for a row itself and for the same text again: they teach nothing."""
    counts: Floats
    """(rows,) what each counts as a question, in all 1; nothing where its label has no other row."""

    @classmethod
    def of(cls, points: Floats, owners: Ints) -> "Neighbours":
        labels, numbers = np.unique(owners, return_inverse=True)
        is_own = np.eye(len(labels), dtype=np.float32)[numbers]
        is_other = (points @ points.T < _SAME).astype(np.float32)
        has_others = ((is_other @ is_own) * is_own).sum(axis=1) > 0
        counts = (has_others / max(1, int(has_others.sum()))).astype(np.float32)
        return cls(points, is_own, is_own / is_own.sum(axis=0), is_other, counts)

    def loss(self, flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Of a turn, and its gradient."""
        size = self.points.shape[1]
        turn = flat.reshape(size, size).astype(np.float32)
        turned = self.points @ turn
        lengths = np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), _LEAST)
        turned /= lengths
        likeness = np.exp(_SHARPNESS * (turned @ turned.T - 1)) * self.is_other
        means = likeness @ self.shares + _LEAST
        chances = means / means.sum(axis=1, keepdims=True)
        of_own = np.log((chances * self.is_own).sum(axis=1))
        pull = _SHARPNESS * likeness * (((chances - self.is_own) / means * self.counts[:, None]) @ self.shares.T)
        slope = pull @ turned + pull.T @ turned
        slope = (slope - turned * (slope * turned).sum(axis=1, keepdims=True)) / lengths
        apart = turn - np.eye(size, dtype=np.float32)
        gradient = self.points.T @ slope + np.float32(2 * _STIFFNESS) * apart
        loss = float((apart * apart).sum()) * _STIFFNESS - float(self.counts @ of_own)
        return loss, gradient.ravel().astype(np.float64)
