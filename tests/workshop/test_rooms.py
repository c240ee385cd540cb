"""What import-linter cannot say: which files of a room are adapters is read from the folder."""

import ast
from pathlib import Path

import pytest

from tests.servers import ROOT

pytestmark = pytest.mark.unit

ROOMS = [("edge_node/channels", "Channel"), ("cloud_core/engines", "Engine")]


def adapters(room: Path, role: str) -> dict[str, ast.Module]:
    """Files that define the class of the room's role; `base.py` describes it and is none."""
    trees = {
        file.stem: ast.parse(file.read_text(encoding="utf-8")) for file in room.glob("*.py") if file.stem != "base"
    }
    return {
        name: tree
        for name, tree in trees.items()
        if any(isinstance(node, ast.ClassDef) and node.name == role for node in tree.body)
    }


def imported(tree: ast.Module, package: str) -> set[str]:
    """Every module a file of `package` may mean: `from a.b import c` gives a.b and a.b.c."""
    names = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            above = parts[: len(parts) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize(("room", "role"), ROOMS, ids=lambda value: str(value))
def test_adapters_of_a_room_do_not_know_each_other(room: str, role: str) -> None:
    package = dotted(ROOT / room)
    files = adapters(ROOT / room, role)
    assert files
    others = {name: {f"{package}.{other}" for other in files if other != name} for name in files}
    strangers = {name: imported(tree, package) & others[name] for name, tree in files.items()}
    assert {name: names for name, names in strangers.items() if names} == {}


@pytest.mark.parametrize(("room", "role"), ROOMS, ids=lambda value: str(value))
def test_nothing_outside_a_room_names_one_of_its_adapters(room: str, role: str) -> None:
    """Which adapters there are is read from the folder; a name elsewhere would be a list kept by hand."""
    package = dotted(ROOT / room)
    names = {f"{package}.{name}" for name in adapters(ROOT / room, role)}
    naming = {
        dotted(file): found
        for file in (ROOT / room.split("/")[0]).rglob("*.py")
        if (found := imported(ast.parse(file.read_text(encoding="utf-8")), dotted(file.parent)) & names)
    }
    assert naming == {}


@pytest.mark.parametrize(
    "line",
    [
        "from edge_node.channels import web",
        "from edge_node.channels.web import Channel",
        "import edge_node.channels.web as w",
        "from . import web",
        "from .web import Channel",
        "from ..channels.web import Channel",
    ],
)
def test_an_import_is_seen_in_each_of_its_forms(line: str) -> None:
    assert "edge_node.channels.web" in imported(ast.parse(line), "edge_node.channels")
