"""What a benchmark found: a figure, the limits measured beside it in the same run, and what it ought to be."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


class WrongAnswerError(Exception):
    """What was measured is worth nothing: the program gave wrong answers, or none."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a machine in this state can do at best: the same work without us."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Budget:
    """design.md, section 6. A figure must not be above `most` nor below `least`."""

    text: str
    most: float | None = None
    least: float | None = None

    def is_met(self, value: float) -> bool:
        return (self.most is None or value <= self.most) and (self.least is None or value >= self.least)


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    value: float
    unit: str
    limits: tuple[Limit, ...] = ()
    budget: Budget | None = None

    @property
    def ratios(self) -> tuple[float, ...]:
        """The figure as a multiple of each limit."""
        return tuple(self.value / limit.value if limit.value else float("nan") for limit in self.limits)

    @property
    def verdict(self) -> str:
        if self.budget is None:
            return ""
        return "met" if self.budget.is_met(self.value) else "missed"


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()


def percentile(seconds: Sequence[float], share: float) -> float:
    """In milliseconds."""
    return float(np.percentile(np.asarray(seconds), share)) * 1000
