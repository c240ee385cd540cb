"""What import-linter cannot say about the rooms of the edge."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import edge_node
from edge_node.channels.folder import channel_classes

pytestmark = pytest.mark.unit

EDGE = Path(edge_node.__file__).parent


def trees(folder: Path) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(folder.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def test_a_channel_is_a_file_and_its_kind_is_the_files_name() -> None:
    classes = channel_classes()
    assert {"web", "api"} <= set(classes)
    for kind, found in classes.items():
        assert found.__module__ == f"edge_node.channels.{kind}"


def test_channels_do_not_know_each_other_nor_the_rooms_behind_the_door() -> None:
    kinds = {f"edge_node.channels.{kind}" for kind in channel_classes()}
    rooms = tuple(f"edge_node.{room}" for room in ("turns", "responders", "storage", "tools", "privacy", "uplink"))
    for path, tree in trees(EDGE / "channels"):
        imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not imported & kinds, path
        assert not [name for name in imported if name.startswith(rooms)], path


def test_only_privacy_makes_what_may_leave() -> None:
    makers = {
        path.relative_to(EDGE).parts[0]
        for path, tree in trees(EDGE)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "MaskedTurn"
    }
    assert makers == {"privacy"}


def test_only_the_turn_pipeline_masks() -> None:
    users = {
        path.relative_to(EDGE).parts[0]
        for path, tree in trees(EDGE)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "") == "edge_node.privacy.masking"
    }
    assert users <= {"turns", "privacy"}
