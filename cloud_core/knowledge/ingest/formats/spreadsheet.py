"""Spreadsheets: every sheet's rows become records under the sheet's name."""

import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cloud_core.knowledge.documents import Block, Document, Kind, Unreadable
from cloud_core.knowledge.folding import fold
from cloud_core.knowledge.ingest.archives import check_office
from cloud_core.knowledge.ingest.number_formats import shown
from cloud_core.knowledge.ingest.records import records_of
from cloud_core.knowledge.ingest.workbook_formats import Codes, WorkbookFormats

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

ENDINGS = frozenset({".xlsx", ".xlsm", ".xls", ".ods"})

MOST_CELLS = 3_000_000
_OLD = b"\xd0\xcf\x11\xe0"
_UNNAMED = re.compile(r"(?:sheet|table|tabelle|feuil|工作表|表)\s*\d*", re.IGNORECASE)


def parse(content: bytes) -> Document:
    import python_calamine as calamine

    if not content.startswith(_OLD):
        check_office(content, "a spreadsheet", ".xlsx")
    try:
        workbook = calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
        blocks, remarks = _sheets(workbook, content)
    except calamine.PasswordError:
        raise Unreadable("is encrypted: save it without a password") from None
    except (calamine.CalamineError, ValueError, OSError):
        raise Unreadable("is not a spreadsheet: damaged, or wrong file name ending") from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # the library's own, which is no Exception
            raise
        raise Unreadable("is a damaged spreadsheet") from None
    return Document(blocks=tuple(blocks), remarks=tuple(remarks))


def _sheets(workbook: "CalamineWorkbook", content: bytes) -> tuple[list[Block], list[str]]:
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    formats = _formats(content)
    blocks: list[Block] = []
    remarks: list[str] = []
    tables = [sheet for sheet in workbook.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
    for about in tables:
        if about.visible != SheetVisibleEnum.Visible:
            remarks.append(f"the hidden sheet {fold(about.name)[:60]} is left out")
            continue
        sheet = workbook.get_sheet_by_name(about.name)
        if sheet.height * sheet.width > MOST_CELLS:
            raise Unreadable(f"has a sheet of more than {MOST_CELLS:,} cells: split it")
        rows = _rows(sheet, _codes(formats, about.name))
        if len(tables) > 1 or not _UNNAMED.fullmatch(about.name):
            blocks.append(Block(kind=Kind.HEADING, text=fold(about.name), level=1))
        blocks.extend(records_of(rows, group=len(blocks)))
    return blocks, remarks


def _formats(content: bytes) -> WorkbookFormats | None:
    """Without them numbers are shown plainly: no reason to refuse a file."""
    try:
        return None if content.startswith(_OLD) else WorkbookFormats(content)
    except Exception:  # a damaged part of an archive raises whatever its packing does
        return None


def _codes(formats: WorkbookFormats | None, sheet: str) -> Codes:
    try:
        return formats.of(sheet) if formats else {}
    except Exception:  # as above
        return {}


def _rows(sheet: "CalamineSheet", codes: Codes) -> list[list[str]]:
    top, left = sheet.start or (0, 0)
    rows = [
        [fold(shown(cell, codes.get((top + row, left + column), ""))) for column, cell in enumerate(cells)]
        for row, cells in enumerate(sheet.to_python())
    ]
    for (first, start), (last, end) in _merged(sheet):
        _fill(rows, first - top, last - top, start - left, end - left)
    return rows


def _merged(sheet: "CalamineSheet") -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    yield from sheet.merged_cell_ranges or ()


def _fill(rows: list[list[str]], first: int, last: int, start: int, end: int) -> None:
    """Every row of a merged cell has its text, and every column unless the cell is as wide as the table."""
    if not (0 <= first < len(rows) and 0 <= start < len(rows[first])):
        return
    text, width = rows[first][start], len(rows[first])
    across = range(start, min(end, width - 1) + 1) if end - start + 1 < width else (start,)
    for row in rows[first : last + 1]:
        for column in across:
            row[column] = row[column] or text
