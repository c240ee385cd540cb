import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_core.knowledge.documents import Document, Unreadable
from cloud_core.knowledge.ingest import sources
from cloud_core.knowledge.ingest.parser import Parser
from tests.cloud_core.knowledge import files

pytestmark = pytest.mark.server


@pytest.fixture
def parser() -> Iterator[Parser]:
    with Parser() as one:
        yield one


def test_files_of_all_kinds_are_read_by_one_worker(parser: Parser, tmp_path: Path) -> None:
    for name, content in {
        "a.md": b"# Title\n\nSome text.",
        "b.HTML": b"<p>Some text.</p>",
        "c.txt": b"Some text.",
        "d.pdf": files.pdf("Some text."),
        "e.docx": files.word_file(),
    }.items():
        path = tmp_path / name
        path.write_bytes(content)
        document, read = parser.parse(path)
        assert read == content
        assert document.blocks


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.md", b"", "is empty"),
        ("blank.txt", b" \n\t\n", "is empty"),
        ("table.numbers", b"PK", "no reader for '.numbers'"),
        ("noending", b"text", "no reader for ''"),
        ("wrong.pdf", b"# markdown", "not a PDF"),
        ("locked.pdf", files.encrypted_pdf(), "encrypted"),
        ("bomb.docx", files.zip_bomb(), "unpacks"),
    ],
)
def test_an_unreadable_file_has_a_reason(
    parser: Parser, tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=reason):
        parser.parse(path)


def test_a_huge_file_is_refused_unread(parser: Parser, tmp_path: Path) -> None:
    path = tmp_path / "huge.txt"
    with path.open("wb") as file:
        file.truncate(sources.MOST_BYTES + 1)
    with pytest.raises(Unreadable, match="more than 20"):
        parser.parse(path)


def test_a_missing_file_and_a_folder_have_a_reason(parser: Parser, tmp_path: Path) -> None:
    (tmp_path / "folder.md").mkdir()
    for name in ("gone.md", "folder.md"):
        with pytest.raises(Unreadable, match="does not open"):
            parser.parse(tmp_path / name)


def test_one_huge_line_is_read(parser: Parser) -> None:
    line = b"word " * 400_000
    document = parser.parse_content(line, ".md")
    assert len(document.blocks[0].text) == len(line) - 1


def test_a_late_worker_is_replaced(tmp_path: Path) -> None:
    with Parser(time_limit_s=1e-4) as hurried, Parser() as patient:
        with pytest.raises(Unreadable, match="longer than"):
            hurried.parse_content(b"text", ".md")
        hurried._time_limit_s = 30.0
        assert hurried.parse_content(b"text", ".md") == patient.parse_content(b"text", ".md")


def test_a_worker_that_dies_costs_its_file_only(parser: Parser) -> None:
    assert isinstance(parser.parse_content(b"text", ".md"), Document)
    assert parser._worker
    parser._worker.kill()
    parser._worker.wait()
    assert parser.parse_content(b"text", ".txt").blocks


def test_no_worker_outlives_its_parser(tmp_path: Path) -> None:
    with Parser() as parser:
        parser.parse_content(b"text", ".md")
        worker = parser._worker
    assert worker
    for _ in range(100):
        if worker.poll() is not None:
            break
        time.sleep(0.05)
    assert worker.returncode is not None


def test_the_worker_cannot_write_files_or_take_all_memory(parser: Parser) -> None:
    parser.parse_content(b"text", ".md")
    assert parser._worker
    limits = Path(f"/proc/{parser._worker.pid}/limits").read_text()
    rows = {line[:26].strip(): line[26:].split()[0] for line in limits.splitlines()}
    assert rows["Max file size"] == "0"
    assert rows["Max address space"] == str(2**30)
