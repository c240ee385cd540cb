"""What a customer may have written and no log, no metric and no raw file may hold.

The flows send these words; when the whole session has ended, everything its programs wrote is searched for them.
"""

import json
import mmap
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

PHONE = "+49 151 88442071"
EMAIL = "marlene.quandtowski@postfach.example"
NAME = "Marlene Quandtowski"
SENTENCE = "我上周在琥珀湖边丢了一只蓝色的水壶"
MARKERS = (PHONE, EMAIL, NAME, SENTENCE)

PLAIN_DATABASE = b"SQLite format 3\0"
NOT_OURS = ("shop.db",)
"""The demo company's own system: it keeps its customers' data as it likes."""

_in_reports: list[str] = []


def findings(folder: Path) -> list[str]:
    """One line for each marker in a file below `folder`, and for each database that is not sealed."""
    return [line for file in _files(folder) for line in _findings_in(file)]


def found_in(text: str) -> list[str]:
    """The markers in `text`, under any spelling."""
    return _markers_in(text.encode("utf-8", "surrogatepass"))


def read_report(report: pytest.TestReport) -> None:
    """What a test's own process logged and printed is remembered until `reported`."""
    for title, text in report.sections:
        _in_reports.extend(f"{report.nodeid}, {title}: {marker}" for marker in found_in(text))


def reported() -> list[str]:
    return list(dict.fromkeys(_in_reports))


def _files(folder: Path) -> Iterator[Path]:
    for where, _, names in os.walk(folder):
        for name in sorted(names):
            file = Path(where) / name
            if file.is_file() and not file.is_symlink():
                yield file


def _findings_in(file: Path) -> Iterator[str]:
    if file.stat().st_size == 0:
        return
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for marker in _markers_in(content):
            yield f"{file}: {marker}"
        if content[: len(PLAIN_DATABASE)] == PLAIN_DATABASE and not file.name.startswith(NOT_OURS):
            yield f"{file}: a database that is not sealed"


def _markers_in(content: "bytes | mmap.mmap") -> list[str]:
    spelt = {found.group() for found in _ANY.finditer(content)}
    return [marker for marker in MARKERS if spelt & _SPELLINGS[marker]]


def _spellings(marker: str) -> Iterable[bytes]:
    """As it may stand in a file: plain, in JSON, in an address, without its spaces, in UTF-16."""
    for text in (marker, marker.replace(" ", ""), json.dumps(marker)[1:-1], quote(marker), quote(marker, safe="@+")):
        yield text.encode()
    yield marker.encode("utf-16-le")


_SPELLINGS = {marker: frozenset(_spellings(marker)) for marker in MARKERS}
_ANY = re.compile(b"|".join(re.escape(spelling) for spellings in _SPELLINGS.values() for spelling in spellings))
