"""Pictures of an evaluation, as PNG: what they have in common."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, GREY = "#1f6f54", "#8a8f8c"
_WIDE, _HIGH = 6.4, 4.8  # inches
_DOTS = 150  # an inch


def picture(path: Path, fill: "Callable[[Axes], None]", high: float = _HIGH) -> Path:
    """Written and closed; `high` in inches. Raises OSError."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDE, high), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    fill(axes)
    figure.savefig(path, format="png", dpi=_DOTS)
    return path
