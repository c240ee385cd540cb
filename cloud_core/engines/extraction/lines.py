"""Passages as lines that can be quoted: sentences, list items, table rows."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from cloud_core.messages import Passage
from nearside.lexical import has_cjk, normalise, words

_CELL_JOINT = re.compile(r"\t\|?\t?|\|\t?")
_SIZE_JOINT = re.compile(r"[\s/,、–|-]+")


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
    """

    passage: Passage
    rank: int
    position: int
    text: str
    words: Text
    context: Text
    neighbours: Text
    columns: tuple[str, ...] = ()

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
    for position, text in enumerate(passage.text.split("\n")):
        cells = cells_of(text)
        starts_table, in_table = not in_table and len(cells) > 1, len(cells) > 1
        if starts_table and len(cells) != len(columns):  # the first row of a table names its columns
            columns = cells
            continue
        named = columns if len(cells) == len(columns) else ()
        searched = Text(f"{text}\n{' '.join(named)}" if named else text)
        yield Line(passage, rank, position, text, searched, context, neighbours, named)
