"""The inbox and the outbox, as an operator sees them."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from edge_node.control.edge import Edge
from edge_node.control.operations import Arguments, Asked, operation, parsed
from edge_node.storage.records import QueueRow
from edge_node.storage.store import TenantStore

MOST_ROWS = 10_000


class Listed(Asked):
    limit: int = Field(100, ge=1, le=MOST_ROWS)


@operation("inbox")
async def inbox(edge: Edge, arguments: Arguments) -> Any:
    """By tenant: how many turns have not ended, since when, and the oldest of them."""
    asked, now = parsed(Listed, arguments), time.time()
    found = []
    for tenant_id, store in edge.chosen(asked.tenant).items():
        figures = await asyncio.to_thread(store.figures)
        found.append(
            {
                "tenant": tenant_id,
                "queued": figures.queued,
                "deferred": figures.deferred,
                "oldest_s": age_s(figures.oldest_turn_at, now),
                "turns": _rows(await store.inbox_rows(asked.limit), now),
            }
        )
    return found


@operation("outbox list")
async def outbox(edge: Edge, arguments: Arguments) -> Any:
    """By tenant: how many replies have not left, since when, sends in doubt, and the oldest of them."""
    asked, now = parsed(Listed, arguments), time.time()
    found = []
    for tenant_id, store in edge.chosen(asked.tenant).items():
        figures = await asyncio.to_thread(store.figures)
        found.append(
            {
                "tenant": tenant_id,
                "pending": figures.pending,
                "doubtful": figures.doubts,
                "oldest_s": age_s(figures.oldest_reply_at, now),
                "replies": _rows(await store.outbox_rows(asked.limit), now),
            }
        )
    return found


class Hurried(Asked):
    """`ids` None means all that wait for their next attempt."""

    ids: list[str] | None = None


@operation("outbox retry")
async def hurry(edge: Edge, arguments: Arguments) -> Any:
    """Which replies are sent now, or at the start of an edge that does not run; and which do not wait at all."""
    asked, now = parsed(Hurried, arguments), time.time()
    done: list[dict[str, str]] = []
    left: list[dict[str, str]] = []
    for tenant_id, store in edge.chosen(asked.tenant).items():
        waiting = {row.id: row for row in await store.outbox_rows(MOST_ROWS) if row.status == "pending"}
        late = [row.id for row in waiting.values() if row.next_at is not None and row.next_at > now]
        for reply_id in late if asked.ids is None else asked.ids:
            if reply_id in waiting:
                await _send_now(edge, tenant_id, store, waiting[reply_id])
            (done if reply_id in waiting else left).append({"tenant": tenant_id, "id": reply_id})
    return {"retried": done, "left": left, "runs": edge.sender is not None}


async def _send_now(edge: Edge, tenant_id: str, store: TenantStore, row: QueueRow) -> None:
    await store.hasten(int(row.id[1:]))
    await resume(edge, tenant_id, store, row.id)


async def resume(edge: Edge, tenant_id: str, store: TenantStore, reply_id: str) -> None:
    """Hand a waiting reply to the sender; where none runs, the next start does."""
    if edge.sender is not None and (unsent := await store.revived_reply(int(reply_id[1:]))):
        edge.sender.resume(edge.tenants[tenant_id], store, unsent)


def _rows(rows: Sequence[QueueRow], now: float) -> list[dict[str, Any]]:
    return [
        {
            "id": row.id,
            "status": row.status,
            "reason": row.reason,
            "channel": row.channel,
            "account": row.account,
            "conversation": row.conversation_id,
            "attempts": row.attempts,
            "doubtful": row.doubts,
            "age_s": age_s(row.since, now),
            "next_in_s": None if row.next_at is None else round(max(0.0, row.next_at - now), 1),
        }
        for row in rows
    ]


def age_s(since: float | None, now: float) -> float | None:
    return None if since is None else round(max(0.0, now - since), 1)
