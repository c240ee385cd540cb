"""Pictures of how good answers are, as PNG."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cloud_core.engines.evaluation.figures import Answered, coverage, reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE = (6.4, 4.8)  # inches
_DOTS = 150  # an inch
_INK, _GREY, _BARS = "#1f6f54", "#8a8f8c", "#dfe6e2"


def draw(answered: Sequence[Answered], folder: Path) -> list[Path]:
    """Writes the pictures and gives their paths. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _picture(folder / "reliability.png", lambda axes: _reliability(axes, answered)),
        _picture(folder / "coverage.png", lambda axes: _coverage(axes, answered)),
    ]


def _picture(path: Path, fill: "Callable[[Axes], None]") -> Path:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    fill(axes)
    figure.savefig(path, format="png", dpi=_DOTS)
    return path


def _reliability(axes: "Axes", answered: Sequence[Answered]) -> None:
    bins = reliability(answered)
    most = max((one.count for one in bins), default=1)
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle="--", label="as sure as right")
    axes.bar([one.least + 0.05 for one in bins], [one.count / most for one in bins], 0.09, color=_BARS)
    axes.plot([one.confidence for one in bins], [one.right for one in bins], "o-", color=_INK, label="measured")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="confidence (bars: how many answers)", ylabel="share that is right")
    axes.set_title("Does confidence hold?", loc="left")
    axes.legend(frameon=False, loc="upper left")


def _coverage(axes: "Axes", answered: Sequence[Answered]) -> None:
    share, right = coverage(answered)
    axes.plot(share, right, color=_INK, drawstyle="steps-post")
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    axes.set(xlabel="share of the questions that is answered", ylabel="share of the answers that is right")
    axes.set_title("What a higher least_confidence buys", loc="left")
