"""`edge-node apikey …`."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from edge_node.cli.config import Config, TenantOption, load, one_tenant
from nearside import terminal
from nearside.terminal import AsJson

if TYPE_CHECKING:
    from pathlib import Path

    from edge_node.storage.api_keys import ApiKeys

group = terminal.make_group("Keys for the HTTP API. A running edge takes changes up at once.")


def _keys(config: "Path | None", tenant: str | None) -> "ApiKeys":
    from edge_node.storage.places import api_keys

    settings = load(config)
    return api_keys(settings.data, one_tenant(settings, tenant))


@group.command("add")
def add(
    name: Annotated[str, typer.Option(help="What the key is for.")],
    tenant: TenantOption = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, this once."""
    key, secret = _keys(config, tenant).add(name)
    if as_json:
        terminal.show_json({"id": key.id, "name": key.name, "key": secret})
    else:
        typer.echo(secret)
        typer.echo(f"{key.id}: keep it now, it is stored nowhere", err=True)


@group.command("list")
def show(tenant: TenantOption = None, config: Config = None, as_json: AsJson = False) -> None:
    """List the keys; the keys themselves are not kept."""
    rows = [asdict(key) for key in _keys(config, tenant).all()]
    for row in rows:
        del row["digest"]
    columns = {"id": "Id", "name": "Name", "created_at": "Made", "revoked_at": "Revoked"}
    terminal.show_rows(rows, columns, as_json=as_json, empty="no keys: make one with `edge-node apikey add`")


@group.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID")], tenant: TenantOption = None, config: Config = None
) -> None:
    """Make a key worthless, at once."""
    key = _keys(config, tenant).revoke(key_id)
    typer.echo(f"revoked {key.id} ({key.name})")
