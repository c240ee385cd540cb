"""Pictures of an evaluation, as PNG."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cloud_core.pictures import GREY, INK, picture
from cloud_core.tuning.calibration import reliability
from cloud_core.tuning.evaluation import NOBODY, PRECISIONS, Answered
from cloud_core.tuning.report import Pair, confusable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PAIRS = 15
_RED = "#b5473c"
_LONGEST = 34


def draw(answered: Answered, folder: Path) -> list[Path]:
    """Writes the pictures and gives their paths. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    wrong = confusable(
        [label or NOBODY for label in answered.truth], [label or NOBODY for label in answered.found], _PAIRS
    )
    return [
        picture(folder / "confusion.png", lambda axes: _confusion(axes, wrong), high=1.2 + 0.3 * max(len(wrong), 4)),
        picture(folder / "reliability.png", lambda axes: _reliability(axes, answered)),
        picture(folder / "coverage.png", lambda axes: _coverage(axes, answered)),
    ]


def _confusion(axes: "Axes", pairs: Sequence[Pair]) -> None:
    names = [f"{_short(pair.label)}  taken for  {_short(pair.taken_for)}" for pair in pairs]
    places = np.arange(len(pairs))[::-1]
    axes.barh(places, [pair.count for pair in pairs], color=INK, height=0.6)
    axes.set_yticks(places, names, fontsize=7)
    axes.set_xlabel("questions")
    axes.locator_params(axis="x", integer=True)
    axes.set_title("What is mistaken most often" if pairs else "Nothing was mistaken", loc="left")


def _reliability(axes: "Axes", answered: Answered) -> None:
    bins = reliability(answered.confidences, answered.is_right)
    most = max((one.count for one in bins), default=1)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="as sure as right")
    axes.bar([one.least + 0.05 for one in bins], [one.count / most for one in bins], 0.09, color="#dfe6e2")
    axes.plot([one.confidence for one in bins], [one.right for one in bins], "o-", color=INK, label="measured")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="confidence (bars: how many questions)", ylabel="share that is right")
    axes.set_title("Does confidence hold?", loc="left")
    axes.legend(frameon=False, loc="upper left")


def _coverage(axes: "Axes", answered: Answered) -> None:
    order = np.argsort(-answered.confidences, kind="stable")
    number = np.arange(1, len(order) + 1)
    right = np.cumsum(answered.is_right[order]) / number
    axes.plot(number / len(order), right, color=INK)
    for wanted in PRECISIONS:
        axes.axhline(wanted, color=_RED, linewidth=0.6, linestyle=":")
        axes.annotate(f"{wanted:.2f}", (0.005, wanted), color=_RED, fontsize=7, va="bottom")
    axes.set(xlim=(0, 1), xlabel="share of the questions that is answered", ylabel="share of the answers that is right")
    axes.set_ylim(min(0.9, float(right.min(initial=1.0)) - 0.01), 1.005)
    axes.set_title("What a higher threshold buys", loc="left")


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…"
