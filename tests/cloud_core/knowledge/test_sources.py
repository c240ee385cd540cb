import io
import os
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_core.knowledge.documents import Unreadable
from cloud_core.knowledge.ingest import archives
from cloud_core.knowledge.ingest.parser import Parser
from cloud_core.knowledge.ingest.sources import MOST_BYTES, Source, count, sources
from tests.cloud_core.knowledge import files

pytestmark = pytest.mark.unit


def of(path: Path) -> dict[str, Source]:
    return {source.document_id: source for source in sources(path)}


def packed(tmp_path: Path, content: bytes, name: str = "pack.zip") -> dict[str, str]:
    (tmp_path / name).write_bytes(content)
    return {document_id: source.reason for document_id, source in of(tmp_path / name).items()}


def test_a_folder_gives_its_files_with_ids_below_it(tmp_path: Path) -> None:
    for name in ("a.md", "deep/b.txt", ".hidden/c.md", "deep/.d.md", "deep/e.unknown"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"text")
    assert list(of(tmp_path)) == ["a.md", "deep/b.txt", "deep/e.unknown"]
    assert count(tmp_path) == 3
    assert list(of(tmp_path / "deep" / "b.txt")) == ["b.txt"]
    assert [source.document_id for source in sources(tmp_path / "deep" / "b.txt", tmp_path)] == ["deep/b.txt"]


def test_a_link_out_of_the_folder_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_bytes(b"secret")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link.md").symlink_to(tmp_path / "secret.md")
    assert of(folder) == {}


def test_a_sidecar_belongs_to_its_file_and_to_its_digest(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(files.pdf("Some text."))
    before = of(tmp_path)["a.pdf"]
    (tmp_path / "a.pdf.meta.yaml").write_text("title: Named\ntags: [one]\naudience: members\n")
    after = of(tmp_path)
    assert list(after) == ["a.pdf"] and count(tmp_path) == 1
    assert before.digest != after["a.pdf"].digest == of(tmp_path)["a.pdf"].digest
    with Parser() as parser:
        assert parser.read(before).title == ""
        document = parser.read(after["a.pdf"])
        assert (document.title, document.tags, document.audience) == ("Named", ("one",), "members")
        (tmp_path / "a.pdf.meta.yaml").write_text("titel: Named\n")
        with pytest.raises(Unreadable, match="wrong .meta.yaml: there is no titel"):
            parser.read(of(tmp_path)["a.pdf"])


def test_a_sidecar_of_nothing_is_reported(tmp_path: Path) -> None:
    (tmp_path / "gone.pdf.meta.yaml").write_text("title: x\n")
    with Parser() as parser, pytest.raises(Unreadable, match="no reader"):
        parser.read(of(tmp_path)["gone.pdf.meta.yaml"])


@pytest.mark.parametrize("name", [b"bad\xff.md", b"line\nbreak.md"])
def test_a_name_that_is_no_text_is_reported(tmp_path: Path, name: bytes) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"text")
    (source,) = sources(tmp_path)
    assert "rename it" in source.reason
    assert source.document_id.encode()


def test_an_archive_gives_its_files_as_documents_of_their_own(tmp_path: Path) -> None:
    content = files.archive(
        {
            "a.md": b"# A\n\ntext",
            "deep/er/b.docx": files.word_file(),
            "deep/er/b.docx.meta.yaml": b"title: Named",
            "__MACOSX/._a.md": b"x",
            ".DS_Store": b"x",
            "folder/": b"",
        }
    )
    (tmp_path / "pack.zip").write_bytes(content)
    found = of(tmp_path)
    assert list(found) == ["pack.zip/a.md", "pack.zip/deep/er/b.docx"]
    with Parser() as parser:
        assert [parser.read(source).title for source in found.values()] == ["A", "Named"]


def test_names_of_a_chinese_windows_are_read(tmp_path: Path) -> None:
    content = files.archive({"XXXXXXXX.txt": b"text"}).replace(b"XXXXXXXX", "退货政策".encode("gbk"))
    assert packed(tmp_path, content) == {"pack.zip/退货政策.txt": ""}


