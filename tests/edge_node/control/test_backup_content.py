import os
import tomllib
from pathlib import Path

import pytest

from edge_node.control import content_files as room
from edge_node.control.content_files import content_files
from tests.edge_node.control.places import write

pytestmark = pytest.mark.unit


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("tenant.toml", "faq.yaml", "rules/talk.yaml", "documents/a.md", "documents/deep/b.md"):
        write(tmp_path / "shop" / name, 'name = "shop"\n')
    return tmp_path / "shop"


def test_everything_goes_in_and_what_the_edge_reads_first(folder: Path) -> None:
    files = content_files(folder)
    assert list(files.found) == ["faq.yaml", "rules/talk.yaml", "tenant.toml", "documents/a.md", "documents/deep/b.md"]
    assert (files.left_out, files.size) == ([], 5 * 14)


def test_links_are_followed_and_a_loop_ends(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "shared" / "tools" / "ticket.yaml", "x")
    (folder / "tools").symlink_to(tmp_path / "shared" / "tools")
    (folder / "documents" / "above").symlink_to(folder)
    (folder / "intents.jsonl").symlink_to(tmp_path / "shared" / "tools" / "ticket.yaml")
    assert {"tools/ticket.yaml", "intents.jsonl"} <= content_files(folder).found.keys()
    assert len(content_files(folder).found) == 7


def test_a_folder_as_kubernetes_mounts_it_goes_in_once(folder: Path) -> None:
    for name in ("..2024_01_01/tenant.toml", "..2024_01_01/faq.yaml"):
        write(folder / name, "x")
    (folder / "..data").symlink_to("..2024_01_01")
    for name in ("tenant.toml", "faq.yaml"):
        (folder / name).unlink()
        (folder / name).symlink_to(Path("..data") / name)
    assert len(content_files(folder).found) == 5


def test_the_history_of_version_control_stays_out(folder: Path) -> None:
    write(folder / ".git" / "objects" / "x", "x")
    write(folder / ".secrets" / "shop.key", "x")
    assert set(content_files(folder).found) >= {".secrets/shop.key"}
    assert not [name for name in content_files(folder).found if ".git" in name]


def test_what_cannot_go_in_is_named(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "nowhere").symlink_to(folder / "none")
    write(folder / "line\nbreak", "x")
    (folder / os.fsdecode(b"latin-\xe9")).write_text("x")
    left_out = content_files(folder).left_out
    assert len(left_out) == 4 and all(line.isprintable() for line in left_out)
    assert "pipe: it cannot be read" in " ".join(left_out) and "line\\nbreak" in " ".join(left_out)


def test_content_is_bounded_and_the_rest_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder / "documents" / "film.mp4", "x" * 1000)
    monkeypatch.setattr(room, "MOST_BYTES", 100)
    [line] = content_files(folder).left_out
    assert "film.mp4" in line and len(content_files(folder).found) == 5
    monkeypatch.setattr(room, "MOST_FILES", 3)
    assert list(content_files(folder).found) == ["faq.yaml", "rules/talk.yaml", "tenant.toml"]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert content_files(tmp_path / "none").left_out == [f"{tmp_path / 'none'}: no such folder"]


def test_secrets_of_tools_come_along_from_wherever_they_lie(folder: Path, tmp_path: Path) -> None:
    for file in (folder / "ours.key", tmp_path / "theirs.key", tmp_path / "etc" / "far.key"):
        write(file, "secret")
    text = f"""name = "shop"  # kept
[tools.secrets]
ours = "ours.key"
theirs = "../theirs.key"
far = "{tmp_path}/etc/far.key"
lost = "../lost.key"
"""
    write(folder / "tenant.toml", text)
    files = content_files(folder)
    assert {"ours.key", "secrets-from-elsewhere/theirs", "secrets-from-elsewhere/far"} <= files.found.keys()
    [line] = files.left_out
    assert "lost.key: no such file" in line
    assert files.settings and files.settings.startswith('name = "shop"  # kept\n')
    assert tomllib.loads(files.settings)["tools"]["secrets"] == {
        "ours": "ours.key",
        "theirs": "secrets-from-elsewhere/theirs",
        "far": "secrets-from-elsewhere/far",
        "lost": "../lost.key",
    }
    write(folder / "tenant.toml", "name = ")
    assert content_files(folder).settings is None
