"""`edge-node keys …`."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from edge_node.cli.config import FILE, AnyTenant, Config, ask, load
from nearside import terminal
from nearside.recovering import KeyFile, renew, verify
from nearside.terminal import AsJson

group = terminal.make_group("The keys of this edge and its companies.")


@group.command("rotate")
def rotate(
    tenant: AnyTenant = None,
    node_only: Annotated[
        bool, typer.Option("--node-only", help="Exchange the node's key and leave the files as they are.")
    ] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Give the node and every company's file a new key, also while the edge serves; or one company's file."""
    if tenant is not None and node_only:
        raise typer.BadParameter("either the node's key or one company's", param_hint="'--node-only'")
    found = ask(config, "keys rotate", _say, tenant=tenant, node_only=node_only)
    if as_json:
        terminal.show_json(found)
        return
    parts = [*(["the node"] if tenant is None else []), *found["tenants"]]
    typer.echo(f"new keys: {', '.join(parts) or 'none, there is no data yet'}")
    if tenant is None:
        typer.echo("make a backup: the node's old key opens nothing any more")


def _say(progress: Mapping[str, Any]) -> None:
    if "wrapped" in progress:
        typer.echo(f"the node has a new key, and {progress['wrapped']} keys are under it", err=True)
    else:
        line = f"{progress['tenant']}: the file is under its new key ({progress['number']} of {progress['of']})"
        typer.echo(line, err=True)


@group.command("recovery")
def recovery(
    replace: Annotated[bool, typer.Option("--replace", help="Also where there is one: the old one is lost.")] = False,
    is_check: Annotated[bool, typer.Option("--verify", help="Ask for the key and say whether it is the one.")] = False,
    key_file: KeyFile = None,
    config: Config = None,
) -> None:
    """Make the key that opens backups and show it, this once; `init` has done so on a new edge."""
    node_key = load(config).node_key
    if is_check:
        verify(node_key, FILE.program, key_file)
    else:
        renew(node_key, FILE.program, replace=replace)
