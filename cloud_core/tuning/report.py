"""What the operator should know about the examples and how well they answer."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cloud_core.tuning.calibration import Bin, Bools, Doubles, calibration_error, reliability
from cloud_core.tuning.examples import OUTSIDE, Ints, Prepared, label_sizes
from nearside.lexical import normalise

THIN = 5
"""Examples; a label with fewer is named."""
_UNFOUND = 0.5
"""Of its variants; an entry that finds fewer of its own is named."""
_MOST_PAIRS = 10


@dataclass(frozen=True, slots=True)
class Contradiction:
    text: str
    labels: Sequence[str]


@dataclass(frozen=True, slots=True)
class Unfound:
    """An entry whose own variants are taken for others when each is left out."""

    label: str
    found: int
    examples: int


@dataclass(frozen=True, slots=True)
class Pair:
    label: str
    taken_for: str
    count: int


@dataclass(frozen=True, slots=True)
class Report:
    """Shares are 0 to 1 and of examples that were left out in turn, so of questions not seen."""

    examples: int
    labels: int
    thin: Mapping[str, int]
    contradictory: Sequence[Contradiction]
    unfound: Sequence[Unfound]
    confusable: Sequence[Pair]
    accuracy: float
    precision: float | None
    """Of what is answered from `threshold` on, questions that nobody answers among it; None where nothing is."""
    coverage: float
    """Share of the examples that is answered from `threshold` on."""
    threshold: float
    stage_one_share: float
    ece: float
    """Of the examples, and of questions that nobody answers; so are the bins."""
    reliability: Sequence[Bin]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Of every example in scope, left out: the label found, how sure that is, whether stage one was sure already."""

    truth: Ints
    labels: Ints
    ranks: Ints
    """Of the right label, from 1."""
    confidences: Doubles
    at_once: Bools
    nobodys: Doubles
    """Confidences of the questions that nobody answers, with which the threshold reckons."""
    counts: Doubles
    """What each of these counts beside an example."""


def make_report(prepared: Prepared, left_out: LeftOut, threshold: float, seconds: float) -> Report:
    truth = left_out.truth
    is_right = left_out.labels == truth
    passes = left_out.confidences >= threshold
    answered = float(passes.sum() + left_out.counts[left_out.nobodys >= threshold].sum())
    bins = reliability(
        np.concatenate([left_out.confidences, left_out.nobodys]),
        np.concatenate([is_right, np.zeros(len(left_out.nobodys), dtype=bool)]),
        np.concatenate([np.ones(len(truth)), left_out.counts]),
    )
    return Report(
        examples=prepared.size,
        labels=len(prepared.labels),
        thin={label: size for label, size in label_sizes(prepared).items() if size < THIN and label not in OUTSIDE},
        contradictory=contradictions(prepared),
        unfound=_unfound(prepared, truth, is_right),
        confusable=confusable([prepared.labels[label] for label in truth], _named(prepared, left_out.labels)),
        accuracy=float(is_right.mean()),
        precision=float(is_right[passes].sum()) / answered if answered else None,
        coverage=float(passes.mean()),
        threshold=threshold,
        stage_one_share=float(left_out.at_once.mean()),
        ece=calibration_error(bins),
        reliability=bins,
        seconds=round(seconds, 2),
    )


def contradictions(prepared: Prepared) -> list[Contradiction]:
    """Texts that stand under two labels."""
    owners: dict[str, set[str]] = defaultdict(set)
    written: dict[str, str] = {}
    for example in prepared.examples:
        said = normalise(example.text)
        owners[said].add(example.label)
        written.setdefault(said, example.text)
    return [Contradiction(written[said], sorted(labels)) for said, labels in owners.items() if len(labels) > 1]


def confusable(truth: Sequence[str], found: Sequence[str], most: int = _MOST_PAIRS) -> list[Pair]:
    """The pairs that are mistaken for each other most often."""
    pairs = Counter((right, taken) for right, taken in zip(truth, found, strict=True) if right != taken)
    return [Pair(right, taken, count) for (right, taken), count in pairs.most_common(most)]


def _named(prepared: Prepared, labels: Ints) -> list[str]:
    return [prepared.labels[label] for label in labels]


def _unfound(prepared: Prepared, truth: Ints, is_right: Bools) -> list[Unfound]:
    found = np.bincount(truth[is_right], minlength=len(prepared.labels))
    sizes = np.bincount(truth, minlength=len(prepared.labels))
    return [
        Unfound(label, int(hits), int(size))
        for label, hits, size in zip(prepared.labels, found, sizes, strict=True)
        if size > 1 and hits < _UNFOUND * size
    ]
