import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
import typer.core
import typer.main
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cloud_core import cli as core_cli
from cloud_core.settings import CoreSettings
from edge_node import cli as edge_cli
from edge_node.settings import EdgeSettings
from nearside.content import json_schemas, load_tenant_content
from nearside.hours import DAYS
from nearside.origins import Reason, Source
from tests.servers import ROOT

pytestmark = pytest.mark.unit

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
MADE_LATER = {DOCS / "images" / "chat.png"}

FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
FENCED_FILE = re.compile(r"^```\w+ (\S+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


def read(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def code_words(page: str) -> set[str]:
    """Every word that stands in `code` on a page."""
    spans = re.findall(r"`([^`\n]+)`", FENCED.sub("", read(page)))
    return {word for span in spans for word in re.findall(r"\w+", span)}


def row_of(page: str, name: str) -> list[str] | None:
    """The cells after the one that says `name`, in whichever table of the page."""
    found = re.search(rf"^\| `{re.escape(name)}` \|(.*)\|$", read(page), re.MULTILINE)
    return [cell.strip() for cell in found.group(1).split(" |")] if found else None


@pytest.mark.parametrize("member", [*Source, *Reason], ids=lambda member: f"{type(member).__name__}-{member}")
def test_every_source_and_reason_is_explained(member: Source | Reason) -> None:
    cells = row_of("reasons.md", member.value)
    assert cells and cells[0], f"docs/reasons.md has no row for `{member.value}`"


def commands_of(command: object, name: str) -> Iterator[str]:
    if not isinstance(command, typer.core.TyperGroup):
        yield name
        return
    for child, below in command.commands.items():
        yield from commands_of(below, f"{name} {child}")


@pytest.mark.parametrize(
    ("page", "program", "app"),
    [("edge.md", edge_cli.PROGRAM, edge_cli.app), ("core.md", core_cli.PROGRAM, core_cli.app)],
)
def test_every_command_is_mentioned(page: str, program: str, app: typer.Typer) -> None:
    commands = set(commands_of(typer.main.get_command(app), program))
    assert f"{program} serve" in commands
    missing = {command for command in commands if not re.search(rf"^\| `{command}\b", read(page), re.MULTILINE)}
    assert not missing, f"docs/{page} has no row for them"


def settings_of(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        inner, step = field.annotation, f"{prefix}{name}."
        if found := [kind for kind in get_args(inner) if isinstance(kind, type) and issubclass(kind, BaseModel)]:
            inner, step = found[0], f"{step}ID."
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from settings_of(inner, step)
        else:
            yield prefix + name, field


def default_of(field: FieldInfo) -> str:
    if field.default_factory is not None or field.is_required():
        return "none"
    value = str(field.default) if isinstance(field.default, Path) else field.default
    return f"`{json.dumps(value)}`"


@pytest.mark.parametrize(("page", "model"), [("edge.md", EdgeSettings), ("core.md", CoreSettings)])
def test_every_setting_is_in_the_table_with_its_default(page: str, model: type[BaseModel]) -> None:
    wrong = {}
    for key, field in settings_of(model):
        cells = row_of(page, key)
        if cells is None or cells[0] != default_of(field):
            wrong[key] = f"| `{key}` | {default_of(field)} |"
    assert not wrong, f"docs/{page} lacks these rows, or has another default"


def anchors_of(page: Path) -> set[str]:
    """As GitHub makes them out of headings."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in HEADING.findall(text)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in LINK.findall(FENCED.sub("", page.read_text(encoding="utf-8"))):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if "://" in link or target in MADE_LATER:
            continue
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            broken.append(link)
    assert not broken


def test_the_examples_of_content_are_a_company_that_loads(tmp_path: Path) -> None:
    for name, text in FENCED_FILE.findall(read("content.md")):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        assert not file.exists(), f"two examples are called {name}"
        file.write_text(text, encoding="utf-8")
    content = load_tenant_content(tmp_path)
    assert content.faq and content.intents and content.tools and list(content.rules)


def keys_in(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        properties = schema.get("properties")
        yield from properties if isinstance(properties, Mapping) else ()
        for part in schema.values():
            yield from keys_in(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from keys_in(part)


@pytest.mark.parametrize("name", json_schemas())
def test_every_key_an_operator_may_write_is_explained(name: str) -> None:
    keys = set(keys_in(json_schemas()[name])) - set(DAYS)
    assert keys
    assert not keys - code_words("content.md")


def problems_raised() -> Iterator[str]:
    """The second argument of each `Refused(…)` at the edge."""
    for file in (ROOT / "edge_node").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refused":
                assert isinstance(node.args[1], ast.Constant), f"{file}: a problem's type is a word"
                yield str(node.args[1].value)


def test_every_problem_type_is_in_the_table() -> None:
    problems = set(problems_raised())
    assert "idempotency-mismatch" in problems
    assert not {problem for problem in problems if row_of("api.md", problem) is None}
