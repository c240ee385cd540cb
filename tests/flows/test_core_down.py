"""It keeps answering: the core is killed, and comes back."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests import servers
from tests.servers import Demo

pytestmark = pytest.mark.server

QUESTIONS = ("How much does the Skua 3 tunnel tent weigh?", "Skua 3 隧道帐篷有多重？")
BEFORE, PROMISED = "How often should I backflush the Brook water filter?", "Brook 净水器多久要反冲洗一次？"
"""Asked nowhere else here: what has been answered once is answered without the core."""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with servers.demo(tmp_path_factory.mktemp("core-down")) as running:
        yield running


def test_rules_and_approved_answers_go_on_and_the_core_is_found_again(own: Demo) -> None:
    assert own.ask(BEFORE, "before")["reply"]["source"] == "core"
    command = own.kill_core()
    assert own.ask("which methods of payment can I use", "faq")["reply"]["source"] == "faq"
    assert own.ask("Where is my order 1042?", "rule")["reply"]["reason"] == "tool_result"
    for question in QUESTIONS:
        reply = own.ask(question, f"down-{question}", wait_s=2)["reply"]
        assert (reply["source"], reply["reason"], reply["final"]) == ("fallback", "core_unreachable", False)
    own.start_core(command)
    for question in QUESTIONS:
        assert own.ask(question, f"again-{question}")["reply"]["source"] == "core"


def test_a_promised_answer_comes_on_the_socket_once_the_core_is_back(own: Demo) -> None:
    asyncio.run(promised(own))


async def promised(own: Demo) -> None:
    url = own.env["EDGE_URL"].replace("https", "wss") + "/v1/demo/chat"
    command = own.kill_core()
    async with asyncio.timeout(60), connect(url, ssl=own.tls) as socket:
        await socket.send(json.dumps({"type": "hello", "v": 1, "lang": "en"}))
        await socket.send(json.dumps({"type": "message", "id": "m1", "text": PROMISED}))
        apology = await next_reply(socket.recv)
        assert (apology["source"], apology["final"]) == ("fallback", False)
        await asyncio.to_thread(own.start_core, command)
        late = await next_reply(socket.recv)
    assert (late["source"], late["final"], late["quotes"]) == ("core", True, PROMISED)
    assert late["turn_id"] == apology["turn_id"]


async def next_reply(receive: Callable[[], Awaitable[str | bytes]]) -> dict[str, Any]:
    while True:
        frame: dict[str, Any] = json.loads(await receive())
        if frame["type"] == "reply":
            return frame


def test_no_customer_text_is_in_any_log(own: Demo) -> None:
    own.ask("marker-7f3a is my secret word", "marker")
    logs = [path.read_text(errors="replace") for path in Path(own.home / "logs").iterdir()]
    assert logs
    assert not any("marker-7f3a" in log or "Skua" in log for log in logs)
