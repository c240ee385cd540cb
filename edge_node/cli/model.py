"""`edge-node model …`."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_node.cli.config import Config, load
from nearside import terminal
from nearside.terminal import AsJson

if TYPE_CHECKING:
    from edge_node.local_model.files import About, Models
    from edge_node.local_model.installing import Tried
    from edge_node.settings import EdgeSettings

group = terminal.make_group("The small language model at the edge: a GGUF file. A running edge takes changes up.")

STEP = 10
"""Per cent of a copy between two lines, where they go into a file."""


@group.command("add")
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    name: Annotated[str | None, typer.Option(help="What to call it; otherwise as the file is called.")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Check a GGUF file, copy it, try it, and make it the active one."""
    from edge_node.local_model.installing import add as install

    settings = load(config)
    models = _models(settings)
    about, tried = install(models, file, name, settings.local_model.threads, _progress())
    is_active = models.active() == models.file(about.name)
    if as_json:
        terminal.show_json({**asdict(about), "active": is_active, **asdict(tried)})
    else:
        _tell(about, tried, models, is_active)


@group.command("list")
def show(config: Config = None, as_json: AsJson = False) -> None:
    """List what is installed; the active one is the last added, unless edge.toml names another."""
    rows = [_row(about) for about in _models(load(config)).all()]
    columns = {"name": "Name", "active": "Active", "mib": "MiB", "architecture": "Architecture"}
    columns |= {"quantisation": "Quantised", "context": "Context", "licence": "Licence", "added": "Added"}
    if as_json:
        terminal.show_json(rows)
        return
    shown = [{**row, "active": "yes" if row["active"] else ""} for row in rows]
    terminal.show_rows(shown, columns, as_json=False, empty="no model: add one with `edge-node model add FILE`")


@group.command("remove")
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `model list` calls it.")], config: Config = None
) -> None:
    """Delete an installed model; what an answer is being written with lives until that has ended."""
    _models(load(config)).remove(name)
    typer.echo(f"removed {name}")


def _models(settings: "EdgeSettings") -> "Models":
    from edge_node.local_model.files import Models

    return Models(settings.data, settings.local_model.file)


def _row(about: "About") -> dict[str, Any]:
    row = asdict(about)
    added = datetime.fromtimestamp(row.pop("added_at"), UTC).isoformat(timespec="seconds")
    return {**row, "mib": f"{about.size / (1 << 20):,.1f}", "added": added}


def _progress() -> Callable[[str, int, int], None]:
    """A line for each step and each tenth of the copy, on standard error."""
    last = ("", -1)

    def tell(what: str, done: int, total: int) -> None:
        nonlocal last
        reached = (what, done * 100 // total // STEP if total else 0)
        if reached != last:
            last = reached
            typer.echo(f"{what} {reached[1] * STEP} %" if total else f"{what} …", err=True)

    return tell


def _tell(about: "About", tried: "Tried", models: "Models", is_active: bool) -> None:
    licence = about.licence or "not stated in the file"
    typer.echo(f"added {about.name}: {tried.description}, {about.size:,} bytes, context {about.context} tokens")
    typer.echo(f"sha256 {about.sha256}")
    typer.echo(f"architecture {about.architecture}, licence {licence}")
    typer.echo(f"loaded in {tried.load_s:.1f} s, {tried.tokens_per_s:g} tokens a second here")
    if is_active:
        typer.echo("it is the active model; companies use it whose tenant.toml says [local_model] use = …")
    else:
        typer.echo(f"edge.toml names {models.chosen} as the active model: local_model.file")
