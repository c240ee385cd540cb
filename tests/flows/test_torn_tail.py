"""A power cut in the middle of a commit: whatever stands behind the last one, what was acknowledged is there."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import servers
from tests.sealed import sealed_file
from tests.servers import Demo
from tests.wal import Wal, read_wal

pytestmark = pytest.mark.server

TEXTS = ("hello", "Where is my order 1042?", "which ways can I pay", "谢谢")

TAILS: dict[str, Callable[[Wal], bytes]] = {
    "half-a-frame": lambda wal: wal.frame(commits=False)[: wal.page_size // 2],
    "a-whole-frame-without-commit": lambda wal: wal.frame(commits=False),
    "a-commit-with-a-wrong-checksum": lambda wal: wal.frame(commits=True, valid=False),
    "zeros": lambda wal: bytes(3 * wal.page_size),
    "noise": lambda wal: wal.frame(commits=True)[::-1],
}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with servers.demo(tmp_path_factory.mktemp("torn-tail")) as running:
        yield running


def wal_of(own: Demo) -> Path:
    return sealed_file(own.home / "edge" / "edge.toml", own.env["TENANT"]).with_name("edge.db-wal")


def ask_all(own: Demo, name: str) -> dict[str, dict[str, Any]]:
    """By conversation, what was acknowledged and answered."""
    return {f"{name}-{number}": own.ask(text, f"{name}-{number}") for number, text in enumerate(TEXTS)}


def assert_there(own: Demo, conversation: str, told: dict[str, Any]) -> None:
    message, reply = own.events_of(conversation, quiet_s=0.2)
    assert (message["id"], reply["turn_id"]) == (told["message_id"], told["turn_id"])
    assert (reply["text"], reply["final"]) == (told["reply"]["text"], True)


@pytest.mark.parametrize("tail", TAILS)
def test_a_torn_tail_takes_nothing_that_was_acknowledged(own: Demo, tail: str) -> None:
    told = ask_all(own, tail)
    command = own.kill_edge()
    wal = read_wal(wal_of(own))
    assert wal.end > wal.page_size
    wal.end_with(TAILS[tail](wal))
    own.start_edge(command)
    for conversation, answer in told.items():
        assert_there(own, conversation, answer)
    assert own.ask("thanks", f"{tail}-after")["reply"]["final"]


def test_a_message_whose_commit_was_torn_is_taken_when_it_is_sent_again(own: Demo) -> None:
    """Nobody was told that it was taken: here the commits of one more message are cut off after the kill."""
    told = ask_all(own, "before")
    command = own.kill_edge()
    before = read_wal(wal_of(own))
    own.start_edge(command)
    key = {"Idempotency-Key": "torn"}
    post(own, key)
    own.kill_edge()
    assert read_wal(wal_of(own)).salts == before.salts
    wal_of(own).write_bytes(wal_of(own).read_bytes()[: before.end + before.page_size // 2])
    own.start_edge(command)
    for conversation, answer in told.items():
        assert_there(own, conversation, answer)
    again = post(own, key)
    assert_there(own, "torn", again)


def post(own: Demo, headers: dict[str, str]) -> dict[str, Any]:
    body = {"conversation": "torn", "customer": "c", "text": "hello"}
    with own.client() as client:
        answer = client.post(f"/v1/{own.env['TENANT']}/messages", json=body, headers=headers | {"Prefer": "wait=10"})
    answer.raise_for_status()
    told: dict[str, Any] = answer.json()
    return told