def test_what_leads_astray_in_an_archive_is_refused_one_by_one(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        for name in ("../up.md", "/etc/passwd", "a/../../b.md", "C:\\x.md", "a//b.md", "good.md", "good.md", "in.zip"):
            archive.writestr(name, b"text")
        link = zipfile.ZipInfo("link.md")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, b"/etc/passwd")
        archive.writestr("odd.md", b"text", zipfile.ZIP_LZMA)
        archive.writestr("empty.md", b"")
    reasons = packed(tmp_path, buffer.getvalue())
    assert reasons.pop("pack.zip/good.md") == "is in the archive twice"
    assert "leads out" in reasons["pack.zip/../up.md"] and "leads out" in reasons["pack.zip/a/../../b.md"]
    assert "an archive in an archive" in reasons["pack.zip/in.zip"]
    assert reasons["pack.zip/link.md"] == "is a link"
    assert "unusual way" in reasons["pack.zip/odd.md"]
    assert reasons["pack.zip/empty.md"] == "is empty"
    assert all(reasons.values())


def test_encrypted_members_are_reported(tmp_path: Path) -> None:
    content = bytearray(files.archive({"a.md": b"secret"}))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert "encrypted" in packed(tmp_path, bytes(content))["pack.zip/a.md"]


def test_bombs_are_not_unpacked(tmp_path: Path) -> None:
    assert "far more" in packed(tmp_path, files.zip_bomb())["pack.zip"]
    many = files.archive({f"{number}.md": b"x" for number in range(archives.MOST_MEMBERS + 1)}, zipfile.ZIP_STORED)
    assert packed(tmp_path, many).keys() == {"pack.zip"}


def test_a_member_that_is_longer_than_it_says_is_cut_off(tmp_path: Path) -> None:
    content = bytearray(files.archive({"a.md": b"word " * 10_000}))
    directory = content.index(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = (10).to_bytes(4, "little")
    assert packed(tmp_path, bytes(content))["pack.zip/a.md"]


def test_a_directory_of_far_too_many_files_is_not_read(tmp_path: Path) -> None:
    content = bytearray(files.archive({"a.md": b"x"}))
    end = content.index(b"PK\x05\x06")
    content[end + 12 : end + 16] = (archives.MOST_DIRECTORY_BYTES + 1).to_bytes(4, "little")
    padded = b"\x00" * (archives.MOST_DIRECTORY_BYTES * 2) + content
    assert "far too many" in packed(tmp_path, padded)["pack.zip"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no zip", files.archive({"a.md": b"text"})[:-30]])
def test_a_damaged_archive_is_reported(tmp_path: Path, content: bytes) -> None:
    assert "damaged" in packed(tmp_path, content)["pack.zip"]


def test_an_archive_without_files_is_reported(tmp_path: Path) -> None:
    assert packed(tmp_path, files.archive({"folder/": b""})) == {"pack.zip": "is an archive without files"}


def test_huge_files_are_not_read(tmp_path: Path) -> None:
    for name, most in (("huge.md", MOST_BYTES), ("huge.zip", 200 * 2**20), ("a.md.meta.yaml", 64 * 2**10)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(most + 1)
    (tmp_path / "a.md").write_bytes(b"text")
    assert all("more than" in source.reason for source in sources(tmp_path))


ARCHIVE = files.archive({"a.md": b"# A\n\ntext", "b/c.txt": b"some text " * 50})


@given(st.lists(st.tuples(st.integers(0, len(ARCHIVE) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_an_archive_with_wrong_bytes_becomes_sources(changes: list[tuple[int, int]]) -> None:
    content = bytearray(ARCHIVE)
    for place, value in changes:
        content[place] = value
    path = Path(f"/tmp/sources-{os.getpid()}.zip")
    try:
        path.write_bytes(content)
        found = list(sources(path))
    finally:
        path.unlink()
    assert found
    assert all(source.reason or source.content for source in found)
    assert all(len(source.content) < 2**20 for source in found)
