"""A tenant's examples become what `nearside.cascade` answers from."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud_core.tuning.calibration import Bools, Doubles
from cloud_core.tuning.counterfeits import counterfeits
from cloud_core.tuning.deciding import SHIPPED, best_of, decide, hold
from cloud_core.tuning.examples import Ints, Prepared, prepare
from cloud_core.tuning.holding_out import Judged, Scored, Witness, left_alone, left_with_label
from cloud_core.tuning.kernel import FEW_EXAMPLES, MANY_EXAMPLES, Solved, fit_space, solve
from cloud_core.tuning.linear import FOLDS, Written, fit_linear, fit_table, held_out, write
from cloud_core.tuning.report import LeftOut, make_report
from cloud_core.tuning.storing import Models, Trained, stored
from nearside.cascade import Cascade
from nearside.cascade.grams import Table
from nearside.cascade.stages import Space
from nearside.encoder import Encoding, TextEncoder
from nearside.nearest import UNKNOWN_LIMIT, Example

Floats = NDArray[np.float32]
Arrays = dict[str, NDArray[Any]]
Progress = Callable[[str, int, int], None]

_GROUPS = 5
"""Every fifth label is left out at a time, to see what becomes of questions that nobody answers."""
_ALL_GROUPS = 3_000
"""Rows; above it one group has to do."""
_STEPS = FOLDS + 4


@dataclass(frozen=True, slots=True)
class Read:
    """What the encoder makes of each row: (rows, dimensions), (rows, features), (rows,)."""

    vectors: Floats
    features: Floats
    is_unread: NDArray[np.bool_]


def train(
    examples: Sequence[Example], encoder: TextEncoder, *, precision: float = 0.98, progress: Progress | None = None
) -> Trained:
    """`precision`: of the answers from the threshold on, the share that is right. `progress`: what, done, of how many.

    Deterministic. Takes the cube of the examples: 10,000 are a minute on two cores. Raises ContentError: no examples.
    """
    started = time.perf_counter()
    prepared = prepare(examples)
    tell = progress or (lambda what, done, total: None)
    total = len(prepared.questions)
    encodings = encoder.encode_many(prepared.questions, lambda done: tell("reading the examples", done, total))
    training = Training(prepared, _read(encodings), tell)
    arrays, meta, left_out = training.run(encoder, precision)
    report = make_report(prepared, left_out, meta["threshold"], time.perf_counter() - started)
    return Trained(arrays, meta, report, left_out)


def _read(encodings: Sequence[Encoding]) -> Read:
    return Read(
        np.array([encoding.vector for encoding in encodings], dtype=np.float32),
        np.array([encoding.features for encoding in encodings], dtype=np.float32),
        np.array([encoding.unknown_share > UNKNOWN_LIMIT for encoding in encodings]),
    )


class Training:
    def __init__(self, prepared: Prepared, read: Read, tell: Progress) -> None:
        self._prepared, self._read, self._tell = prepared, read, tell
        self._done = 0
        self._recipe = FEW_EXAMPLES if prepared.is_few else MANY_EXAMPLES
        self._table: Table = fit_table(prepared.questions)
        self._written: Written = write(self._table, prepared.questions)

    def run(self, encoder: TextEncoder, precision: float) -> tuple[Arrays, dict[str, Any], LeftOut]:
        prepared, labels = self._prepared, len(self._prepared.labels)
        seen_one = held_out(self._written, prepared.owners, prepared.size, labels, self._step)
        one = fit_linear(self._written.matrix, prepared.owners, labels)
        self._step()
        space, points = self._space()
        solved = solve(points, self._written.matrix, prepared, self._recipe)
        self._step()
        witness = Witness(prepared, points, self._read.vectors, self._read.is_unread)
        two = solved.without_itself()[: prepared.size]
        alone = witness.judge(left_alone(prepared, self._written, self._table, two, seen_one))
        strangers = [witness.judge(scored) for scored in self._left_with_labels(solved)]
        self._step()
        models = Models(self._table, one, space, points, solved.coefficients, self._read.vectors, self._recipe)
        keep = partial(stored, prepared, self._written, models, witness, encoder.fingerprint)
        fakes = _judge_counterfeits(Cascade.load(*keep(SHIPPED), encoder), prepared, encoder)
        held = hold(prepared, alone, strangers, fakes)
        decided = decide(held, precision)
        self._step()
        return *keep(decided), _left_out(prepared, alone, *best_of(held, decided))

    def _space(self) -> tuple[Space, Floats]:
        """And the rows' points in it."""
        features, readable = self._read.features, ~self._read.is_unread
        space = fit_space(features[readable], self._prepared.owners[readable], self._recipe)
        points = space.place(features)
        points[~readable] = 0
        return space, points

    def _left_with_labels(self, solved: Solved) -> Iterator[Scored]:
        """Every fifth label of those that answer left out, all its examples at once."""
        prepared = self._prepared
        labels = np.flatnonzero(~prepared.outside)
        if len(labels) < 2 * _GROUPS:
            return
        for group in range(_GROUPS if len(prepared.owners) <= _ALL_GROUPS else 1):
            gone = np.isin(prepared.owners, labels[group::_GROUPS])
            rows = np.flatnonzero(gone)
            model = fit_linear(self._written.matrix[~gone], prepared.owners[~gone], len(prepared.labels))
            one = model.scores(self._written.matrix[rows])
            yield left_with_label(prepared, self._written, self._table, rows, solved.without(rows), one)

    def _step(self) -> None:
        self._done += 1
        self._tell("learning", self._done, _STEPS)


def _left_out(prepared: Prepared, alone: Judged, found: Ints, sure: Doubles, at_once: Bools) -> LeftOut:
    inside, truth = prepared.is_inside, prepared.owners[alone.rows]
    ranks = np.where(at_once, np.where(found == truth, 1, np.maximum(alone.ranks, 2)), alone.ranks)
    return LeftOut(truth[inside], found[inside], ranks[inside], sure[inside], at_once[inside])


def _judge_counterfeits(cascade: Cascade, prepared: Prepared, encoder: TextEncoder) -> Judged | None:
    """Only where examples are few: many examples show by themselves what is missing in a question."""
    texts = counterfeits([example.text for example in prepared.examples]) if prepared.is_few else []
    readings = [cascade.reading(text) for text in texts]
    found = [
        (text, weighed[0])
        for text, reading, encoding in zip(texts, readings, encoder.encode_many(readings), strict=True)
        if (weighed := cascade.weigh(reading, encoding, 1))
    ]
    if not found:
        return None
    quick = [cascade.glance(text) for text, _ in found]
    # Half of them as though the noun were none that is known to be of another trade: not all are.
    evidence = [one._replace(strange=0.0) if place % 2 else one for place, (_, (_, _, one)) in enumerate(found)]
    labels = np.array([label for _, (label, _, _) in found])
    nobody = np.zeros(0, dtype=np.int64)
    return Judged(nobody, labels, np.array([label for label, _ in quick]), nobody, evidence, [one for _, one in quick])
