"""`edge-node forget`: a customer's wish to be forgotten."""

import sys
from typing import Annotated

import typer

from edge_node.cli.config import Config, TenantOption, ask, load, one_tenant
from nearside import terminal
from nearside.terminal import AsJson

WORDS = {"outbox": "outbox entries", "slots_and_masks": "slots and masks"}


def add_to(app: typer.Typer) -> None:
    app.command("forget", help="Remove every trace of a customer, and say how much of each there was.")(forget)


def forget(
    customer: Annotated[str, typer.Option(metavar="ID", help="The customer, as the channel calls them.")],
    channel: Annotated[str | None, typer.Option(metavar="KIND", help="Only what was said there.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    tenant: TenantOption = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    chosen = one_tenant(load(config), tenant)
    if not yes:
        _be_sure(chosen)
    counts = ask(config, "forget", tenant=chosen, customer=customer, channel=channel)
    if as_json:
        terminal.show_json(counts)
    elif not any(counts.values()):
        typer.echo(f"{chosen} knows nothing of this customer" + (f" on the channel {channel!r}" if channel else ""))
    else:
        typer.echo("removed: " + ", ".join(f"{number} {WORDS.get(kind, kind)}" for kind, number in counts.items()))


def _be_sure(tenant: str) -> None:
    if not sys.stdin.isatty():
        raise typer.BadParameter("needed where nobody can be asked", param_hint="'--yes'")
    typer.confirm(f"Remove all that {tenant} has of this customer? It cannot be undone", abort=True)
