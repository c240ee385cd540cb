"""How well a cascade answers questions that it has not seen: the figures of `cloud-core evaluate`."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud_core.tuning.calibration import Bools, Doubles, calibration_error, reliability
from cloud_core.tuning.examples import OUTSIDE
from cloud_core.tuning.storing import Trained
from nearside.cascade import Cascade
from nearside.encoder import TextEncoder

_KEPT = 0.95
"""Share of the questions in scope that is kept when out-of-scope ones are rejected."""
PRECISIONS = (0.95, 0.98, 0.99)
_RANKS = 3
_CANDIDATES = 10
NOBODY = "oos"


@dataclass(frozen=True, slots=True)
class Question:
    label: str | None
    """None: out of scope."""
    text: str


@dataclass(frozen=True, slots=True)
class Answered:
    """Row by row: what was meant, what was found (None: nothing), how sure that was, and how it came about."""

    truth: Sequence[str | None]
    found: Sequence[str | None]
    confidences: Doubles
    ranks: NDArray[np.int64]
    """Of the right label, from 1; 0 where it is not among the first."""
    at_once: Bools
    ms: Doubles | None

    @property
    def is_right(self) -> Bools:
        return np.array([a is not None and a == b for a, b in zip(self.truth, self.found, strict=True)], dtype=bool)

    @property
    def is_inside(self) -> Bools:
        return np.array([label is not None for label in self.truth], dtype=bool)


def ask(
    cascade: Cascade,
    encoder: TextEncoder,
    questions: Sequence[Question],
    told: Callable[[int], None] = lambda done: None,
) -> Answered:
    """One by one, as an edge does, and timed."""
    found, sure, ranks, at_once, ms = [], [], [], [], []
    for number, question in enumerate(questions, start=1):
        started = time.perf_counter()
        quick = cascade.at_once(question.text)
        matches = quick or cascade.look_up(
            question.text, encoder.encode(cascade.reading(question.text)), limit=_CANDIDATES
        )
        ms.append(1000 * (time.perf_counter() - started))
        labels = [match.label for match in matches]
        found.append(labels[0] if labels else None)
        sure.append(matches[0].confidence if matches else 0.0)
        ranks.append(labels.index(question.label) + 1 if question.label in labels else 0)
        at_once.append(quick is not None)
        told(number)
    truth = [question.label for question in questions]
    return Answered(truth, found, np.array(sure), np.array(ranks), np.array(at_once, dtype=bool), np.array(ms))


def figures(answered: Answered, reject_below: float, size: int) -> dict[str, Any]:
    """`reject_below`: what is less sure counts as out of scope. `size`: bytes of the model. Shares are 0 to 1."""
    inside, right, sure = answered.is_inside, answered.is_right, answered.confidences
    kept = sure >= reject_below
    correct = np.where(inside, right & kept, ~kept)
    return {
        "accuracy": _share(correct),
        "in_scope_accuracy": _share(right[inside]),
        "macro_f1": _macro_f1(answered, kept),
        "oos_recall_at_95": _recall(sure, inside),
        "auroc": _auroc(sure, inside),
        **{f"coverage_at_{round(100 * wanted)}": coverage_at(sure, right, wanted) for wanted in PRECISIONS},
        "ece": calibration_error(reliability(sure, right)),
        "stage_share": {"one": _share(answered.at_once), "two": _share(~answered.at_once)},
        "ms_p50": _percentile(answered.ms, 50),
        "ms_p99": _percentile(answered.ms, 99),
        "model_bytes": size,
    }


def faq_figures(answered: Answered, size: int) -> dict[str, Any]:
    inside, ranks = answered.is_inside, answered.ranks[answered.is_inside]
    shares = {
        "top_1": _share(answered.is_right[inside]),
        "top_3": _share((ranks > 0) & (ranks <= _RANKS)),
        "mrr": float(np.divide(1, ranks, out=np.zeros(len(ranks)), where=ranks > 0).mean()) if len(ranks) else None,
    }
    others = figures(answered, 0.0, size)
    return shares | {key: value for key, value in others.items() if not key.endswith(("accuracy", "macro_f1"))}


def left_out(trained: Trained, begins: str = "") -> Answered:
    """What training found of each example that it left out; only of the labels that begin so."""
    labels, out = trained.meta["labels"], trained.left_out
    names = [labels[label] for label in out.truth]
    rows = np.array([index for index, name in enumerate(names) if name.startswith(begins)], dtype=np.int64)
    return Answered(
        [names[row] for row in rows],
        [labels[out.labels[row]] for row in rows],
        out.confidences[rows],
        out.ranks[rows],
        out.at_once[rows],
        None,
    )


def coverage_at(sure: Doubles, right: Bools, wanted: float) -> float:
    """The largest share of the questions that is answered where `wanted` of the answers must be right."""
    order = np.argsort(-sure, kind="stable")
    is_last = np.append(sure[order][1:] != sure[order][:-1], True)
    reached = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    fine = np.flatnonzero((reached >= wanted) & is_last)
    return float((fine[-1] + 1) / len(order)) if len(fine) else 0.0


def is_outside(label: str) -> bool:
    return label in OUTSIDE


def _macro_f1(answered: Answered, kept: Bools) -> float:
    from sklearn.metrics import f1_score

    truth = [label or NOBODY for label in answered.truth]
    found = [label if label and is_kept else NOBODY for label, is_kept in zip(answered.found, kept, strict=True)]
    return float(f1_score(truth, found, labels=sorted(set(truth)), average="macro", zero_division=0.0))


def _recall(sure: Doubles, inside: Bools) -> float | None:
    if inside.all() or not inside.any():
        return None
    descending = -np.sort(-sure[inside])
    least = descending[int(np.ceil(_KEPT * len(descending))) - 1]
    return float((sure[~inside] < least).mean())


def _auroc(sure: Doubles, inside: Bools) -> float | None:
    if inside.all() or not inside.any():
        return None
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(inside, sure))


def _share(claims: Bools) -> float | None:
    return float(claims.mean()) if len(claims) else None


def _percentile(values: Doubles | None, wanted: float) -> float | None:
    return None if values is None or not len(values) else float(np.percentile(values, wanted))
