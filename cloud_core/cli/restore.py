"""`cloud-core restore`: a core out of its archive and the recovery key, on whichever machine."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloud_core.cli.backup import count, size_of
from cloud_core.cli.config import FILE, Config
from nearside import terminal
from nearside.errors import NearsideError, SettingsError
from nearside.recovering import KeyFile, read_key
from nearside.terminal import AsJson

if TYPE_CHECKING:
    from cloud_core.backups.restoring import Restored
    from nearside.archive import Manifest

COLUMNS = {"tenant": "Company", "documents": "Documents", "passages": "Passages", "turns": "Turns"}


def add_to(app: typer.Typer) -> None:
    app.command("restore", help="Bring a core back from a backup, with nothing but the file and the recovery key.")(
        restore
    )


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    into: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A new core here; otherwise to the places core.toml names.")
    ] = None,
    only_list: Annotated[bool, typer.Option("--list", help="Read and check it, show what it holds, no more.")] = False,
    key_file: KeyFile = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    from cloud_core.backups.restoring import refuse_other
    from nearside.archive import read_manifest

    if into is not None and config is not None:
        raise typer.BadParameter("either a new place or the one of a settings file", param_hint="'--into'")
    refuse_other(file)  # said before the key is asked for
    path = None if only_list or into is not None else _settings_file(config)
    key = read_key(key_file)
    if only_list:
        _list(read_manifest(file, key), as_json=as_json)
        return
    from cloud_core import settings
    from cloud_core.backups import restoring

    if path is None:
        assert into is not None
        restored = restoring.restore_into(file, key, into)
    else:
        restored = restoring.restore_to(file, key, path, settings.load(path))
    if as_json:
        terminal.show_json(restored.as_json())
    else:
        _tell(restored)


def _settings_file(config: Path | None) -> Path:
    try:
        return FILE.find(config)
    except SettingsError:
        raise NearsideError("restore where to?", hint="give --into DIR, or --config FILE with a core.toml") from None


def _list(manifest: "Manifest", *, as_json: bool) -> None:
    if as_json:
        entries = [{"path": entry.path, "size": entry.size, "sha256": entry.sha256} for entry in manifest.files]
        about = {"name": manifest.about.name, "version": manifest.version, "schemas": dict(manifest.about.schemas)}
        terminal.show_json({**about, "made_at": manifest.made_at, **manifest.facts, "files": entries})
        return
    typer.echo(
        f"the core {manifest.about.name}, {manifest.made_at}, by version {manifest.version}, whole and unchanged"
    )
    terminal.show_rows(_rows(manifest.facts.get("tenants", {})), COLUMNS, as_json=False, empty="no company")
    typer.echo(f"{count(len(manifest.files), 'file', 'files')}, {size_of(manifest.size)}")
    for line in manifest.facts.get("left_out", ()):
        typer.echo(f"left out: {line}", err=True)


def _rows(tenants: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    return [{"tenant": tenant_id, **counts} for tenant_id, counts in tenants.items()]


def _tell(restored: "Restored") -> None:
    terminal.show_rows(_rows(restored.tenants), COLUMNS, as_json=False, empty="no company")
    for kept in restored.kept:
        typer.echo(f"kept, it was there already: {kept}", err=True)
    typer.echo(f"restored what was backed up at {restored.manifest.made_at}; next:")
    typer.echo(f"`cloud-core check --config {restored.settings}` and `cloud-core serve --config {restored.settings}`")
