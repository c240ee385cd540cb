"""`edge-node outbox …`: the replies that have not left."""

from typing import Annotated

import typer

from edge_node.cli.config import AnyTenant, Config, Rows, ask, load, one_tenant
from edge_node.cli.tables import ago, count, flat, say_left, when
from nearside import terminal
from nearside.terminal import AsJson

group = terminal.make_group("Replies that have not left: which, since when, why.")
COLUMNS = {
    "tenant": "Tenant",
    "id": "Reply",
    "status": "Status",
    "reason": "Reason",
    "channel": "Channel",
    "attempts": "Attempts",
    "doubtful": "Doubtful",
    "age": "Written",
    "next": "Next in",
}


@group.command("list")
def show(tenant: AnyTenant = None, limit: Rows = 100, config: Config = None, as_json: AsJson = False) -> None:
    """List the replies that have not left, oldest first."""
    found = ask(config, "outbox list", tenant=tenant, limit=limit)
    if as_json:
        terminal.show_json(found)
        return
    for depth in found:
        line = f"{depth['tenant']}: {count(depth['pending'], 'reply')} to send, {depth['doubtful']} sends in doubt"
        typer.echo(line + (f", the oldest written {ago(depth['oldest_s'])}" if depth["oldest_s"] is not None else ""))
    terminal.show_rows(flat(found, "replies"), COLUMNS, as_json=False, empty="nothing waits: every reply has left")


@group.command("retry")
def retry(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]…", show_default=False)] = None,
    tenant: AnyTenant = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Send now what waits for its next attempt: the replies named, or all of them."""
    if ids:
        tenant = one_tenant(load(config), tenant)
    found = ask(config, "outbox retry", tenant=tenant, ids=ids or None)
    if as_json:
        terminal.show_json(found)
    else:
        typer.echo(f"{count(len(found['retried']), 'reply')} taken up{when(found['runs'])}")
    say_left(found["left"], "waits in no outbox: see `edge-node outbox list`")
