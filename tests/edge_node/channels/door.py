"""The channels `web` and `api` on a real port, over a real store; the test itself is the bot."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect

from edge_node.channels import api, web
from edge_node.channels.base import ChannelContext
from edge_node.channels.feed import Feed
from edge_node.channels.live import LiveChannel
from edge_node.messages import Accepted, Conversation, Delivery, Draft, Inbound, Owner, Reply, Tenant
from edge_node.storage.conversations import Conversations
from edge_node.storage.records import Ended
from edge_node.storage.store import TenantStore
from nearside.http_server import serving
from nearside.origins import Reason, Source
from tests.edge_node.stage import KEY, TENANT

Frame = dict[str, Any]


@dataclass(slots=True)
class Talk:
    """A client's side of one connection: `frames` is all it was sent, in order."""

    frames: AsyncIterator[Frame]

    async def until(self, kind: str) -> list[Frame]:
        """The frames up to one of this type, or event of this name."""
        seen: list[Frame] = []
        async with asyncio.timeout(20):
            while not seen or kind not in (seen[-1]["type"], seen[-1].get("event")):
                seen.append(await anext(self.frames))
        return seen


class Door:
    def __init__(self, store: TenantStore, feed: Feed, url: str, channel: LiveChannel) -> None:
        self.store, self.feed, self.url, self.channel = store, feed, url, channel
        self.log = Conversations({"demo": store})
        self.accepted: list[tuple[Accepted, Inbound]] = []

    async def accept(self, tenant: Tenant, inbound: Inbound) -> Accepted:
        accepted = await self.store.accept(inbound, time.time())
        self.accepted.append((accepted, inbound))
        return accepted

    def conversation(self) -> Conversation:
        """Of the newest message."""
        accepted, inbound = self.accepted[-1]
        return Conversation(accepted.conversation_id, inbound.channel, inbound.account, inbound.thread, "")

    def turn_id(self) -> str:
        return self.accepted[-1][0].turn_id

    async def draft(self, revision: int, sequence: int, text: str) -> None:
        await self.channel.draft(TENANT, self.conversation(), Draft(self.turn_id(), revision, sequence, text))

    async def commit(self, text: str, owner: Owner | None = None, merged: Sequence[str] = ()) -> Ended:
        reply = Reply(text, Source.CORE, Reason.GROUNDED, owner=owner)
        ended = await self.store.end(self.turn_id(), 0, reply, time.time(), {}, merged=merged)
        assert ended is not None
        return ended

    async def reply(self, text: str, owner: Owner | None = None, merged: Sequence[str] = ()) -> None:
        ended = await self.commit(text, owner, merged)
        await self.channel.send(Delivery(TENANT, ended.conversation, ended.event, 1, "key"))

    @contextlib.asynccontextmanager
    async def chat(self, after: int = 0) -> AsyncIterator[Talk]:
        """The widget's conversation, the newest if there is one."""
        async with connect(f"ws{self.url}/v1/demo/chat") as socket:
            thread = self.accepted[-1][1].thread if self.accepted else None
            token = self.log.token(TENANT, thread) if thread else None
            hello = {"type": "hello", "v": 1, "conversation": thread, "token": token, "after": after}
            await socket.send(json.dumps(hello))
            yield Talk(_frames(socket))

    @contextlib.asynccontextmanager
    async def events(self, after: int = 0) -> AsyncIterator[Talk]:
        """The server-sent events of the newest conversation."""
        path = f"/v1/demo/conversations/{self.accepted[-1][1].thread}/events?after={after}"
        async with (
            httpx2.AsyncClient(base_url=f"http{self.url}", trust_env=False, timeout=20) as client,
            client.stream("GET", path, headers={"Authorization": "Bearer key"}) as stream,
        ):
            yield Talk(_events(stream))

    async def say(self, text: str) -> None:
        """The customer's words, as a message of the widget."""
        async with connect(f"ws{self.url}/v1/demo/chat") as socket:
            thread = self.accepted[-1][1].thread if self.accepted else None
            token = self.log.token(TENANT, thread) if thread else None
            await socket.send(json.dumps({"type": "hello", "v": 1, "conversation": thread, "token": token}))
            await socket.send(json.dumps({"type": "message", "id": text, "text": text}))
            await Talk(_frames(socket)).until("ack")

    async def post(self, text: str, conversation: str = "c1") -> None:
        """The same through the API."""
        body = {"conversation": conversation, "customer": "ana", "text": text}
        async with httpx2.AsyncClient(base_url=f"http{self.url}", trust_env=False) as client:
            answer = await client.post("/v1/demo/messages", json=body, headers={"Authorization": "Bearer key"})
        assert answer.status_code == 202


async def _frames(socket: ClientConnection) -> AsyncIterator[Frame]:
    async for data in socket:
        yield json.loads(data)


async def _events(stream: httpx2.Response) -> AsyncIterator[Frame]:
    async for line in stream.aiter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


@contextlib.asynccontextmanager
async def door(folder: Path) -> AsyncIterator[Door]:
    store = await TenantStore.open(folder / "edge.db", KEY)
    feed = Feed()
    context = ChannelContext(
        find_tenant=lambda _tenant_id: TENANT,
        is_api_key=lambda _tenant, key: key == "key",
        admit=lambda _tenant, _customer: None,
        log=Conversations({"demo": store}),
        feed=feed,
    )
    channels = (web.Channel(context), api.Channel(context))
    opened = Door(store, feed, "", channels[0])
    routes = [route for channel in channels for route in channel.routes(opened.accept)]
    try:
        async with serving(Starlette(routes=routes), "127.0.0.1", 0, grace_s=1) as port:
            opened.url = f"://127.0.0.1:{port}"
            yield opened
            feed.close()
    finally:
        await store.close()
