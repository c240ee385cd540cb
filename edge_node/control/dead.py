"""The dead list: what nobody but a person can bring to its end."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import Field

from edge_node.control.edge import Edge
from edge_node.control.operations import Arguments, Asked, operation, parsed
from edge_node.control.queues import MOST_ROWS, age_s, resume
from edge_node.messages import DeadReason
from edge_node.storage.records import DeadItem
from edge_node.storage.store import TenantStore
from nearside.errors import NearsideError

Ids = list[str]
Item = dict[str, str]


class Listed(Asked):
    limit: int = Field(100, ge=1, le=MOST_ROWS)
    reason: DeadReason | None = None


class One(Asked):
    tenant: str
    id: str


class Some(Asked):
    tenant: str
    ids: Ids


class Retried(Asked):
    """`ids` None means all, or all with that reason."""

    ids: Ids | None = None
    reason: DeadReason | None = None


@operation("dead list")
async def listed(edge: Edge, arguments: Arguments) -> Any:
    """By tenant: how many there are of each kind, and the newest of them."""
    asked, now = parsed(Listed, arguments), time.time()
    found = []
    for tenant_id, store in edge.chosen(asked.tenant).items():
        figures = await asyncio.to_thread(store.figures)
        found.append(
            {
                "tenant": tenant_id,
                "turns": figures.dead_turns,
                "replies": figures.dead_replies,
                "calls": figures.dead_calls,
                "items": [_row(item, now) for item in await store.dead(asked.limit, asked.reason)],
            }
        )
    return found


@operation("dead show")
async def shown(edge: Edge, arguments: Arguments) -> Any:
    """One of them with what was said: for a person at the machine, and for no log. Raises NearsideError."""
    asked = parsed(One, arguments)
    for store in edge.chosen(asked.tenant).values():
        if found := await store.dead_detail(asked.id):
            said = {"customer": found.customer, "message": found.message, "reply": found.reply}
            return {"tenant": asked.tenant, **_row(found.item, time.time()), **said}
    raise NearsideError("nothing of that id is dead", where=asked.tenant, hint="see `edge-node dead list`")


@operation("dead retry")
async def retried(edge: Edge, arguments: Arguments) -> Any:
    """Which were taken up again, and which were not: a call never is, nobody knows whether it happened."""
    asked = parsed(Retried, arguments)
    done: list[Item] = []
    left: list[Item] = []
    for tenant_id, store in edge.chosen(asked.tenant).items():
        ids = asked.ids
        if ids is None:
            oldest_first = reversed(await store.dead(MOST_ROWS, asked.reason))
            ids = [item.id for item in oldest_first if item.kind != "call"]
        for item_id in ids:
            is_taken_up = await _retry(edge, tenant_id, store, item_id)
            (done if is_taken_up else left).append({"tenant": tenant_id, "id": item_id})
    return {"retried": done, "left": left, "runs": edge.turns is not None}


@operation("dead drop")
async def dropped(edge: Edge, arguments: Arguments) -> Any:
    """Which were taken off the list for good, and which were not on it."""
    asked = parsed(Some, arguments)
    done: list[Item] = []
    left: list[Item] = []
    for tenant_id, store in edge.chosen(asked.tenant).items():
        for item_id in asked.ids:
            item = await store.discard(item_id, time.time())
            (done if item else left).append({"tenant": tenant_id, "id": item_id})
    return {"dropped": done, "left": left}


async def _retry(edge: Edge, tenant_id: str, store: TenantStore, item_id: str) -> bool:
    item = await store.revive(item_id, time.time())
    if item is None:
        return False
    if item.kind == "turn" and edge.turns is not None:
        await edge.turns.retry(tenant_id, item.id)
    elif item.kind == "reply":
        await resume(edge, tenant_id, store, item.id)
    return True


def _row(item: DeadItem, now: float) -> Mapping[str, Any]:
    row = asdict(item)
    row["conversation"] = row.pop("conversation_id")
    row["age_s"] = age_s(row.pop("since"), now)
    row["dead_for_s"] = age_s(row.pop("dead_at"), now)
    return row
