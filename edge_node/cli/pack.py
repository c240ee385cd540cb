"""`edge-node pack …`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_node.cli.config import AnyTenant, Config, TenantOption, ask, load, one_tenant
from edge_node.cli.tables import count, when
from nearside import terminal
from nearside.errors import NearsideError, StorageError
from nearside.terminal import AsJson

if TYPE_CHECKING:
    from edge_node.packs.shelf import Shelf
    from edge_node.settings import EdgeSettings

group = terminal.make_group("What a company is answered from: the pack that `cloud-core pack build` made.")
COLUMNS = {"tenant": "Company", "version": "Version", "active": "Active", "mib": "MiB", "installed_at": "Installed"}


@group.command("install")
def install(
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    tenant: TenantOption = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Check a pack, copy it and answer from it, also while the edge serves; what cannot be used changes nothing."""
    from edge_node.packs.shelf import incoming

    settings = load(config)
    tenant_id = one_tenant(settings, tenant)
    if not settings.data.is_dir():
        where = str(settings.data)
        raise StorageError("there is no data folder yet", where=where, hint="run `edge-node init`, or correct `data`")
    shelf = _shelf(settings, tenant_id)
    with incoming(shelf, file) as part:
        try:
            found = ask(config, "pack install", tenant=tenant_id, part=part)
        except NearsideError as error:
            where = error.where.replace(str(shelf.folder / part), str(file))
            raise NearsideError(error.what, where=where, hint=error.hint) from None
    _tell(found, as_json=as_json)


@group.command("list")
def show(tenant: AnyTenant = None, config: Config = None, as_json: AsJson = False) -> None:
    """List the packs that are installed, in the order in which they became active."""
    settings = load(config)
    tenants = [one_tenant(settings, tenant)] if tenant is not None else list(settings.tenants)
    rows = [row for tenant_id in tenants for row in _rows(tenant_id, _shelf(settings, tenant_id))]
    if as_json:
        terminal.show_json(rows)
        return
    shown = [{**row, "active": "yes" if row["active"] else "", "mib": f"{row['mib']:,.1f}"} for row in rows]
    terminal.show_rows(shown, COLUMNS, as_json=False, empty="no pack: the companies' folders answer")


@group.command("rollback")
def rollback(tenant: TenantOption = None, config: Config = None, as_json: AsJson = False) -> None:
    """Answer from the pack before the active one again; before the first one, from the company's folder."""
    _tell(ask(config, "pack rollback", tenant=one_tenant(load(config), tenant)), as_json=as_json)


def _shelf(settings: "EdgeSettings", tenant_id: str) -> "Shelf":
    from edge_node.packs.shelf import Shelf
    from edge_node.storage.places import tenant_folder

    return Shelf(tenant_folder(settings.data, tenant_id))


def _rows(tenant_id: str, shelf: "Shelf") -> list[dict[str, Any]]:
    """Raises PackError."""
    state = shelf.state()
    return [
        {"tenant": tenant_id, "version": version, "active": version == state.active, **_of_file(shelf.file(version))}
        for version in state.history
    ]


def _of_file(file: Path) -> dict[str, Any]:
    """A file that is gone has no size."""
    if not file.is_file():
        return {"mib": 0.0, "installed_at": "its file is gone"}
    found = file.stat()
    installed = datetime.fromtimestamp(found.st_mtime, UTC).isoformat(timespec="seconds")
    return {"mib": round(found.st_size / (1 << 20), 2), "installed_at": installed}


def _tell(found: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        terminal.show_json(found)
        return
    parts = [count(found["faq"], "entry"), count(found["rules"], "rule"), count(found["tools"], "tool")]
    source = f"the pack {found['active']}" if found["active"] else "its own folder"
    typer.echo(f"{found['tenant']} is answered from {source}{when(found['runs'])}")
    typer.echo(f"{', '.join(parts)}; an approved answer is given from a confidence of {found['threshold']:g}")
