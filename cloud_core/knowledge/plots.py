"""Pictures of how well search finds, as PNG."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cloud_core.knowledge.evaluation import Answered, place_of
from cloud_core.pictures import GREY, INK, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DEPTH = 10


def draw(answered: Sequence[Answered], folder: Path) -> list[Path]:
    """Writes the pictures and gives their paths. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        picture(folder / "found.png", lambda axes: _found(axes, answered)),
        picture(folder / "latency.png", lambda axes: _latency(axes, answered)),
    ]


def _found(axes: "Axes", answered: Sequence[Answered]) -> None:
    places = np.array([place_of(one) or np.inf for one in answered])
    depths = np.arange(1, _DEPTH + 1)
    shares = [(places <= depth).mean() for depth in depths]
    axes.bar(depths, shares, color=INK, width=0.6)
    for depth, share in zip(depths, shares, strict=True):
        axes.annotate(f"{share:.0%}", (depth, share), ha="center", va="bottom", fontsize=8)
    axes.set(ylim=(0, 1.05), xlabel="among the first so many documents", ylabel="share of the questions")
    axes.set_xticks(depths)
    axes.set_title("How soon a right document comes", loc="left")


def _latency(axes: "Axes", answered: Sequence[Answered]) -> None:
    ms = np.sort([one.seconds * 1000 for one in answered])
    axes.plot(ms, np.arange(1, len(ms) + 1) / len(ms), color=INK, drawstyle="steps-post")
    for share in (0.5, 0.99):
        axes.axhline(share, color=GREY, linewidth=1, linestyle="--")
    axes.set(xlim=(0, None), ylim=(0, 1.02), xlabel="ms of processor time", ylabel="share of the questions")
    axes.set_title("How long a search takes", loc="left")
