"""The widget's protocol against the real edge: docs/websocket.md, attacked."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.servers import Demo

pytestmark = pytest.mark.server

Frame = dict[str, Any]
DOCUMENT_QUESTIONS = (
    "Before I order: how much does the Skua 3 tunnel tent weigh?",
    "After all, how much does the Skua 3 tunnel tent weigh?",
)
"""Asked nowhere else, so that the core answers."""


class Talk:
    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, **frame: Any) -> None:
        await self.socket.send(json.dumps(frame))

    async def next(self, wanted: Callable[[Frame], bool]) -> Frame:
        return (await self.until(wanted))[-1]

    async def until(self, wanted: Callable[[Frame], bool]) -> list[Frame]:
        seen: list[Frame] = []
        async with asyncio.timeout(20):
            while not seen or not wanted(seen[-1]):
                seen.append(json.loads(await self.socket.recv()))
        return seen


def of_type(kind: str) -> Callable[[Frame], bool]:
    return lambda frame: bool(frame["type"] == kind)


def caught_up(frame: Frame) -> bool:
    return frame.get("event") == "caught_up"


@asynccontextmanager
async def talking(demo: Demo, tenant: str = "demo", **hello: Any) -> AsyncIterator[tuple[Talk, Frame]]:
    url = demo.env["EDGE_URL"].replace("https", "wss") + f"/v1/{tenant}/chat"
    async with connect(url, ssl=demo.tls) as socket:
        talk = Talk(socket)
        await talk.send(type="hello", v=1, lang="en", **hello)
        yield talk, await talk.next(of_type("hello"))


async def test_an_answer_of_the_core_streams_in_after_typing(demo: Demo) -> None:
    async with talking(demo) as (talk, hello):
        assert hello["tenant"]["suggestions"]
        await talk.send(type="message", id="1", text=DOCUMENT_QUESTIONS[0])
        frames = await talk.until(of_type("reply"))
    kinds = [frame.get("event", frame["type"]) for frame in frames]
    assert kinds.index("ack") < kinds.index("typing") < kinds.index("delta") < kinds.index("reply")
    reply = frames[-1]
    drafted = "".join(frame["text"] for frame in frames if frame["type"] == "delta")
    assert drafted.split() == reply["text"].split()
    assert reply["source"] == "core"
    assert reply["citations"]


async def test_who_comes_back_gets_what_was_missed_and_only_that(demo: Demo) -> None:
    async with talking(demo) as (talk, hello):
        await talk.send(type="message", id="1", text="hello")
        seen = await talk.next(of_type("reply"))
        await talk.send(type="message", id="2", text=DOCUMENT_QUESTIONS[1])
        await talk.next(of_type("ack"))
    back = {"conversation": hello["conversation"], "token": hello["token"]}
    async with talking(demo, **back, after=seen["event_id"]) as (talk, again):
        assert again["resumed"]
        missed = await talk.until(caught_up)
        if not any(frame["type"] == "reply" for frame in missed):
            missed += await talk.until(of_type("reply"))
    assert [f.get("id") for f in missed if f["type"] == "message"] == ["2"]
    assert [f["source"] for f in missed if f["type"] == "reply"] == ["core"]
    async with talking(demo, **back) as (talk, _):
        everything = [f for f in await talk.until(caught_up) if f["type"] in ("message", "reply")]
    assert [f["type"] for f in everything] == ["message", "reply", "message", "reply"]


async def test_a_message_sent_twice_is_answered_once(demo: Demo) -> None:
    async with talking(demo) as (talk, hello):
        for _ in range(3):
            await talk.send(type="message", id="same", text="hello")
        await talk.send(type="message", id="other", text="hello again")
        frames = await talk.until(of_type("reply")) + await talk.until(of_type("reply"))
    acks = [frame for frame in frames if frame["type"] == "ack"]
    assert [ack["duplicate"] for ack in acks if ack["id"] == "same"] == [False, True, True]
    assert len({frame["turn_id"] for frame in frames if frame["type"] == "reply"}) == 2


async def test_two_tabs_see_the_same_conversation(demo: Demo) -> None:
    async with talking(demo) as (one, hello):
        await one.send(type="message", id="1", text="hello")
        await one.next(of_type("reply"))
        back = {"conversation": hello["conversation"], "token": hello["token"]}
        async with talking(demo, **back) as (other, _):
            await other.next(caught_up)
            await one.send(type="message", id="2", text="thanks")
            message, reply = await other.next(of_type("message")), await other.next(of_type("reply"))
    assert message["text"] == "thanks"
    assert reply["source"] == "rule"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", 4400),
        ('{"type":"hello","v":2}', 4400),
        ('{"type":"message","id":"1","text":"no hello before"}', 4400),
        ('{"type":"hello","v":1,"conversation":"w_1","token":"guess"}', 4401),
        ('{"type":"hello","v":1,"conversation":"w_1"}', 4401),
    ],
)
async def test_a_bad_first_frame_closes_the_socket_with_its_code(demo: Demo, frame: str, code: int) -> None:
    url = demo.env["EDGE_URL"].replace("https", "wss") + "/v1/demo/chat"
    async with connect(url, ssl=demo.tls) as socket:
        await socket.send(frame)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code


async def test_an_unknown_tenant_closes_the_socket(demo: Demo) -> None:
    url = demo.env["EDGE_URL"].replace("https", "wss") + "/v1/nobody/chat"
    async with connect(url, ssl=demo.tls) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4404


@pytest.mark.parametrize("text", ["", "x" * 8001])
async def test_a_bad_message_closes_the_socket(demo: Demo, text: str) -> None:
    async with talking(demo) as (talk, _):
        await talk.next(caught_up)
        await talk.send(type="message", id="1", text=text)
        with pytest.raises(ConnectionClosed) as closed:
            await talk.socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4400


async def test_another_conversations_token_does_not_open_this_one(demo: Demo) -> None:
    async with talking(demo) as (_, one), talking(demo) as (_, two):
        pass
    url = demo.env["EDGE_URL"].replace("https", "wss") + "/v1/demo/chat"
    async with connect(url, ssl=demo.tls) as socket:
        await socket.send(
            json.dumps({"type": "hello", "v": 1, "conversation": one["conversation"], "token": two["token"]})
        )
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401
