"""faq.csv: approved answers as a spreadsheet writes them, one row for each question in one language."""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from pydantic import BaseModel, ValidationError

from nearside.errors import ContentError
from nearside.operator_files import LANGS, Source, explanation, nearest, read_text

COLUMNS = ("question", "variants", "answer", "lang", "id")
NEEDED = COLUMNS[:4]
BETWEEN_VARIANTS = re.compile(r"[|\n]")
SEPARATOR = re.compile(r"sep=([,;\t])\n?", re.IGNORECASE)
"""What some spreadsheets write above the names of the columns."""
DELIMITERS = ",;\t"
CELL_LIMIT = 100_000


@dataclass(frozen=True, slots=True)
class Row:
    """`place` is path:line. Rows of one id are one entry in several languages."""

    place: str
    id: str
    lang: str
    text: Mapping[str, object]


def read_rows(path: Source) -> Iterator[Row]:
    """Raises ContentError."""
    lines = [f"{line}\n" for line in _text(path).removesuffix("\n").split("\n")]
    separator = SEPARATOR.fullmatch(lines[0])
    above = 1 if separator else 0
    delimiter = separator[1] if separator else _delimiter(lines[0])
    csv.field_size_limit(CELL_LIMIT)
    reader = csv.reader(lines[above:], delimiter=delimiter, strict=True)
    columns: list[str] = []
    number = above + 1
    try:
        for cells in reader:
            where, number = f"{path}:{number}", above + reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = _columns(cells, where)
            else:
                yield _row(dict(zip(columns, _of_width(cells, len(columns), where), strict=True)), where)
    except csv.Error as error:
        what, hint = f"not CSV: {error}", "close the quotes of this row; write a quote inside a text twice"
        raise ContentError(what, where=f"{path}:{number}", hint=hint) from None


def checked(model: type[BaseModel], data: Mapping[str, object], where: str) -> None:
    """Raises ContentError."""
    try:
        model.model_validate(data)
    except ValidationError as error:
        what, _, hint = explanation(error)
        raise ContentError(what, where=where, hint=hint) from None


def _text(path: Source) -> str:
    try:
        return read_text(path)
    except ContentError as error:
        if "UTF-8" not in error.what:
            raise
        hint = "in a spreadsheet: save it as CSV UTF-8, not as CSV"
        raise ContentError(error.what, where=error.where, hint=hint) from None


def _delimiter(line: str) -> str:
    """Some spreadsheets write semicolons or tabs: the one that the first line has most."""
    return max(DELIMITERS, key=line.count)


def _columns(cells: list[str], where: str) -> list[str]:
    columns = [cell.strip().lower() for cell in cells]
    while not columns[-1]:  # a column that was emptied in the spreadsheet
        columns.pop()
    for name in columns:
        if name not in COLUMNS:
            raise ContentError(f"unknown column {name[:40]}", where=where, hint=nearest(name, COLUMNS))
    missing = [name for name in NEEDED if name not in columns]
    if missing or len(set(columns)) < len(columns):
        what = f"the column {missing[0]} is missing" if missing else "a column stands there twice"
        raise ContentError(what, where=where, hint=f"begin with the row {','.join(NEEDED)}")
    return columns


def _of_width(cells: list[str], width: int, where: str) -> list[str]:
    """Empty cells at the end may be left out; more than there are columns may not be."""
    if any(cell.strip() for cell in cells[width:]):
        raise ContentError("more cells than columns", where=where, hint="put a text with the delimiter into quotes")
    return [cell.strip() for cell in (cells + [""] * width)[:width]]


def _row(cells: Mapping[str, str], where: str) -> Row:
    lang = cells["lang"].lower()
    if lang not in LANGS:
        what = f"lang: {cells['lang'][:20]} is no language" if lang else "lang is missing"
        raise ContentError(what, where=where, hint=f"write {' or '.join(LANGS)}")
    variants = [said.strip() for said in BETWEEN_VARIANTS.split(cells["variants"]) if said.strip()]
    text = {"question": cells["question"], "variants": variants, "answer": cells["answer"]}
    return Row(where, cells.get("id", "") or _id_of(cells["question"]), lang, text)


def says_nothing(entry_id: str) -> bool:
    """An id made of a question without a Latin word."""
    return re.fullmatch(r"[0-9a-f]{8}", entry_id) is not None


def _id_of(question: str) -> str:
    """The same question gives the same id."""
    words = re.sub(r"[^a-z0-9]+", "-", question.lower()).strip("-")
    digest = sha256(question.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{words[:48].strip('-')}-{digest}".strip("-")
