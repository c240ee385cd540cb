"""Nothing is lost, nothing is answered twice: the edge is killed in the middle of its work."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from tests import servers
from tests.servers import Demo, wait_until

pytestmark = pytest.mark.server

ROUNDS = 3
MESSAGES = 24
TEXTS = ("hello", "How much does the Skua 3 tunnel tent weigh?", "订单1042到哪里了？", "thanks")


def test_every_acknowledged_message_gets_one_final_reply_though_the_edge_is_killed(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with servers.demo(tmp_path_factory.mktemp("edge-killed")) as own:
        acknowledged: dict[str, str] = {}
        for number in range(ROUNDS):
            acknowledged |= post_and_kill(own, number)
        assert len(acknowledged) >= MESSAGES
        with ThreadPoolExecutor(12) as threads:
            logs = list(threads.map(lambda conversation: final_log(own, conversation), acknowledged))
    for message_id, events in zip(acknowledged.values(), logs, strict=True):
        assert [event["id"] for event in events if event["type"] == "message"] == [message_id]
        assert [event["final"] for event in events if event["type"] == "reply"].count(True) == 1


def post_and_kill(own: Demo, number: int) -> dict[str, str]:
    """Post from several threads and kill the edge meanwhile; what was acknowledged, by conversation."""
    with ThreadPoolExecutor(8) as threads:
        posting = [threads.submit(post, own, f"k{number}-{index}", index) for index in range(MESSAGES)]
        wait_until(lambda: sum(future.done() for future in posting) > MESSAGES // 2, "half of the messages")
        command = own.kill_edge()
        taken = dict(found for future in posting if (found := future.result()))
    own.start_edge(command)
    return taken


def post(own: Demo, conversation: str, index: int) -> tuple[str, str] | None:
    body = {"conversation": conversation, "customer": "c", "text": TEXTS[index % len(TEXTS)]}
    try:
        with own.client() as client:
            answer = client.post("/v1/demo/messages", json=body, headers={"Idempotency-Key": f"id-{conversation}"})
    except httpx2.TransportError:
        return None
    return (conversation, f"id-{conversation}") if answer.status_code == 202 else None


def final_log(own: Demo, conversation: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []

    def has_ended() -> bool:
        events[:] = log_of(own, conversation)
        return any(event["type"] == "reply" and event["final"] for event in events)

    wait_until(has_ended, f"the reply in {conversation}")
    return events


def log_of(own: Demo, conversation: str) -> list[dict[str, Any]]:
    """What the log holds now, read until nothing more comes at once."""
    events = []
    path = f"/v1/demo/conversations/{conversation}/events?after=0"
    with own.client(timeout_s=0.5) as client, client.stream("GET", path) as stream:
        try:
            for line in stream.iter_lines():
                if line.startswith("data: "):
                    events.append(json.loads(line.removeprefix("data: ")))
        except httpx2.TimeoutException:
            pass
    return [event for event in events if event["type"] in ("message", "reply")]
