"""Pictures of how good answers are, as PNG."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cloud_core.engines.evaluation.figures import Answered, coverage, reliability
from cloud_core.pictures import GREY, INK, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BARS = "#dfe6e2"


def draw(answered: Sequence[Answered], folder: Path) -> list[Path]:
    """Writes the pictures and gives their paths. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        picture(folder / "reliability.png", lambda axes: _reliability(axes, answered)),
        picture(folder / "coverage.png", lambda axes: _coverage(axes, answered)),
    ]


def _reliability(axes: "Axes", answered: Sequence[Answered]) -> None:
    bins = reliability(answered)
    most = max((one.count for one in bins), default=1)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="as sure as right")
    axes.bar([one.least + 0.05 for one in bins], [one.count / most for one in bins], 0.09, color=_BARS)
    axes.plot([one.confidence for one in bins], [one.right for one in bins], "o-", color=INK, label="measured")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="confidence (bars: how many answers)", ylabel="share that is right")
    axes.set_title("Does confidence hold?", loc="left")
    axes.legend(frameon=False, loc="upper left")


def _coverage(axes: "Axes", answered: Sequence[Answered]) -> None:
    share, right = coverage(answered)
    axes.plot(share, right, color=INK, drawstyle="steps-post")
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    axes.set(xlabel="share of the questions that is answered", ylabel="share of the answers that is right")
    axes.set_title("What a higher least_confidence buys", loc="left")
