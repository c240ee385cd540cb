"""Pictures of how well search finds, as PNG."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cloud_core.knowledge.evaluation import Answered, place_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DEPTH = 10
_SIZE = (6.4, 4.8)  # inches
_DOTS = 150  # an inch
_INK, _GREY = "#1f6f54", "#8a8f8c"


def draw(answered: Sequence[Answered], folder: Path) -> list[Path]:
    """Writes the pictures and gives their paths. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _picture(folder / "found.png", lambda axes: _found(axes, answered)),
        _picture(folder / "latency.png", lambda axes: _latency(axes, answered)),
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


def _found(axes: "Axes", answered: Sequence[Answered]) -> None:
    places = np.array([place_of(one) or np.inf for one in answered])
    depths = np.arange(1, _DEPTH + 1)
    shares = [(places <= depth).mean() for depth in depths]
    axes.bar(depths, shares, color=_INK, width=0.6)
    for depth, share in zip(depths, shares, strict=True):
        axes.annotate(f"{share:.0%}", (depth, share), ha="center", va="bottom", fontsize=8)
    axes.set(ylim=(0, 1.05), xlabel="among the first so many documents", ylabel="share of the questions")
    axes.set_xticks(depths)
    axes.set_title("How soon a right document comes", loc="left")


def _latency(axes: "Axes", answered: Sequence[Answered]) -> None:
    ms = np.sort([one.seconds * 1000 for one in answered])
    axes.plot(ms, np.arange(1, len(ms) + 1) / len(ms), color=_INK, drawstyle="steps-post")
    for share in (0.5, 0.99):
        axes.axhline(share, color=_GREY, linewidth=1, linestyle="--")
    axes.set(xlim=(0, None), ylim=(0, 1.02), xlabel="ms of processor time", ylabel="share of the questions")
    axes.set_title("How long a search takes", loc="left")
