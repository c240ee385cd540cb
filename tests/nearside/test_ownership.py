import os
import threading
from pathlib import Path

import pytest

from nearside.errors import StorageError
from nearside.ownership import FolderInUse, running_pid, sole_owner

pytestmark = pytest.mark.unit


def held_by_another(data: Path) -> threading.Event:
    """Another holder on a thread: the lock belongs to the open file, so it is as good as another process."""
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with sole_owner(data, "edge"):
            held.set()
            let_go.wait(20)

    threading.Thread(target=hold, daemon=True).start()
    assert held.wait(20)
    return let_go


def test_a_folder_that_another_one_holds_is_refused_at_once(tmp_path: Path) -> None:
    let_go = held_by_another(tmp_path)
    with pytest.raises(FolderInUse, match="another edge"), sole_owner(tmp_path, "edge"):
        pass
    let_go.set()


def test_who_has_patience_gets_the_folder_when_the_other_one_ends(tmp_path: Path) -> None:
    let_go = held_by_another(tmp_path)
    threading.Timer(0.2, let_go.set).start()
    with sole_owner(tmp_path, "edge", patience_s=20):
        assert let_go.is_set()


def test_patience_comes_to_an_end(tmp_path: Path) -> None:
    let_go = held_by_another(tmp_path)
    with pytest.raises(FolderInUse), sole_owner(tmp_path, "edge", patience_s=0.1):
        pass
    let_go.set()


def test_a_folder_in_which_no_more_fits_is_served_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nearside.ownership.os.getpid", refuse)
    with sole_owner(tmp_path, "edge"):
        assert running_pid(tmp_path, "edge") is None


def test_what_an_earlier_process_left_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "edge.pid").write_text("123456789\n")
    with sole_owner(tmp_path, "edge"):
        assert running_pid(tmp_path, "edge") == os.getpid()
    assert not (tmp_path / "edge.pid").exists()


def test_root_leaves_a_service_users_folder_to_that_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, tuple[int, int]] = {}

    def give(descriptor: int, user: int, group: int) -> None:
        given[Path(os.readlink(f"/proc/self/fd/{descriptor}")).name] = (user, group)

    stat = os.stat_result((0o40700, 0, 0, 1, 998, 997, 0, 0, 0, 0))
    monkeypatch.setattr(Path, "stat", lambda *_, **__: stat)
    monkeypatch.setattr("nearside.ownership.os.fchown", give)
    for user, expected in ((1000, {}), (0, {"edge.lock": (998, 997), "edge.pid": (998, 997)})):
        monkeypatch.setattr("nearside.ownership.os.geteuid", lambda user=user: user)
        with sole_owner(tmp_path, "edge"):
            assert given == expected
        (tmp_path / "edge.lock").unlink()


def test_root_gives_away_nothing_that_was_there_and_follows_no_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, kept = tmp_path / "data", tmp_path / "kept"
    data.mkdir()
    kept.write_text("kept")
    given: list[int] = []
    monkeypatch.setattr("nearside.ownership.os.geteuid", lambda: 0)
    monkeypatch.setattr("nearside.ownership.os.fchown", lambda *owner: given.append(owner[0]))
    (data / "edge.lock").touch()
    (data / "edge.pid").symlink_to(kept)
    with sole_owner(data, "edge"):
        pass
    (data / "core.lock").symlink_to(kept)
    with pytest.raises(StorageError), sole_owner(data, "core"):
        pass
    assert (given, kept.read_text()) == ([], "kept")
