"""Every reader with damaged files of its own kind, made from whole ones; a library may take its worker down."""

import io
import zipfile
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud_core.knowledge.documents import Unreadable
from cloud_core.knowledge.ingest.parser import Parser
from cloud_core.knowledge.passages import split
from tests.cloud_core.knowledge import files

pytestmark = pytest.mark.server

PAGE = """<html lang=en><head><title>T</title></head><body><main><h1>T</h1><table><tr><th rowspan=2>A<th colspan=2>B
<tr><td>1<td>2</table><dl><dt>Q?<dd>A</dl><details><summary>S</summary>x</details><ul><li>y</ul></main></body></html>"""
WHOLE = {
    ".md": b"---\ntitle: T\ntags: [a]\n---\n# T\n\nQ: a?\nA: b\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- x\n- y\n",
    ".html": PAGE.encode(),
    ".txt": "标题\n====\n\n问：可以吗？\n答：可以。\n\n- 一\n- 二\n".encode("gb18030"),
    ".csv": 'Item;Price\nTent;12,50\n"a\nb";4\n'.encode("utf-16"),
    ".pdf": files.pdf("# Title\nSome text here.", "More."),
    ".docx": files.word_file(),
    ".pptx": files.slides(),
    ".xlsx": files.workbook(),
    ".xls": files.old_workbook(),
    ".ods": files.open_document_sheet(),
}
CHANGES = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8)
SLOW = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with Parser() as one:
        yield one


def read(parser: Parser, ending: str, content: bytes) -> None:
    try:
        document = parser.parse_content(content, ending)
    except Unreadable as error:
        assert error.what
    else:
        split(document)


def damaged(content: bytes, changes: list[tuple[float, int]]) -> bytes:
    changed = bytearray(content)
    for place, value in changes:
        changed[int(place * len(changed))] = value
    return bytes(changed)


@pytest.mark.parametrize("ending", WHOLE)
@given(changes=CHANGES)
@SLOW
def test_a_file_with_wrong_bytes_is_read_or_refused(
    parser: Parser, ending: str, changes: list[tuple[float, int]]
) -> None:
    read(parser, ending, damaged(WHOLE[ending], changes))


@pytest.mark.parametrize("ending", WHOLE)
@given(cut=st.floats(0, 1))
@SLOW
def test_a_file_that_ends_early_is_read_or_refused(parser: Parser, ending: str, cut: float) -> None:
    read(parser, ending, WHOLE[ending][: int(cut * len(WHOLE[ending]))])


@pytest.mark.parametrize("ending", [".docx", ".pptx", ".xlsx", ".ods"])
@given(member=st.integers(0, 200), changes=CHANGES)
@SLOW
def test_an_office_file_with_wrong_bytes_in_a_part_is_read_or_refused(
    parser: Parser, ending: str, member: int, changes: list[tuple[float, int]]
) -> None:
    with zipfile.ZipFile(io.BytesIO(WHOLE[ending])) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = [name for name, content in parts.items() if content][member % len(parts)]
    read(parser, ending, files.archive(parts | {name: damaged(parts[name], changes)}, zipfile.ZIP_STORED))


@pytest.mark.parametrize("ending", WHOLE)
@pytest.mark.parametrize("other", WHOLE)
def test_a_file_of_another_kind_is_read_or_refused(parser: Parser, ending: str, other: str) -> None:
    read(parser, ending, WHOLE[other])


@pytest.mark.parametrize("ending", WHOLE)
def test_the_whole_files_are_read_and_cut(parser: Parser, ending: str) -> None:
    assert split(parser.parse_content(WHOLE[ending], ending))
