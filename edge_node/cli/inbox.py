"""`edge-node inbox`: the turns that have not ended."""

import typer

from edge_node.cli.config import AnyTenant, Config, Rows, ask
from edge_node.cli.tables import ago, count, flat
from nearside import terminal
from nearside.terminal import AsJson

COLUMNS = {
    "tenant": "Tenant",
    "id": "Turn",
    "status": "Status",
    "reason": "Reason",
    "channel": "Channel",
    "attempts": "Attempts",
    "age": "Came",
}


def add_to(app: typer.Typer) -> None:
    app.command("inbox", help="List the turns that have not ended: how many, since when, why. Oldest first.")(inbox)


def inbox(tenant: AnyTenant = None, limit: Rows = 100, config: Config = None, as_json: AsJson = False) -> None:
    found = ask(config, "inbox", tenant=tenant, limit=limit)
    if as_json:
        terminal.show_json(found)
        return
    for depth in found:
        line = f"{depth['tenant']}: {count(depth['queued'], 'turn')} queued, {depth['deferred']} promised for later"
        typer.echo(line + (f", the oldest came {ago(depth['oldest_s'])}" if depth["oldest_s"] is not None else ""))
    terminal.show_rows(flat(found, "turns"), COLUMNS, as_json=False, empty="nothing waits: every turn has ended")
