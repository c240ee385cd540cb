"""The number formats of an .xlsx file's cells, which the library that reads its values does not tell."""

import html
import io
import posixpath
import re
import zipfile
from collections.abc import Mapping

from cloud_core.knowledge.ingest.number_formats import BUILT_IN

MOST_CELLS = 300_000
_NUMBER_FORMAT = re.compile(r"<(?:\w+:)?numFmt\b[^>]*>")
_STYLES = re.compile(r"<(?:\w+:)?cellXfs\b.*?</(?:\w+:)?cellXfs>", re.DOTALL)
_STYLE = re.compile(r"<(?:\w+:)?xf\b[^>]*>")
_SHEET = re.compile(r"<(?:\w+:)?sheet\b[^>]*>")
_RELATION = re.compile(r"<(?:\w+:)?Relationship\b[^>]*>")
_ATTRIBUTE = re.compile(r"([\w:]+)=\"([^\"]*)\"")
_CELL = re.compile(rb"<(?:\w+:)?c\b([^>]*)>")
_PLACE = re.compile(rb"\br=\"([A-Z]{1,3})([0-9]{1,7})\"")
_STYLED = re.compile(rb"\bs=\"([0-9]{1,6})\"")

Codes = Mapping[tuple[int, int], str]


class WorkbookFormats:
    """Raises KeyError, ValueError or zipfile's errors where the file is not as it should be."""

    def __init__(self, content: bytes) -> None:
        self._archive = zipfile.ZipFile(io.BytesIO(content))
        self._codes = _codes(self._text("xl/styles.xml"))
        relations = [_attributes(found) for found in _RELATION.findall(self._text("xl/_rels/workbook.xml.rels"))]
        targets = {relation["Id"]: relation["Target"] for relation in relations}
        sheets = [_attributes(found) for found in _SHEET.findall(self._text("xl/workbook.xml"))]
        self._files = {sheet["name"]: targets[sheet["r:id"]] for sheet in sheets if "r:id" in sheet}

    def of(self, sheet: str) -> Codes:
        """Codes by (row, column) from 0, where they change how a number looks."""
        if not self._codes or sheet not in self._files:
            return {}
        found: dict[tuple[int, int], str] = {}
        target = self._files[sheet]
        path = target[1:] if target.startswith("/") else posixpath.normpath(f"xl/{target}")
        for match in _CELL.finditer(self._archive.read(path)):
            style, place = _STYLED.search(match.group(1)), _PLACE.search(match.group(1))
            if style and place and (code := self._codes.get(int(style.group(1)))):
                found[int(place.group(2)) - 1, _column(place.group(1))] = code
                if len(found) >= MOST_CELLS:
                    break
        return found

    def _text(self, name: str) -> str:
        return self._archive.read(name).decode("utf-8", "replace")


def _attributes(tag: str) -> dict[str, str]:
    return {name: html.unescape(value) for name, value in _ATTRIBUTE.findall(tag)}


def _codes(styles: str) -> dict[int, str]:
    """Format codes by the number of the style."""
    own = [_attributes(found) for found in _NUMBER_FORMAT.findall(styles)]
    known = BUILT_IN | {int(one["numFmtId"]): one["formatCode"] for one in own}
    listed = _STYLES.search(styles)
    used = [_attributes(found).get("numFmtId", "0") for found in _STYLE.findall(listed.group() if listed else "")]
    return {number: known[int(form)] for number, form in enumerate(used) if int(form) in known}


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number - 1
