"""The two stages: hashed n-grams into a linear model; the encoder's features beside every example."""

import numpy as np
from numpy.typing import NDArray

from nearside.cascade.grams import Weighed

Floats = NDArray[np.float32]


class Linear:
    """int8 weights of n-grams; `weights`: (rows, labels), `scale` and `bias`: (labels,)."""

    def __init__(self, weights: NDArray[np.int8], scale: Floats, bias: Floats) -> None:
        self._weights, self._scale, self._bias = weights, scale, bias

    def scores(self, weighed: Weighed) -> Floats:
        """(labels,)."""
        rows = np.take(self._weights, weighed.rows, axis=0).astype(np.float32)
        found: Floats = (weighed.values @ rows) * self._scale + self._bias
        return found


def quantised(weights: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Each column by its largest weight; the columns' scales."""
    scale: Floats = (np.abs(weights).max(axis=0, initial=0.0) / 127).astype(np.float32)
    scale[scale == 0] = 1
    return np.rint(weights / scale).astype(np.int8), scale


class Space:
    """The directions in which the examples of one company differ."""

    def __init__(self, centre: Floats, projection: Floats, *, is_whole: bool) -> None:
        """`centre`: (features,). `projection`: (features, dimensions). `is_whole`: it has all of the examples.

        Then what a text has beside it counts, as unlike every example.
        """
        self.centre, self.projection, self.is_whole = centre, projection, is_whole
        self.width = len(centre)

    def place(self, features: Floats) -> Floats:
        """(texts, features) → (texts, dimensions), of length 1 or, in a whole space, at most 1."""
        apart: Floats = features - self.centre
        points: Floats = apart @ self.projection
        lengths = np.linalg.norm(apart if self.is_whole else points, axis=1).astype(np.float32)
        points /= np.maximum(lengths, 1e-9, dtype=np.float32)[:, None]
        return points


class Kernel:
    """Kernel ridge regression over the examples."""

    def __init__(self, points: Floats, coefficients: Floats, sharpness: float) -> None:
        """`points`: (examples, dimensions). `coefficients`: (examples, labels)."""
        self._points, self._coefficients, self._sharpness = points, coefficients, np.float32(sharpness)

    def look(self, point: Floats) -> tuple[Floats, Floats]:
        """The cosines with every example, and the labels' scores."""
        cosines: Floats = self._points @ point
        scores: Floats = likeness(cosines, self._sharpness) @ self._coefficients
        return cosines, scores


def likeness(cosines: Floats, sharpness: np.float32) -> Floats:
    found: Floats = np.exp(sharpness * (cosines - np.float32(1)))
    return found


class Vectors:
    """The examples' vectors in int8, for cosines with a few of them."""

    def __init__(self, rows: NDArray[np.int8], scale: float) -> None:
        """`rows`: (examples, dimensions)."""
        self._rows, self._scale = rows, np.float32(scale)

    def nearest(self, group: slice, vector: Floats) -> float:
        return float((self._rows[group].astype(np.float32) @ vector).max(initial=0.0) * self._scale)
