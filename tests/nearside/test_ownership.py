import threading
from pathlib import Path

import pytest

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

    monkeypatch.setattr(Path, "write_text", refuse)
    with sole_owner(tmp_path, "edge"):
        assert running_pid(tmp_path, "edge") is None
