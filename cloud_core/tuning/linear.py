"""Stage one: which n-grams count, and one linear model over them, with what it says of texts it has not seen."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cloud_core.tuning.examples import Ints
from nearside.cascade.cascade import LEAST_ONE
from nearside.cascade.grams import BUCKETS, Table, buckets
from nearside.lexical import normalise

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Floats = NDArray[np.float32]

FOLDS = 3
_MANY = 2_000
"""Rows; from here on n-grams that stand in one row only are left out."""
_COST = 0.5
_TOLERANCE = 0.01
_SEED = 0


def fit_table(questions: Sequence[str]) -> Table:
    frequency = np.zeros(BUCKETS, dtype=np.int64)
    for question in questions:
        frequency[np.unique(buckets(normalise(question)))] += 1
    kept = np.flatnonzero(frequency > (1 if len(questions) >= _MANY else 0))
    rarity = np.log((1 + len(questions)) / (1 + frequency[kept])) + 1
    return Table(kept, rarity.astype(np.float16).astype(np.float32))


@dataclass(frozen=True, slots=True)
class Written:
    """The rows' n-grams."""

    matrix: "csr_matrix"
    known: Floats
    """(rows,) see `Weighed.known`."""


def write(table: Table, questions: Sequence[str]) -> Written:
    from scipy.sparse import csr_matrix

    weighed = [table.weigh(normalise(question)) for question in questions]
    ends = np.cumsum([0, *(len(one.rows) for one in weighed)])
    rows = np.concatenate([one.rows for one in weighed])
    values = np.concatenate([one.values for one in weighed])
    matrix = csr_matrix((values, rows, ends), shape=(len(questions), len(table.kept)))
    return Written(matrix, np.array([one.known for one in weighed], dtype=np.float32))


@dataclass(frozen=True, slots=True)
class LinearModel:
    weights: Floats
    """(n-grams, labels)."""
    bias: Floats

    def scores(self, matrix: Any) -> Floats:
        found: Floats = (matrix @ self.weights + self.bias).astype(np.float32)
        return found


def fit_linear(matrix: Any, owners: Ints, labels: int) -> LinearModel:
    """A label without rows, and one that is alone, gets no weights. Deterministic."""
    from sklearn.svm import LinearSVC

    present = np.unique(owners)
    weights = np.zeros((matrix.shape[1], labels), dtype=np.float32)
    bias = np.full(labels, LEAST_ONE, dtype=np.float32)
    if len(present) > 1:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of few examples a label, which is what there is
            model = LinearSVC(C=_COST, tol=_TOLERANCE, random_state=_SEED).fit(matrix, owners)
        both = len(present) > 2
        weights[:, present] = model.coef_.T if both else np.stack([-model.coef_[0], model.coef_[0]], axis=1)
        bias[present] = model.intercept_ if both else (-model.intercept_[0], model.intercept_[0])
    return LinearModel(weights, bias)


def held_out(written: Written, owners: Ints, size: int, labels: int, done: Callable[[], None]) -> Floats:
    """(examples, labels) scores of models that have not seen the example; names, the last rows, are always seen."""
    folds = np.arange(size) % FOLDS  # rows are sorted by label, so that every fold has its share of each
    scores = np.zeros((size, labels), dtype=np.float32)
    for fold in range(FOLDS):
        seen = np.concatenate([np.flatnonzero(folds != fold), np.arange(size, len(owners))])
        model = fit_linear(written.matrix[seen], owners[seen], labels)
        scores[folds == fold] = model.scores(written.matrix[np.flatnonzero(folds == fold)])
        done()
    return scores
