"""Programs that wait for their reply in the request, while it is answered together with others."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from edge_node.channels import api
from edge_node.channels.base import ChannelContext
from edge_node.channels.feed import Feed
from edge_node.messages import Reply, Turn
from edge_node.storage.conversations import Conversations
from edge_node.storage.store import TenantStore
from edge_node.turns.core_step import CoreStep
from edge_node.turns.metrics import Metrics
from edge_node.turns.room import TenantRoom
from edge_node.turns.turns import Limits, Turns
from nearside.origins import Reason, Source
from tests.edge_node.stage import KEY, TENANT, Answering, NoSemantics, ScriptedUplink, ladder_of, sender_to, until

pytestmark = pytest.mark.unit

Post = Callable[[str, str], "asyncio.Task[dict[str, Any]]"]


def echo(turn: Turn) -> Reply:
    return Reply(f"echo {turn.text}", Source.RULE, Reason.MATCHED)


@asynccontextmanager
async def door(folder: Path) -> AsyncIterator[tuple[Turns, Post]]:
    store = await TenantStore.open(folder / "edge.db", KEY)
    core = CoreStep(ScriptedUplink(), KEY, 5.0)
    ladder = ladder_of([Answering(echo)], core)
    room = TenantRoom(TENANT, store, NoSemantics(), ladder, lambda _text: False, debounce_s=10.0)
    channel = api.Channel(
        ChannelContext(
            find_tenant=lambda _id: TENANT,
            is_api_key=lambda _tenant, _key: True,
            admit=lambda _tenant, _customer: None,
            log=Conversations({"demo": store}),
            feed=Feed(),
        )
    )
    turns = Turns({"demo": room}, sender_to(channel), channel.draft, Metrics(CollectorRegistry()), Limits())
    app = Starlette(routes=channel.routes(turns.accept))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://edge") as client:

        async def post(message_id: str, text: str) -> dict[str, Any]:
            said = {"conversation": "c1", "customer": "ana", "text": text}
            headers = {"Authorization": "Bearer key", "Idempotency-Key": message_id, "Prefer": "wait=20"}
            answer = await client.post("/v1/demo/messages", json=said, headers=headers)
            told: dict[str, Any] = answer.json()
            return told

        yield turns, lambda message_id, text: asyncio.create_task(post(message_id, text))
    await turns.drain(0.2)
    await store.close()


async def test_each_of_those_who_wait_gets_the_reply_that_answers_them_all(tmp_path: Path) -> None:
    async with door(tmp_path) as (turns, post):
        waiting = []
        for number, text in enumerate(["my tent", "is wet", "what now?"]):
            waiting.append(post(f"m{number}", text))
            await until(lambda number=number: turns.waiting("demo") == number + 1)  # type: ignore[misc]
        repeated = post("m0", "my tent")
        await asyncio.sleep(0.05)
        for window in turns._windows._open.values():
            window.closed.set()
        told = await asyncio.gather(*waiting, repeated)
        after = await post("m1", "is wet")
    assert {one["reply"]["text"] for one in (*told, after)} == {"echo my tent\nis wet\nwhat now?"}
    assert len({one["turn_id"] for one in told}) == 3
    for one in (*told, after):
        assert set(one["reply"]["answers"]) == {one["turn_id"] for one in told}
    assert (told[3]["turn_id"], after["turn_id"]) == (told[0]["turn_id"], told[1]["turn_id"])
