"""`edge-node tenant …`."""

import shutil
import sys
from typing import Annotated

import typer

from edge_node.cli.config import Config, load
from nearside import terminal
from nearside.errors import SettingsError, StorageError
from nearside.ids import is_name

group = terminal.make_group("The companies that this edge keeps data of; edge.toml says which of them it serves.")


@group.command("remove")
def remove(
    tenant_id: Annotated[str, typer.Argument(metavar="ID", help="Which one.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: Config = None,
) -> None:
    """Destroy a company's key and with it all its data, then its files; nobody can bring them back.

    The edge must be stopped, and the company's section taken out of edge.toml.
    """
    from edge_node.storage.places import tenant_folder
    from nearside.ownership import sole_owner
    from nearside.sealing import KeyRing

    settings = load(config)
    if tenant_id in settings.tenants:
        where = f"[tenants.{tenant_id}] in edge.toml"
        raise SettingsError(f"{tenant_id} is still to be served", where=where, hint="take this section out first")
    if not is_name(tenant_id) or not tenant_folder(settings.data, tenant_id).is_dir():
        raise StorageError(f"no data of {tenant_id!r}", where=str(settings.data), hint="look at the id")
    with sole_owner(settings.data, "edge"):
        if not yes:
            _be_sure(tenant_id)
        folder = tenant_folder(settings.data, tenant_id)
        KeyRing(settings.node_key, settings.name).destroy(folder)
        shutil.rmtree(folder)
    typer.echo(f"removed {tenant_id}; its backups still hold it")


def _be_sure(tenant_id: str) -> None:
    if not sys.stdin.isatty():
        raise typer.BadParameter("needed where nobody can be asked", param_hint="'--yes'")
    typer.confirm(f"Destroy all that this edge has of {tenant_id}? It cannot be undone", abort=True)
