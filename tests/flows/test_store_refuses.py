"""The disk is full, or another process holds the file: refused before it is acknowledged, and well again by itself."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import httpx2
import pytest

from tests import servers
from tests.sealed import sealed_file, tenant_key
from tests.servers import Demo, wait_until

pytestmark = pytest.mark.server

DISK_MIB = 24
CUSTOMERS = 8
LONGER_THAN_A_TURN_TRIES_S = 3.0
TEXTS = (
    "hello",
    "Where is my order 1042?",
    "which ways can I pay",
    "How much does the Skua 3 tunnel tent weigh?",
    "谢谢",
)

LOCK = """
import sys, time
from pathlib import Path
from nearside.database import open_database

connection = open_database(Path(sys.argv[1]), bytes.fromhex(sys.stdin.readline()))
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
"""


@dataclass(slots=True)
class Talk:
    """What several customers were told who went on posting until they were asked to stop."""

    demo: Demo
    name: str
    acknowledged: dict[str, str] = field(default_factory=dict)
    """Turn ids by conversation."""
    refused: list[httpx2.Response] = field(default_factory=list)
    others: list[httpx2.Response] = field(default_factory=list)
    is_over: Event = field(default_factory=Event)

    def go_on(self, customer: int) -> None:
        number = 0
        with self.demo.client() as client:
            while not self.is_over.is_set():
                self.post(client, f"{self.name}-{customer}-{number}", TEXTS[number % len(TEXTS)])
                number += 1
                time.sleep(0.02)

    def post(self, client: httpx2.Client, conversation: str, text: str) -> None:
        body = {"conversation": conversation, "customer": "c", "text": text}
        answer = client.post(f"/v1/{self.demo.env['TENANT']}/messages", json=body)
        if answer.status_code == 202:
            self.acknowledged[conversation] = answer.json()["turn_id"]
        else:
            (self.refused if answer.status_code == 503 else self.others).append(answer)


@contextmanager
def talking(demo: Demo, name: str) -> Iterator[Talk]:
    talk = Talk(demo, name)
    with ThreadPoolExecutor(CUSTOMERS) as threads:
        customers: list[Future[None]] = [threads.submit(talk.go_on, number) for number in range(CUSTOMERS)]
        try:
            yield talk
        finally:
            talk.is_over.set()
    for customer in customers:
        customer.result()


def readiness(demo: Demo) -> tuple[int, dict[str, Any]]:
    """The status of /readyz, and its conditions by name."""
    answer = httpx2.get(f"{demo.env['EDGE_ADMIN_URL']}/readyz", trust_env=False)
    return answer.status_code, {condition["name"]: condition for condition in answer.json()["conditions"]}


def is_ready(demo: Demo) -> bool:
    return readiness(demo)[0] == 200


def assert_named(demo: Demo, word: str) -> None:
    status, conditions = readiness(demo)
    store = conditions[f"store_{demo.env['TENANT']}"]
    assert (status, store["ok"]) == (503, False)
    assert word in store["detail"]


def assert_refusals(talk: Talk) -> None:
    assert talk.refused
    assert not [answer.text for answer in talk.others]
    for answer in talk.refused:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == "urn:nearside:problem:store-unavailable"
        assert int(answer.headers["retry-after"]) > 0


def assert_all_answered(talk: Talk) -> None:
    """Each acknowledged message has its one final reply, without a restart."""

    def finals(conversation: str) -> list[str]:
        events = talk.demo.events_of(conversation, quiet_s=0.3)
        return [event["turn_id"] for event in events if event["type"] == "reply" and event["final"]]

    def answered(conversation: str) -> bool:
        return finals(conversation) == [talk.acknowledged[conversation]]

    def unanswered() -> list[str]:
        with ThreadPoolExecutor(CUSTOMERS) as threads:
            well = threads.map(answered, talk.acknowledged)
        return [conversation for conversation, fine in zip(talk.acknowledged, well, strict=True) if not fine]

    assert talk.acknowledged
    left: list[str] = []
    for _ in range(6):
        if not (left := unanswered()):
            break
    assert {conversation: finals(conversation) for conversation in left} == {}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with servers.demo(tmp_path_factory.mktemp("store-refuses")) as running:
        yield running


@pytest.fixture(scope="module")
def on_small_disk(own: Demo) -> Iterator[Path]:
    """The edge's data folder on a file system of its own, and the edge on it."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    data = own.home / "edge" / "data"
    command = own.kill_edge()
    kept = data.with_name("kept")
    data.rename(kept)
    data.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=700", "tmpfs", str(data)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"mounting is forbidden here: {mounted.stderr.strip()}")
    try:
        shutil.copytree(kept, data, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock"))
        own.start_edge(command)
        yield data
        own.kill_edge()
    finally:
        subprocess.run(["umount", "--lazy", str(data)], check=True)


def test_a_full_disk_is_said_before_anything_is_acknowledged_and_heals_by_itself(
    own: Demo, on_small_disk: Path
) -> None:
    ballast = on_small_disk / "ballast"
    with talking(own, "full") as talk:
        wait_until(lambda: len(talk.acknowledged) > CUSTOMERS, "the first messages")
        with suppress(OSError):
            ballast.write_bytes(bytes(DISK_MIB << 20))
        wait_until(lambda: len(talk.refused) > CUSTOMERS, "refusals", 60)
        assert_named(own, "full")
        time.sleep(LONGER_THAN_A_TURN_TRIES_S)
    ballast.unlink()
    wait_until(lambda: is_ready(own), "readiness, with nobody writing", 60)
    assert_refusals(talk)
    assert own.ask("hello", "after-full")["reply"]["final"]
    assert_all_answered(talk)


@contextmanager
def locked(own: Demo) -> Iterator[None]:
    """Another process, with the tenant's key, is in the middle of a write."""
    config, tenant_id = own.home / "edge" / "edge.toml", own.env["TENANT"]
    command = [sys.executable, "-c", LOCK, str(sealed_file(config, tenant_id))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        process.stdin.write(tenant_key(config, tenant_id).hex() + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "locked\n"
        try:
            yield
        finally:
            process.stdin.close()


def test_a_file_locked_by_another_process_is_said_and_heals_by_itself(own: Demo) -> None:
    with talking(own, "locked") as talk:
        wait_until(lambda: len(talk.acknowledged) > CUSTOMERS, "the first messages")
        with locked(own):
            wait_until(lambda: len(talk.refused) > CUSTOMERS, "refusals", 60)
            assert_named(own, "locked")
            talk.is_over.set()
    wait_until(lambda: is_ready(own), "readiness, with nobody writing", 60)
    assert_refusals(talk)
    assert own.ask("hello", "after-lock")["reply"]["final"]
    assert_all_answered(talk)
