import os
from pathlib import Path

import pytest

from nearside.placing import hand_over

pytestmark = pytest.mark.unit


def test_what_root_brings_is_its_folders_owners_and_nothing_that_a_link_points_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []
    outside, tree = tmp_path / "outside", tmp_path / "tree"
    outside.mkdir()
    (outside / "file").touch()
    (tree / "inner").mkdir(parents=True)
    (tree / "inner" / "file").touch()
    (tree / "link").symlink_to(outside)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "lchown", lambda path, *_: given.append(str(Path(path).relative_to(tmp_path))))
    monkeypatch.setattr(os, "chown", lambda path, *_: given.append(str(Path(path).resolve().relative_to(tmp_path))))
    hand_over(tree, tree)
    assert sorted(given) == ["tree", "tree/inner", "tree/inner/file", "tree/link"]
