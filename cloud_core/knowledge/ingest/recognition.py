"""The seam for text recognition: a package of its own offers it under the entry point `nearside.text_recognition`."""

from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

GROUP = "nearside.text_recognition"
DOTS_PER_INCH = 200
MOST_PIXELS = 25_000_000

Recogniser: TypeAlias = "Callable[[NDArray[np.uint8]], list[str]]"
"""A page in grey, (height, width), 0 is black, at most `MOST_PIXELS`; to its lines of text from top to bottom."""


@cache
def recogniser() -> "Recogniser | None":
    """None where no such package is installed. It runs in the worker, under its limits of memory and time."""
    offered = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    return offered[0].load() if offered else None
