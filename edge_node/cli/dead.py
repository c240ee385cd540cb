"""`edge-node dead …`: what only a person can bring to its end."""

from pathlib import Path
from typing import Annotated, Any

import typer

from edge_node.cli.config import AnyTenant, Config, Rows, TenantOption, ask, load, one_tenant
from edge_node.cli.tables import ago, count, flat, printable, say_left, when
from nearside import terminal
from nearside.terminal import AsJson

group = terminal.make_group("The dead list: turns, replies and tool calls that wait for a person.")
COLUMNS = {
    "tenant": "Tenant",
    "id": "Id",
    "kind": "Kind",
    "reason": "Reason",
    "channel": "Channel",
    "tool": "Tool",
    "attempts": "Attempts",
    "age": "Came",
    "dead": "Dead since",
}
MEANINGS = {
    "turn_failed": "every attempt to answer broke; the customer was told so",
    "interrupted": "the edge ended in the middle of it again and again",
    "restored": "open in the backup that was restored: it may have been answered since",
    "gave_up": "the channel did not take the reply until its time was over",
    "refused": "the channel says that it will never take the reply",
    "outcome_unknown": "nobody knows whether the call happened: look into the shop's own system",
}
NOT_DEAD = "is not dead: see `edge-node dead list`"
NOT_RETRIED = "was not retried: it is not dead, or a call, which happens once; see `edge-node dead list`"

Reason = Annotated[str | None, typer.Option("--reason", help="Only those with this reason.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID…", show_default=False)]


@group.command("list")
def show_list(
    tenant: AnyTenant = None, reason: Reason = None, limit: Rows = 100, config: Config = None, as_json: AsJson = False
) -> None:
    """List what is dead and why, newest first."""
    found = ask(config, "dead list", tenant=tenant, reason=_known(reason), limit=limit)
    if as_json:
        terminal.show_json(found)
        return
    for depth in found:
        turns, replies, calls = (depth[kind] for kind in ("turns", "replies", "calls"))
        typer.echo(f"{depth['tenant']}: {count(turns, 'turn')}, {count(replies, 'reply')}, {count(calls, 'call')}")
    terminal.show_rows(flat(found, "items"), COLUMNS, as_json=False, empty="nothing is dead")


@group.command("show")
def show(
    item_id: Annotated[str, typer.Argument(metavar="ID")],
    tenant: TenantOption = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show one of them with the customer's words: personal data, for the eyes of whoever may see it."""
    found = ask(config, "dead show", tenant=one_tenant(load(config), tenant), id=item_id)
    if as_json:
        terminal.show_json(found)
        return
    typer.echo("personal data: for the eyes of whoever may see it", err=True)
    for line in _told(found):
        typer.echo(printable(line))


def _told(found: dict[str, Any]) -> list[str]:
    lines = [
        f"{found['kind']} {found['id']} of {found['tenant']}",
        f"{found['reason']}: {MEANINGS.get(found['reason'], 'no reason was recorded')}",
        f"conversation {found['conversation']} on {found['channel']}/{found['account']}, customer {found['customer']}",
        f"came {ago(found['age_s'])}, {count(found['attempts'], 'attempt')}, dead since {ago(found['dead_for_s'])}",
    ]
    lines += [f"tool {found['tool']}"] if found["tool"] else []
    lines += ["", "the customer:", *_indented(found["message"])]
    return lines + (["", "the reply:", *_indented(found["reply"])] if found["reply"] else [])


def _indented(text: str) -> list[str]:
    return [f"    {line}" for line in text.splitlines()]


@group.command("retry")
def retry(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]…", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them, but for calls, which happen once.")] = False,
    reason: Reason = None,
    tenant: AnyTenant = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Take turns up and send replies again: those named, or --all, or --all with one --reason."""
    if bool(ids) == every or (reason and not every):
        raise typer.BadParameter("give one or more ID, or --all, which may have a --reason", param_hint="ID")
    chosen = one_tenant(load(config), tenant) if ids else tenant
    found = ask(config, "dead retry", tenant=chosen, ids=ids or None, reason=_known(reason))
    if as_json:
        terminal.show_json(found)
    else:
        typer.echo(f"{count(len(found['retried']), 'item')} taken up{when(found['runs'])}")
    say_left(found["left"], NOT_RETRIED)


@group.command("drop")
def drop(ids: Ids, tenant: TenantOption = None, config: Config = None, as_json: AsJson = False) -> None:
    """Take off the list what a person has settled. The customer hears nothing of it."""
    found = _drop(config, one_tenant(load(config), tenant), ids)
    if as_json:
        terminal.show_json(found)
    else:
        typer.echo(f"{count(len(found['dropped']), 'item')} dropped")
    say_left(found["left"], NOT_DEAD)


def _drop(config: Path | None, tenant: str, ids: list[str]) -> Any:
    return ask(config, "dead drop", tenant=tenant, ids=ids)


def _known(reason: str | None) -> str | None:
    if reason is not None and reason not in MEANINGS:
        raise typer.BadParameter(f"one of {', '.join(MEANINGS)}", param_hint="'--reason'")
    return reason
