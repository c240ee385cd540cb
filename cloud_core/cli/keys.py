"""`cloud-core keys …`."""

from typing import TYPE_CHECKING, Annotated

import typer

from cloud_core.cli.config import FILE, Config, load
from nearside import terminal
from nearside.errors import NearsideError
from nearside.ownership import FolderInUse, sole_owner
from nearside.recovering import KeyFile, renew, verify
from nearside.terminal import AsJson

if TYPE_CHECKING:
    from cloud_core.tenants import Registry

group = terminal.make_group("The keys of this core and its companies.")


@group.command("recovery")
def recovery(
    replace: Annotated[bool, typer.Option("--replace", help="Also where there is one: the old one is lost.")] = False,
    is_check: Annotated[bool, typer.Option("--verify", help="Ask for the key and say whether it is the one.")] = False,
    key_file: KeyFile = None,
    config: Config = None,
) -> None:
    """Make the key that opens backups and show it, this once; `init` has done so on a new core."""
    node_key = load(config).node_key
    if is_check:
        verify(node_key, FILE.program, key_file)
    else:
        renew(node_key, FILE.program, replace=replace)


@group.command("rotate")
def rotate(
    node_only: Annotated[
        bool, typer.Option("--node-only", help="Exchange the node's key and leave the files as they are.")
    ] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Give the node and every company's file a new key, while the core is stopped.

    With --node-only also while it serves: the companies' keys are put under the node's new one.
    """
    from cloud_core.app import open_tenants

    settings = load(config)
    if settings.database.url and not node_only:
        hint = "exchange the node's key alone with --node-only"
        raise NearsideError("companies' keys on PostgreSQL are not exchanged", where="database.url", hint=hint)
    tenants = open_tenants(settings)
    if node_only:
        _tell(tenants.rotate_node_key(), [], as_json=as_json)
        return
    try:
        with sole_owner(settings.data, "core"):
            _tell(tenants.rotate_node_key(), _rekeyed(tenants), as_json=as_json)
    except FolderInUse:
        hint = "stop it, or exchange the node's key alone with --node-only"
        raise NearsideError("the core serves, its files are in use", where=str(settings.data), hint=hint) from None


def _rekeyed(tenants: "Registry") -> list[str]:
    ids = tenants.ids()
    for number, tenant_id in enumerate(ids, start=1):
        tenants.rekey(tenant_id)
        typer.echo(f"{tenant_id}: the file is under its new key ({number} of {len(ids)})", err=True)
    return ids


def _tell(wrapped: int, rekeyed: list[str], *, as_json: bool) -> None:
    if as_json:
        terminal.show_json({"wrapped": wrapped, "tenants": rekeyed})
        return
    typer.echo(f"new keys: {', '.join(['the node', *rekeyed])}; {wrapped} keys are under the node's new one")
    typer.echo("make a backup: the node's old key opens nothing any more")
