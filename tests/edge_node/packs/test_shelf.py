import os
import time
from pathlib import Path

import pytest

from edge_node.packs import shelf as shelves
from edge_node.packs.shelf import KEPT, Shelf, State, incoming
from nearside.errors import NearsideError, PackError, StorageError

pytestmark = pytest.mark.unit


def installed(shelf: Shelf, folder: Path, *versions: str) -> State:
    state = State()
    for version in versions:
        (folder / "new").write_text(version)
        with incoming(shelf, folder / "new") as part:
            state = shelf.take(shelf.part(part), version)
    return state


def names(shelf: Shelf) -> set[str]:
    return {file.name for file in shelf.folder.iterdir()}


def test_what_is_installed_last_is_active_and_only_for_its_owner_to_read(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "tenants" / "shop")
    state = installed(shelf, tmp_path, "a", "b")
    assert (state.active, state.history) == ("b", ("a", "b"))
    assert shelf.state() == state
    assert names(shelf) == {"a.pack", "b.pack", "active.json"}
    assert {file.stat().st_mode & 0o777 for file in shelf.folder.iterdir()} == {0o600}
    assert shelf.folder.stat().st_mode & 0o777 == 0o700


def test_the_last_five_are_kept(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "tenants" / "shop")
    state = installed(shelf, tmp_path, *"abcdefg")
    assert state.history == tuple("cdefg") and len(state.history) == KEPT
    assert names(shelf) == {f"{version}.pack" for version in "cdefg"} | {"active.json"}


def test_going_back_leads_through_what_was_active_to_none(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "tenants" / "shop")
    installed(shelf, tmp_path, "a", "b", "c")
    assert [shelf.go_back().active for _ in range(3)] == ["b", "a", None]
    with pytest.raises(NearsideError, match="nothing to go back from"):
        shelf.go_back()
    assert names(shelf) == {"a.pack", "b.pack", "c.pack", "active.json"}


def test_what_was_rolled_back_from_goes_with_the_next_install(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "tenants" / "shop")
    installed(shelf, tmp_path, "a", "b", "c")
    shelf.go_back()
    assert installed(shelf, tmp_path, "d").history == ("a", "b", "d")
    assert names(shelf) == {"a.pack", "b.pack", "d.pack", "active.json"}
    assert shelf.go_back().active == "b"


def test_one_installed_again_stands_there_once(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "tenants" / "shop")
    state = installed(shelf, tmp_path, "a", "b", "a")
    assert (state.history, state.active) == (("b", "a"), "a")
    assert shelf.file("a").read_text() == "a"


def test_what_was_not_taken_leaves_nothing(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "tenants" / "shop")
    (tmp_path / "new").write_text("x")
    with pytest.raises(RuntimeError), incoming(shelf, tmp_path / "new") as part:
        assert shelf.part(part).read_text() == "x"
        assert shelf.part(part).stat().st_mode & 0o777 == 0o600
        raise RuntimeError
    assert names(shelf) == set()


def test_what_a_killed_command_left_goes_after_an_hour(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "tenants" / "shop")
    installed(shelf, tmp_path, "a")
    old, young = shelf.folder / ".incoming-000000000000", shelf.folder / ".incoming-111111111111"
    old.touch()
    young.touch()
    os.utime(old, (time.time() - shelves.FORGOTTEN_S - 1,) * 2)
    installed(shelf, tmp_path, "b")
    assert not old.exists() and young.exists()


@pytest.mark.parametrize("name", ["../../x", ".incoming-zz", ".incoming-000000000000/..", "a.pack", ""])
def test_only_what_came_in_can_be_taken(tmp_path: Path, name: str) -> None:
    shelf = Shelf(tmp_path / "tenants" / "shop")
    installed(shelf, tmp_path, "a")
    with pytest.raises(PackError, match="nothing came in"):
        shelf.part(name)


def test_a_file_that_is_not_there_or_finds_no_room_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(tmp_path / "tenants" / "shop")
    for source in (tmp_path / "none", tmp_path):
        with pytest.raises(PackError), incoming(shelf, source):
            pass

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "new").write_text("x")
    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(StorageError, match="No space left"), incoming(shelf, tmp_path / "new"):
        pass
    assert names(shelf) == set()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"active": 7}', b"\xff"])
def test_a_damaged_note_is_told_and_mended_by_the_next_install(tmp_path: Path, content: bytes) -> None:
    shelf = Shelf(tmp_path / "tenants" / "shop")
    installed(shelf, tmp_path, "a")
    (shelf.folder / "active.json").write_bytes(content)
    with pytest.raises(PackError, match="which pack is active"):
        shelf.state()
    assert installed(shelf, tmp_path, "b").history == ("b",)


def test_an_active_one_that_is_not_in_the_history_is_no_line() -> None:
    assert State(history=("a",), active="b").line == ()


def test_a_backup_takes_what_is_installed_and_nothing_else(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "tenants" / "shop")
    assert shelf.files() == []
    installed(shelf, tmp_path, "a", "b")
    (shelf.folder / ".incoming-000000000000").touch()
    assert [file.name for file in shelf.files()] == ["a.pack", "b.pack", "active.json"]
