"""A tenant's examples become what `nearside.cascade` answers from."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud_core.tuning.counterfeits import counterfeits, judge_counterfeits
from cloud_core.tuning.deciding import SHIPPED, decide, hold, left_out_of
from cloud_core.tuning.examples import Ints, Prepared, prepare
from cloud_core.tuning.holding_out import Judged, Scored, Witness, left_alone, left_with_label
from cloud_core.tuning.kernel import Recipe, Solved, fit_space, recipe_for, solve
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
_HELD = 4
"""Every fourth example is made a question for somebody else."""
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
    tell = progress or _say_nothing
    total = len(prepared.questions)
    encodings = encoder.encode_many(prepared.questions, lambda done: tell("reading the examples", done, total))
    training = Training(prepared, _read(encodings), tell)
    arrays, meta, left_out = training.run(encoder, precision)
    report = make_report(prepared, left_out, meta["threshold"], time.perf_counter() - started)
    return Trained(arrays, meta, report, left_out)


def _say_nothing(what: str, done: int, total: int) -> None:
    pass


def _read(encodings: Sequence[Encoding]) -> Read:
    return Read(
        np.array([encoding.vector for encoding in encodings], dtype=np.float32),
        np.array([encoding.features for encoding in encodings], dtype=np.float32),
        np.array([encoding.unknown_share > UNKNOWN_LIMIT for encoding in encodings]),
    )


class Training:
    def __init__(self, prepared: Prepared, read: Read, tell: Progress, recipe: Recipe | None = None) -> None:
        self._prepared, self._read, self._tell = prepared, read, tell
        self._done = 0
        self._recipe = recipe or recipe_for(prepared)
        self._table: Table = fit_table(prepared.questions)
        self._written: Written = write(self._table, prepared.questions)

    def run(self, encoder: TextEncoder, precision: float) -> tuple[Arrays, dict[str, Any], LeftOut]:
        prepared, labels = self._prepared, len(self._prepared.labels)
        seen_one = held_out(self._written, prepared.owners, prepared.size, labels, self._step)
        models, solved, witness = self._fit()
        alone = self._judge_alone(solved, witness, seen_one)
        strangers = [witness.judge(scored) for scored in self._left_with_labels(solved)]
        self._step()
        fakes = self._judge_counterfeits(encoder)
        held = hold(prepared, alone, strangers, fakes)
        decided = decide(held, precision, is_few=prepared.is_few)
        self._step()
        arrays, meta = stored(prepared, self._written, models, witness, encoder.fingerprint, decided)
        return arrays, meta, left_out_of(prepared, held, decided)

    def rehearse(self, encoder: TextEncoder) -> Cascade:
        """Of the same models, nothing decided yet."""
        models, _, witness = self._fit()
        return Cascade.load(
            *stored(self._prepared, self._written, models, witness, encoder.fingerprint, SHIPPED), encoder
        )

    def _fit(self) -> tuple[Models, Solved, Witness]:
        one = fit_linear(self._written.matrix, self._prepared.owners, len(self._prepared.labels))
        self._step()
        space, points = self._space(~self._read.is_unread)
        solved = solve(points, self._written.matrix, self._prepared, self._recipe)
        self._step()
        models = Models(self._table, one, space, points, solved.coefficients, self._read.vectors, self._recipe)
        return models, solved, self._witness(points)

    def _space(self, seen: NDArray[np.bool_]) -> tuple[Space, Floats]:
        """Of the rows that are `seen`, and all rows' points in it."""
        features = self._read.features
        space = fit_space(features[seen], self._prepared.owners[seen], self._recipe)
        points = space.place(features)
        points[self._read.is_unread] = 0
        return space, points

    def _witness(self, points: Floats) -> Witness:
        return Witness(self._prepared, self._written, points, self._read.vectors, self._read.is_unread)

    def _judge_alone(self, solved: Solved, witness: Witness, one: Floats) -> Judged:
        """Every example left out; where the space has learned from labels, by spaces that have not seen it either."""
        size = self._prepared.size
        scored = left_alone(self._prepared, self._written, self._table, solved.without_itself()[:size], one)
        if not self._recipe.is_turned:
            return witness.judge(scored)
        return Judged.joined([self._judge_fold(scored, np.arange(fold, size, FOLDS)) for fold in range(FOLDS)])

    def _judge_fold(self, scored: Scored, rows: Ints) -> Judged:
        seen = ~self._read.is_unread
        seen[rows] = False
        _, points = self._space(seen)
        solved = solve(points, self._written.matrix, self._prepared, self._recipe)
        return self._witness(points).judge(replace(scored.part(rows), two=solved.without_itself()[rows]))

    def _judge_counterfeits(self, encoder: TextEncoder) -> Judged | None:
        """Only where examples are few: many examples show by themselves what is missing in a question.

        Made of every fourth example and judged by what was trained with the others: customers do not copy either.
        """
        prepared = self._prepared
        owners = prepared.owners[: prepared.size]
        gone = (np.arange(prepared.size) % _HELD == 0) & (np.bincount(owners)[owners] > 1)
        texts = counterfeits([one.text for one, is_gone in zip(prepared.examples, gone, strict=True) if is_gone])
        if not prepared.is_few or not texts:
            return None
        seen = prepare([example for example, is_gone in zip(prepared.examples, gone, strict=True) if not is_gone])
        read = _read(encoder.encode_many(seen.questions))
        rehearsed = Training(seen, read, _say_nothing, self._recipe).rehearse(encoder)
        return judge_counterfeits(rehearsed, texts, encoder)

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
