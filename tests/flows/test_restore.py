"""A backup while customers write, then the machine is lost: a new one has nothing but the file and the recovery key."""

import asyncio
import re
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests import planted, servers
from tests.flows.test_socket import Frame, caught_up, of_type, talking
from tests.servers import PROGRAMS, Demo, wait_until

pytestmark = pytest.mark.server

EDGE = str(PROGRAMS / "edge-node")
CLIENTS = 16
TEXTS = (
    f"hello, I am {planted.NAME}",
    "How much does the Skua 3 tunnel tent weigh?",
    "订单1042到哪里了？",
    f"call me: {planted.PHONE}",
)


@dataclass(slots=True)
class Customers:
    """Each writes in a conversation of its own, one message after the other, until told to stop."""

    demo: Demo
    acknowledged: dict[str, list[str]] = field(default_factory=dict)
    turns: dict[str, str] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)

    def write(self, number: int) -> None:
        conversation, sent = f"r{number}", 0
        with self.demo.client() as client:
            while not self.stopping.is_set():
                turn_id = post(client, conversation, f"{conversation}-{sent}", TEXTS[sent % len(TEXTS)])
                self.turns[f"{conversation}-{sent}"] = turn_id
                self.acknowledged.setdefault(conversation, []).append(f"{conversation}-{sent}")
                sent += 1

    def so_far(self) -> dict[str, list[str]]:
        return {conversation: list(sent) for conversation, sent in self.acknowledged.items()}


def post(client: httpx2.Client, conversation: str, message_id: str, text: str) -> str:
    """The id of the turn."""
    body = {"conversation": conversation, "customer": conversation, "text": text}
    answer = client.post("/v1/demo/messages", json=body, headers={"Idempotency-Key": message_id})
    answer.raise_for_status()
    return str(answer.json()["turn_id"])


@dataclass(slots=True)
class Moved:
    """The edge on its new machine; `before` is what was acknowledged when the backup began."""

    demo: Demo
    before: dict[str, list[str]]
    turns: dict[str, str]
    visitor: Frame
    folder: Path
    last_event: int


def run(*words: str | Path, stdin: str = "") -> str:
    done = subprocess.run([EDGE, *map(str, words)], input=stdin, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout


def new_recovery_key(config: Path) -> str:
    shown = run("keys", "recovery", "--replace", "--config", config)
    found = re.search(r"([0-9A-Z]{4}-){13}[0-9A-Z]{4}", shown)
    assert found
    return found[0]


async def visit(demo: Demo) -> tuple[Frame, int]:
    """What a visitor of the chat has in hand afterwards, and the number of the last thing it saw."""
    async with talking(demo) as (talk, hello):
        await talk.send(type="message", id="v1", text="hello")
        reply = await talk.next(of_type("reply"))
    return hello, int(reply["event_id"])


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moved]:
    folder = tmp_path_factory.mktemp("restored")
    archive, place = folder / "edge.backup", folder / "elsewhere" / "edge"
    with servers.demo(folder / "home") as demo:
        config = demo.home / "edge" / "edge.toml"
        key = new_recovery_key(config)
        visitor, last_event = asyncio.run(visit(demo))
        customers = Customers(demo)
        with ThreadPoolExecutor(CLIENTS) as threads:
            writing = [threads.submit(customers.write, number) for number in range(CLIENTS)]
            wait_until(lambda: len(customers.turns) > 5 * CLIENTS, "messages")
            before = customers.so_far()
            run("backup", archive, "--config", config)
            customers.stopping.set()
            for future in writing:
                future.result()
        assert len(customers.turns) > sum(map(len, before.values())), "nobody wrote while the backup was made"
        demo.kill_edge()
        (demo.home / "edge").rename(folder / "lost")
        (demo.home / "content").rename(folder / "lost-content")
        run("restore", archive, "--into", place, stdin=f"{key}\n")
        demo.start_edge([EDGE, "serve", "--config", str(place / "edge.toml")])
        yield Moved(demo, before, customers.turns, visitor, place, last_event)


def final_log(demo: Demo, conversation: str, turns: list[str]) -> list[dict[str, Any]]:
    """When every one of `turns` has its final reply; one that was deferred has it later than those after it."""
    events: list[dict[str, Any]] = []

    def has_ended() -> bool:
        events[:] = demo.events_of(conversation)
        return {event["turn_id"] for event in events if event["type"] == "reply" and event["final"]}.issuperset(turns)

    wait_until(has_ended, f"the replies in {conversation}", 90)
    return events


def test_what_was_acknowledged_before_the_backup_is_there_with_its_one_reply(moved: Moved) -> None:
    expected = {chat: [moved.turns[message] for message in messages] for chat, messages in moved.before.items()}
    with ThreadPoolExecutor(8) as threads:
        logs = threads.map(lambda entry: final_log(moved.demo, *entry), expected.items())
    for log, messages, turns in zip(logs, moved.before.values(), expected.values(), strict=True):
        written = [event["id"] for event in log if event["type"] == "message"]
        assert written[: len(messages)] == messages
        replies = [event for event in log if event["type"] == "reply" and event["turn_id"] in turns]
        assert sorted(event["turn_id"] for event in replies if event["final"]) == sorted(turns)
        assert list(dict.fromkeys(event["turn_id"] for event in replies)) == turns, "first replies out of order"


def test_a_message_that_is_sent_again_is_known(moved: Moved) -> None:
    [conversation, *_] = moved.before
    with moved.demo.client() as client:
        again = post(client, conversation, f"{conversation}-0", TEXTS[0])
    assert again == moved.turns[f"{conversation}-0"]


def test_the_old_api_key_opens_the_door_and_another_does_not(moved: Moved) -> None:
    assert moved.demo.ask("hello", "r-new")["reply"]["final"]
    with moved.demo.client(key="nsk_other") as client:
        assert client.post("/v1/demo/messages", json={}).status_code == 401


async def test_a_visitor_goes_on_with_the_token_it_has(moved: Moved) -> None:
    back = {"conversation": moved.visitor["conversation"], "token": moved.visitor["token"]}
    async with talking(moved.demo, **back, after=0) as (talk, hello):
        assert hello["resumed"]
        seen = [frame["type"] for frame in await talk.until(caught_up)]
        assert seen.count("message") == seen.count("reply") == 1
    async with talking(moved.demo, **back, after=moved.last_event + 500_000) as (talk, _):
        await talk.send(type="message", id="v2", text="hello")
        assert (await talk.next(of_type("reply")))["event_id"] > moved.last_event + 500_000


def test_the_restored_edge_can_be_backed_up_and_its_keys_rotated(moved: Moved) -> None:
    config = moved.folder / "edge.toml"
    run("keys", "rotate", "--config", config)
    run("backup", moved.folder.parent / "again.backup", "--config", config)
    assert moved.demo.ask("hello", "r-new-2")["reply"]["final"]
