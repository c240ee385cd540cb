"""Tables on a PDF's pages: lines below each other whose cells stand in the same columns."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cloud_core.knowledge.ingest.page_lines import Line

_FEWEST_ROWS = 2
# as multiples of the type's size; a blank is a third of it, in justified text up to the whole
_WIDE_GAP = 1.2
_GAP_AT_COLUMN = 0.4
_SAME_PLACE = 0.3

_ITEM = re.compile(r"[-*•·▪◦‣–]|[(（]?(?:\d{1,3}|[a-zA-Z])[.)、）]")

Cells = list[tuple[float, str]]


@dataclass(frozen=True, slots=True)
class Table:
    """Lines `start` to `end`, as rows of cells."""

    start: int
    end: int
    rows: list[list[str]]


def tables_of(lines: Sequence[Line]) -> Iterator[Table]:
    done = 0
    place = 0
    while place + 1 < len(lines):
        columns = _columns(lines[place], lines[place + 1])
        if not columns:
            place += 1
            continue
        start = _extended(lines, place, columns, -1, done)
        end = _extended(lines, place, columns, 1, len(lines) - 1) + 1
        rows = _rows(lines[start:end], columns)
        if len(rows) >= _FEWEST_ROWS:
            yield Table(start, end, rows)
            done = end
        place = max(end, place + 1)


def _columns(line: Line, following: Line) -> list[float]:
    """Where the columns begin, if two lines have more than one and share them."""
    if line.page != following.page or not line.words or not following.words:
        return []
    columns = [left for left, _ in max(_cells(line, ()), _cells(following, ()), key=len)]
    shared = all(len(_cells(one, columns)) == len(columns) for one in (line, following))
    is_list = len(columns) == 2 and _ITEM.fullmatch(line.words[0][2]) is not None
    return columns if shared and len(columns) > 1 and not is_list else []


def _cells(line: Line, columns: Sequence[float]) -> Cells:
    found: list[tuple[float, list[str]]] = []
    for left, gap, text in line.words:
        at_column = any(abs(left - column) < line.size * _SAME_PLACE for column in columns)
        if not found or gap > _WIDE_GAP or (gap > _GAP_AT_COLUMN and at_column):
            found.append((left, []))
        found[-1][1].append(text)
    return [(left, " ".join(words)) for left, words in found]


def _extended(lines: Sequence[Line], place: int, columns: Sequence[float], step: int, last: int) -> int:
    """The farthest line from `place` that still has several of the columns, or goes on in one but the first."""
    while place != last and lines[place + step].page == lines[place].page:
        line = lines[place + step]
        goes_on = step > 0 and any(abs(line.left - column) < line.size * _SAME_PLACE for column in columns[1:])
        if not goes_on and len(_cells(line, columns)) < 2:
            break
        place += step
    return place


def _rows(lines: Sequence[Line], columns: Sequence[float]) -> list[list[str]]:
    rows: list[list[str]] = []
    for line in lines:
        cells = _cells(line, columns)
        if len(cells) > 1 or not rows:
            rows.append([""] * len(columns))
        for left, text in cells:
            column = min(range(len(columns)), key=lambda number: abs(columns[number] - left))
            rows[-1][column] = f"{rows[-1][column]} {text}".strip()
    return rows
