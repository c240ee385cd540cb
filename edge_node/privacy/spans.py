"""Where in a text something personal stands, and how it is looked for."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

Found = Iterable[tuple[int, int]]
"""Start and end of each find, in any order."""


@dataclass(frozen=True, slots=True)
class Span:
    start: int
    end: int
    kind: str


class Finder(Protocol):
    """Says where in a text one kind of personal data stands; the seam for more of them, such as a model for names."""

    @property
    def kind(self) -> str: ...

    @property
    def digits(self) -> int:
        """A text with fewer digits holds none of it, and is not looked at."""
        ...

    def find(self, text: str) -> Found:
        """`text` is folded (see `folding.py`). Takes time linear in its length and never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Detector:
    """A `Finder` by patterns."""

    kind: str
    search: Callable[[str], Found]
    digits: int = 0

    def find(self, text: str) -> Found:
        return self.search(text)
