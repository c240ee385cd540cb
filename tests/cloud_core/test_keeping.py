"""`cloud-core backup`, `restore` and `keys rotate` as an operator uses them, around a core that serves."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.cloud_core import stage
from tests.cloud_core.test_cli import DOCUMENT, ask, cli, failing, fine

pytestmark = pytest.mark.server
KEY = re.compile(r"^    ((?:[0-9A-Z]{4}-){13}[0-9A-Z]{4})$", re.MULTILINE)


@pytest.fixture
def core(tmp_path: Path) -> stage.Core:
    core = stage.make_core(tmp_path / "core", tenants=("late", "other"))
    (tmp_path / "returns.en.md").write_text(DOCUMENT)
    fine("kb", "add", "--publish", tmp_path / "returns.en.md", "-t", "late", "-c", core.config)
    return core


@pytest.fixture
def key(core: stage.Core, tmp_path: Path) -> Path:
    """A file with the recovery key, as a person would have written it down."""
    found = KEY.search(fine("keys", "recovery", "-c", core.config))
    assert found
    file = tmp_path / "recovery.txt"
    file.write_text(found[1].lower())
    return file


def test_init_shows_a_recovery_key_once(tmp_path: Path) -> None:
    assert KEY.search(fine("init", tmp_path / "new"))
    assert not KEY.search(fine("init", tmp_path / "new"))


def test_a_core_is_backed_up_while_it_serves_and_comes_back_where_nothing_else_is_left(
    core: stage.Core, key: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "core.backup"
    with stage.serving(core):
        answer = ask(core, "t-1").text
        held = json.loads(fine("backup", archive, "--json", "-c", core.config))
        assert held["tenants"]["late"] == {"documents": 1, "passages": 1, "turns": 1}
        assert "--force" in failing("backup", archive, "-c", core.config)
        assert "2 companies" in fine("backup", archive, "--force", "-c", core.config)
        assert ask(core, "t-2").text == answer
    shutil.rmtree(core.folder)
    restored = fine("restore", archive, "--into", core.folder, "--recovery-key-file", key)
    assert f"cloud-core serve --config {core.config}" in restored
    with stage.serving(core):
        assert ask(core, "t-1").text == answer
        assert "within 45 days" in fine("kb", "search", "return a tent", "-t", "late", "-c", core.config)
        assert fine("check", "-c", core.config) == f"{core.config} is fine\n"


def test_what_an_archive_holds_is_listed_without_restoring_it(core: stage.Core, key: Path, tmp_path: Path) -> None:
    archive = tmp_path / "core.backup"
    fine("backup", archive, "-c", core.config)
    listed = json.loads(fine("restore", archive, "--list", "--json", "--recovery-key-file", key))
    assert list(listed["tenants"]) == ["late", "other"]
    assert "certs/node.key" in {file["path"] for file in listed["files"]}
    assert "data/nats" in listed["broker"]
    assert "whole and unchanged" in fine("restore", archive, "--list", "--recovery-key-file", key)


def test_each_refusal_to_restore_is_one_line_and_writes_nothing(core: stage.Core, key: Path, tmp_path: Path) -> None:
    archive, new, other = tmp_path / "core.backup", tmp_path / "new", tmp_path / "other.txt"
    fine("backup", archive, "-c", core.config)
    given = ("--recovery-key-file", key)
    assert "not an archive" in failing("restore", core.config, "--into", new, *given)
    assert "there is data already" in failing("restore", archive, "-c", core.config, *given)
    assert "not empty" in failing("restore", archive, "--into", core.folder, *given)
    assert "restore where to?" in failing("restore", archive, *given, cwd=tmp_path)
    assert "'--into'" in failing("restore", archive, "--into", new, "-c", core.config, *given, code=2)
    other.write_text(KEY.search(fine("init", tmp_path / "second"))[1])  # type: ignore[index]
    assert "does not open this archive" in failing("restore", archive, "--into", new, "--recovery-key-file", other)
    whole = archive.read_bytes()
    archive.write_bytes(whole[:-1])
    assert "damaged" in failing("restore", archive, "--into", new, *given)
    archive.write_bytes(whole)
    key.write_text(key.read_text()[:-1] + ("b" if key.read_text().endswith("a") else "a"))
    assert "typo" in failing("restore", archive, "--into", new, *given)
    assert not new.exists()


def test_a_backup_that_lacks_a_tenant_says_so_and_fails(core: stage.Core, key: Path, tmp_path: Path) -> None:
    (core.settings.data / "tenants" / "other" / "core.db").write_bytes(b"x" * 8192)
    done = cli("backup", tmp_path / "core.backup", "-c", core.config)
    assert done.returncode == 1
    assert "left out of the backup: other" in done.stderr.splitlines()[-1]
    assert (tmp_path / "core.backup").exists()


def test_the_node_key_is_exchanged_while_the_core_serves(core: stage.Core, key: Path) -> None:
    node_key = core.settings.node_key
    before = node_key.read_bytes()
    with stage.serving(core):
        answer = ask(core, "t-1").text
        assert json.loads(fine("keys", "rotate", "--node-only", "--json", "-c", core.config))["wrapped"] == 2
        assert node_key.read_bytes() != before
        assert ask(core, "t-1").text == answer
        assert ask(core, "t-2").text == answer
        assert "--node-only" in failing("keys", "rotate", "-c", core.config)
    assert "turn_broke" not in (core.folder / "core.log").read_text()


def test_every_file_gets_a_new_key_while_the_core_is_stopped(core: stage.Core, key: Path, tmp_path: Path) -> None:
    with stage.serving(core):
        answer = ask(core, "t-1").text
    archive = tmp_path / "before.backup"
    fine("backup", archive, "-c", core.config)
    done = cli("keys", "rotate", "--json", "-c", core.config)
    assert done.returncode == 0 and json.loads(done.stdout) == {"wrapped": 2, "tenants": ["late", "other"]}
    with stage.serving(core):
        assert ask(core, "t-1").text == answer
    fine("restore", archive, "--into", tmp_path / "new", "--recovery-key-file", key)
    assert "Late" in fine("tenant", "list", "-c", tmp_path / "new" / "core.toml")
