"""Stage two: a space in which the examples' differences count, and kernel ridge regression there."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud_core.tuning.examples import Ints, Prepared
from cloud_core.tuning.nearness import learn_turn
from nearside.cascade.stages import Space, likeness

Floats = NDArray[np.float32]

DIMENSIONS = 256
MOST_ROWS = 16_000
_LEAST_TURNED, _MOST_TURNED = 2 * DIMENSIONS, 2_000
"""Rows: of fewer there is nothing to learn that holds, of more it takes too long."""
_BLOCK = 1_000
_LAST_LAYER = 384  # features
_LEAST = 1e-9


@dataclass(frozen=True, slots=True)
class Recipe:
    sharpness: float
    words: float
    """What likeness in n-grams counts beside likeness in meaning."""
    last_layer: float
    """What the encoder's last layer counts beside the others."""
    shrinkage: float | None
    """Of the covariance within labels, in its mean eigenvalues, that is evened out; None: it is left as it is."""
    is_turned: bool
    """Towards what tells the labels apart: what is said of a row must then come of a space that has not seen it."""
    ridge: float = 0.3


MANY_EXAMPLES = Recipe(sharpness=2, words=0.25, last_layer=1, shrinkage=None, is_turned=False)
FEW_EXAMPLES = Recipe(sharpness=3, words=0.1, last_layer=1.5, shrinkage=16, is_turned=True)


def recipe_for(prepared: Prepared) -> Recipe:
    if not prepared.is_few:
        return MANY_EXAMPLES
    return replace(FEW_EXAMPLES, is_turned=_LEAST_TURNED <= len(prepared.owners) <= _MOST_TURNED)


def fit_space(features: Floats, owners: Ints, recipe: Recipe) -> Space:
    """`features`: (rows, features) of the rows that the encoder could read. Stored in half precision, so rounded."""
    if len(features) == 0:
        return Space(
            np.zeros(features.shape[1], np.float32), np.zeros((features.shape[1], 1), np.float32), is_whole=True
        )
    is_whole = len(features) <= DIMENSIONS
    centre = _rounded(features.mean(axis=0))
    apart = features - centre
    turn = np.eye(features.shape[1], dtype=np.float32)
    if not is_whole:
        turn[-_LAST_LAYER:] *= recipe.last_layer
        if recipe.shrinkage is not None:
            turn = turn @ _evened((apart @ turn).astype(np.float32), owners, recipe.shrinkage)
    apart = apart @ turn
    _, directions = np.linalg.eigh(apart.T @ apart)
    space = Space(centre, _rounded(turn @ directions[:, ::-1][:, :DIMENSIONS]), is_whole=is_whole)
    if is_whole or not recipe.is_turned:
        return space
    return Space(centre, _rounded(space.projection @ learn_turn(space.place(features), owners)), is_whole=False)


def _rounded(values: Floats) -> Floats:
    return values.astype(np.float16).astype(np.float32)


def _evened(apart: Floats, owners: Ints, shrinkage: float) -> Floats:
    """Divides what differs within labels out of what differs."""
    sums = np.zeros((int(owners.max()) + 1, apart.shape[1]), dtype=np.float32)
    np.add.at(sums, owners, apart)
    within = apart - (sums / np.maximum(np.bincount(owners), 1)[:, None])[owners]
    values, directions = np.linalg.eigh(within.T @ within / len(within))
    values = np.maximum(values, 0)
    even = values.mean()
    if even < _LEAST:  # every label has one example
        return np.eye(apart.shape[1], dtype=np.float32)
    found: Floats = (directions / np.sqrt(values / even + shrinkage)).astype(np.float32)
    return found


@dataclass(frozen=True, slots=True)
class Solved:
    coefficients: Floats
    """(rows, labels)."""
    inverse: Floats
    """(rows, rows) of the kernel with its ridge."""
    targets: Floats

    def without_itself(self) -> Floats:
        """(rows, labels) the scores that each row would get had it not been among the examples; exact."""
        found: Floats = self.targets - self.coefficients / np.diag(self.inverse)[:, None]
        return found

    def without(self, rows: Ints) -> Floats:
        """(rows, labels) the scores of `rows` had none of them been among the examples; exact."""
        block = self.inverse[np.ix_(rows, rows)]
        found: Floats = self.targets[rows] - np.linalg.solve(block, self.coefficients[rows])
        return found


def solve(points: Floats, words: Any, prepared: Prepared, recipe: Recipe) -> Solved:
    """`words`: (rows, n-grams) sparse. Takes the cube of the rows."""
    from scipy.linalg import lapack

    kernel = likeness(points @ points.T, np.float32(recipe.sharpness))
    turned = words.T.tocsr()
    for start in range(0, len(points), _BLOCK):
        kernel[start : start + _BLOCK] += np.float32(recipe.words) * (words[start : start + _BLOCK] @ turned).toarray()
    kernel[np.diag_indices_from(kernel)] += np.float32(recipe.ridge)
    triangle, failed = lapack.spotrf(kernel.T, lower=1, overwrite_a=1)
    inverse, failed_too = lapack.spotri(triangle, lower=1, overwrite_c=1)
    if failed or failed_too:
        raise ArithmeticError("the kernel has no inverse")  # it has a ridge
    _mirror(inverse)
    targets = (prepared.owners[:, None] == np.arange(len(prepared.labels))).astype(np.float32)
    return Solved(inverse @ targets, inverse, targets)


def _mirror(lower: Floats) -> None:
    """Fills what is above the diagonal, in place."""
    for start in range(0, len(lower), _BLOCK):
        stop = start + _BLOCK
        lower[start:stop, stop:] = lower[stop:, start:stop].T
        block = lower[start:stop, start:stop]
        lower[start:stop, start:stop] = np.tril(block) + np.tril(block, -1).T
