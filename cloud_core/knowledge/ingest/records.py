"""Sheets as records: which row names the columns, and a line `column: value` for every cell below it."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from cloud_core.knowledge.documents import QUESTION_LEVEL, Block, Kind
from cloud_core.knowledge.folding import CJK

Row = Sequence[str]

_CAPTION_LEVEL, _SECTION_LEVEL = 5, 6
_LONGEST_NAME = 60
_LONG_ANSWER = 3  # in a sheet of two columns: so much longer than its name is what stands below it
_VALUE = re.compile(r"[^\w]*\d[\d\W]*(?:[^\W\d_]{0,3}|\d[\d\W]*)\W*")
_CHINESE = re.compile(f"[{CJK}]")
_SENTENCE = re.compile(r"[.。!！?？]\s*$")
_QUESTIONS = frozenset(
    "q question questions faq 问题 提问 问 問題 常见问题 常見問題 顾客问题 客户问题 标准问题".split()
)
_ANSWERS = frozenset("a answer answers reply response 答案 回答 答复 答覆 解答 答 回复 回覆 标准答案".split())


def records_of(rows: Sequence[Row], group: int = 0) -> Iterator[Block]:
    """Rows of cells as a person reads them, "" for empty ones. Empty rows part tables from each other."""
    columns: tuple[str, ...] = ()
    for _, run in groupby(_without_empty_columns(rows), key=any):
        table = list(run)
        if any(table[0]):
            group += 1
            table, captions = _after_captions(table)
            yield from captions
            named, height = _header(table)
            if named or not columns or len(columns) != len(table[0]):
                columns, table = named, table[height:]
            yield from _table(columns, table, group)


def _without_empty_columns(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    width = max(map(len, rows), default=0)
    used = [column for column in range(width) if any(len(row) > column and row[column] for row in rows)]
    return [tuple(row[column] if column < len(row) else "" for column in used) for row in rows]


def _after_captions(table: list[tuple[str, ...]]) -> tuple[list[tuple[str, ...]], list[Block]]:
    captions: list[Block] = []
    while len(table) > 1 and len(table[0]) > 1 and sum(map(bool, table[0])) == 1:
        captions.append(_alone(next(filter(None, table[0])), _CAPTION_LEVEL))
        table = table[1:]
    return table, captions


def _alone(text: str, level: int) -> Block:
    """What stands alone in a row: the name of what follows, or a remark."""
    if len(text) > _LONGEST_NAME or _SENTENCE.search(text) or _is_value(text):
        return Block(kind=Kind.PARAGRAPH, text=text)
    return Block(kind=Kind.HEADING, text=text, level=level)


def _header(table: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], int]:
    """The columns' names, and how many rows they take; none if the first row looks like all others."""
    first = table[0]
    if len(table) < 2 or not _could_name(first):
        return (), 0
    if len(table) > 2 and len(set(first)) < len(first) and _could_name(table[1]):
        joined = (" ".join(dict.fromkeys(filter(None, pair))) for pair in zip(first, table[1], strict=True))
        return tuple(joined), 2
    if len(first) == 2 and not _names_two(first, table[1:]):
        return (), 0
    return first, 1


def _could_name(row: tuple[str, ...]) -> bool:
    filled = [cell for cell in row if cell]
    short = all(len(cell) <= _LONGEST_NAME and not _is_value(cell) for cell in filled)
    return short and len(filled) >= 2 and len(filled) * 2 >= len(row)


def _names_two(first: tuple[str, ...], body: Sequence[tuple[str, ...]]) -> bool:
    """Two columns of text may as well be names and values, without a row that names the columns."""
    if _place(first, _QUESTIONS) is not None and _place(first, _ANSWERS) is not None:
        return True
    below = [row[1] for row in body if row[1]]
    if below and all(map(_is_value, below)):
        return True
    lengths = sorted(map(len, below))
    return bool(lengths) and lengths[len(lengths) // 2] > _LONG_ANSWER * len(first[1])


def _is_value(text: str) -> bool:
    return len(text) <= _LONGEST_NAME and _VALUE.fullmatch(text) is not None


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], group: int) -> Iterator[Block]:
    question, answer = _place(columns, _QUESTIONS), _place(columns, _ANSWERS)
    for row in rows:
        if question is not None and answer is not None and row[question] and row[answer]:
            yield Block(kind=Kind.HEADING, text=row[question], level=QUESTION_LEVEL)
            yield Block(kind=Kind.PARAGRAPH, text=row[answer], group=group)
            row = tuple("" if place in (question, answer) else cell for place, cell in enumerate(row))
        elif len(row) > 2 and row[0] and not any(row[1:]):
            yield _alone(row[0], _SECTION_LEVEL)
            continue
        if any(row):
            yield _record(columns, row, group)


def _place(columns: tuple[str, ...], names: frozenset[str]) -> int | None:
    return next((place for place, column in enumerate(columns) if column.strip(" :：").lower() in names), None)


def _record(columns: tuple[str, ...], row: tuple[str, ...], group: int) -> Block:
    if columns:
        text = "\n".join(_said(column, cell) for column, cell in zip(columns, row, strict=True) if cell)
        return Block(kind=Kind.RECORD, text=text, group=group)
    filled = [cell for cell in row if cell]
    if len(row) == 2 and len(filled) == 2:
        return Block(kind=Kind.RECORD, text=_said(*filled), group=group)
    return Block(kind=Kind.ROW, text=" ".join(filled), group=group)


def _said(column: str, cell: str) -> str:
    if not column:
        return cell
    name = column.rstrip(" :：")
    return f"{name}：{cell}" if _CHINESE.search(name) else f"{name}: {cell}"
