"""`edge-node restore`: an edge out of its archive and the recovery key, on whichever machine."""

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_node.cli.backup import size_of
from edge_node.cli.config import FILE, Config
from edge_node.cli.tables import count
from nearside import terminal
from nearside.errors import NearsideError, SettingsError
from nearside.recovering import KeyFile, read_key
from nearside.terminal import AsJson

if TYPE_CHECKING:
    from edge_node.control.holdings import Holdings
    from edge_node.control.restoring import Restored

COLUMNS = {
    "tenant": "Company",
    "conversations": "Conversations",
    "messages": "Messages",
    "open_turns": "Open turns",
    "unsent_replies": "Unsent replies",
}


def add_to(app: typer.Typer) -> None:
    app.command("restore", help="Bring an edge back from a backup, with nothing but the file and the recovery key.")(
        restore
    )


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    into: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A new edge here; otherwise to the places edge.toml names.")
    ] = None,
    only_list: Annotated[bool, typer.Option("--list", help="Read and check it, show what it holds, no more.")] = False,
    key_file: KeyFile = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    from edge_node import settings
    from edge_node.control import restoring

    if into is not None and config is not None:
        raise typer.BadParameter("either a new place or the one of a settings file", param_hint="'--into'")
    if only_list:
        _list(file, key_file, as_json=as_json)
        return
    if into is not None:
        restored = restoring.restore_into(file, partial(read_key, key_file), into)
    else:
        path = _settings_file(config)
        restored = restoring.restore_to(file, partial(read_key, key_file), path, settings.load(path))
    if as_json:
        terminal.show_json(restored.as_json())
    else:
        _tell(restored)


def _settings_file(config: Path | None) -> Path:
    try:
        return FILE.find(config)
    except SettingsError:
        raise NearsideError("restore where to?", hint="give --into DIR, or --config FILE with an edge.toml") from None


def _list(file: Path, key_file: Path | None, *, as_json: bool) -> None:
    from edge_node.control.holdings import Holdings
    from edge_node.control.restoring import refuse_other
    from nearside.archive import read_manifest

    refuse_other(file)
    manifest = read_manifest(file, read_key(key_file))
    held, about = Holdings.of(manifest), manifest.about
    if as_json:
        entries = [{"path": entry.path, "size": entry.size, "sha256": entry.sha256} for entry in manifest.files]
        facts = {"name": about.name, "version": manifest.version, "schemas": dict(about.schemas)}
        terminal.show_json({**facts, "made_at": manifest.made_at, **held.model_dump(), "files": entries})
        return
    typer.echo(f"the edge {about.name} at {manifest.made_at}, by version {manifest.version}: whole and unchanged")
    _show_tenants(held)
    typer.echo(f"{count(len(manifest.files), 'file')}, {size_of(manifest.size)}")
    for line in held.left_out:
        typer.echo(f"left out: {line}", err=True)


def _show_tenants(held: "Holdings") -> None:
    rows = [{"tenant": tenant_id, **counts.model_dump()} for tenant_id, counts in held.tenants.items()]
    terminal.show_rows(rows, COLUMNS, as_json=False, empty="no company")


def _tell(restored: "Restored") -> None:
    _show_tenants(restored.holdings)
    if restored.holdings.open:
        typer.echo(f"{restored.holdings.open} turns and replies were under way: they go on after the start, or wait in")
        typer.echo("`edge-node dead list` where a channel would not know a repeated reply")
    for kept in restored.kept:
        typer.echo(f"kept, it was there already: {kept}", err=True)
    for tenant_id in restored.unserved:
        typer.echo(f"not served: {tenant_id}, edge.toml does not name it", err=True)
    if os.geteuid() == 0:
        typer.echo("restored by root: see that the edge's user owns the files", err=True)
    typer.echo(f"restored what was backed up at {restored.manifest.made_at}; next:")
    typer.echo(f"`edge-node check --config {restored.settings}` and `edge-node serve --config {restored.settings}`")
