"""Passages as lines that can be quoted: sentences, list items, table rows."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from cloud_core.messages import Passage
from nearside.lexical import has_cjk, normalise, words

_CELL_JOINT = re.compile(r"\t\|?\t?|\|\t?")
_SIZE_JOINT = re.compile(r"[\s/,、–|-]+")
_ENDED = re.compile(r"[.!?…。！？][\"'”’」』）)\]】》*_]*$")
_WORD = re.compile(r"[^\W_]")
_LEADS_IN = re.compile(r"[:：][*_]*$")


@dataclass(frozen=True)
class Text:
    """Text to look for words in: English by stem, Chinese anywhere."""

    raw: str

    @cached_property
    def folded(self) -> str:
        return normalise(self.raw)

    @cached_property
    def stems(self) -> frozenset[str]:
        return frozenset(words(self.raw))

    def holds(self, word: str) -> bool:
        return word in self.folded if has_cjk(word) else word in self.stems


@dataclass(frozen=True)
class Line:
    """Number `position` of the lines of its passage, which is number `rank` of those found.

    `columns`: the header's cells if the line is a table row; they count as its words. `context`: title and heading.
    `lead`: the position of the line that leads in the list which it is an item of, such as "The bag holds:".
    """

    passage: Passage
    rank: int
    position: int
    text: str
    words: Text
    context: Text
    neighbours: Text
    columns: tuple[str, ...] = ()
    lead: int | None = None

    @property
    def leads_in(self) -> bool:
        return _LEADS_IN.search(self.text) is not None

    @property
    def cells(self) -> tuple[str, ...]:
        return cells_of(self.text)

    def names_size(self, size: str) -> bool:
        return size in _SIZE_JOINT.split(self.text)


def lines_of(passages: Sequence[Passage]) -> list[Line]:
    return [line for rank, passage in enumerate(passages) for line in _lines(passage, rank)]


def cells_of(text: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in _CELL_JOINT.split(text)) if "\t" in text or "|" in text else (text,)


def _lines(passage: Passage, rank: int) -> Iterator[Line]:
    context, neighbours = Text(f"{passage.title}\n{passage.heading}"), Text(passage.text)
    columns: tuple[str, ...] = ()
    in_table = False
    leads = _leads(passage.text.split("\n"))
    for position, text in enumerate(passage.text.split("\n")):
        cells = cells_of(text)
        starts_table, in_table = not in_table and len(cells) > 1, len(cells) > 1
        if starts_table and len(cells) != len(columns):  # the first row of a table names its columns
            columns = cells
            continue
        if _WORD.search(text) is None:
            continue
        named = columns if len(cells) == len(columns) else ()
        searched = Text(f"{text}\n{' '.join(named)}" if named else text)
        yield Line(passage, rank, position, text, searched, context, neighbours, named, leads[position])


def _ends(text: str) -> bool:
    return _ENDED.search(text) is not None


def _leads(texts: Sequence[str]) -> list[int | None]:
    """A list goes on while its items end alike: with a full stop, or without one."""
    leads: list[int | None] = []
    lead: int | None = None
    first_ends: bool | None = None
    for position, text in enumerate(texts):
        if _LEADS_IN.search(text):
            lead, first_ends = position, None
            leads.append(None)
            continue
        first_ends = _ends(text) if first_ends is None else first_ends
        if _ends(text) is not first_ends:
            lead = None
        leads.append(lead)
    return leads
