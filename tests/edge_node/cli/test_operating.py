"""What an operator asks of an edge, while it runs and while it is stopped."""

import asyncio
import json
import os
import random
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from edge_node import settings as edge_settings
from edge_node.messages import DeadReason
from tests import servers
from tests.edge_node.cli.commands import cli, failing, fine, make_edge, serving, until_ready
from tests.edge_node.control.stage import Company, opened

pytestmark = pytest.mark.server

NUMBER = "13912345678"
WORDS = f"I am Alice and my number is {NUMBER}\x1b[2J"
TURNS = 5


@dataclass
class Edge:
    config: Path
    runs: bool
    dead: dict[str, list[str]] = field(default_factory=dict)

    def ask(self, *arguments: str) -> str:
        return fine(*arguments, "-c", self.config)

    def json(self, *arguments: str) -> Any:
        return json.loads(self.ask(*arguments, "--json"))

    def fails(self, *arguments: str, code: int = 1) -> str:
        return failing(*arguments, "-c", self.config, code=code)

    def inbox(self) -> dict[str, str]:
        """The status of each turn that has not ended."""
        return {row["id"]: row["status"] for row in self.json("inbox")[0]["turns"]}

    def outbox(self) -> set[str]:
        return {row["id"] for row in self.json("outbox", "list")[0]["replies"]}

    def dead_ids(self) -> set[str]:
        return {row["id"] for row in self.json("dead", "list")[0]["items"]}


def stopped_edge(folder: Path) -> Edge:
    """With what a hard day leaves behind, and one reply that waits for an hour."""
    edge = Edge(make_edge(folder), runs=False)

    async def fill() -> None:
        store = await opened(edge_settings.load(edge.config), "shop")
        company = Company(store)
        edge.dead["turns"] = [await company.parks(f"{WORDS} {number}") for number in range(TURNS)]
        edge.dead["replies"] = [await company.fails_to_send(DeadReason.REFUSED) for _ in range(2)]
        edge.dead["calls"] = [await company.loses_a_call()]
        waiting = await company.answers(customer="bob")
        await store.postpone(waiting.event.id, "503", time.time() + 3_600)
        await store.close()

    asyncio.run(fill())
    return edge


@pytest.fixture(scope="module", params=["running", "stopped"])
def edge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    made = stopped_edge(tmp_path_factory.mktemp("operated"))
    if request.param == "stopped":
        yield made
        return
    made.runs = True
    with serving(made.config) as process:
        until_ready(made.config, process)
        yield made


@pytest.fixture
def own(tmp_path: Path) -> Edge:
    """One that a test starts and kills as it likes."""
    return stopped_edge(tmp_path / "edge")


def test_the_outbox_says_what_waits_why_and_how_long(edge: Edge) -> None:
    [shop] = edge.json("outbox", "list")
    [row] = shop["replies"]
    assert (shop["pending"], row["reason"], row["attempts"]) == (1, "503", 1)
    table = edge.ask("outbox", "list")
    assert table.startswith("shop: 1 reply to send, 0 sends in doubt, the oldest written ")
    assert "503" in table and " min" in table and " ago" in table


def test_an_inbox_in_which_nothing_waits_says_so(edge: Edge) -> None:
    assert edge.ask("inbox") == "shop: 0 turns queued, 0 promised for later\nnothing waits: every turn has ended\n"
    assert edge.inbox() == {}


def test_the_dead_list_says_how_many_which_and_why(edge: Edge) -> None:
    table = edge.ask("dead", "list")
    assert table.startswith(f"shop: {TURNS} turns, 2 replies, 1 call") and "outcome_unknown" in table
    [shop] = edge.json("dead", "list", "--reason", "outcome_unknown")
    assert [row["id"] for row in shop["items"]] == edge.dead["calls"]


def test_no_list_shows_what_a_customer_said(edge: Edge) -> None:
    said = edge.ask("dead", "list") + edge.ask("inbox") + edge.ask("dead", "list", "--json")
    assert "Alice" not in said and NUMBER not in said


def test_one_dead_turn_is_shown_with_the_customers_words_which_steer_no_terminal(edge: Edge) -> None:
    done = cli("dead", "show", edge.dead["turns"][0], "-c", edge.config)
    assert (done.returncode, done.stderr) == (0, "personal data: for the eyes of whoever may see it\n")
    assert f"I am Alice and my number is {NUMBER}" in done.stdout and "\x1b" not in done.stdout
    assert "turn_failed: every attempt to answer broke" in done.stdout
    assert edge.json("dead", "show", edge.dead["turns"][0])["customer"] == "alice"


def test_a_dead_turn_that_is_retried_is_taken_up_now_or_at_the_start(edge: Edge) -> None:
    turn = edge.dead["turns"].pop()
    said = edge.ask("dead", "retry", turn)
    assert said == ("1 item taken up\n" if edge.runs else "1 item taken up: it goes on when the edge starts\n")
    if edge.runs:  # the core is off: an answer is promised
        servers.wait_until(lambda: edge.inbox().get(turn) == "deferred", "the turn")
    else:
        assert edge.inbox()[turn] == "queued"


def test_a_dead_reply_that_is_retried_leaves_now_or_at_the_start(edge: Edge) -> None:
    reply = edge.dead["replies"].pop()
    assert [row["id"] for row in edge.json("dead", "retry", reply)["retried"]] == [reply]
    if edge.runs:
        servers.wait_until(lambda: reply not in edge.outbox(), "the reply")
    else:
        assert reply in edge.outbox()


def test_what_is_not_dead_is_not_retried_and_the_rest_is(edge: Edge) -> None:
    done = cli("dead", "retry", edge.dead["turns"].pop(), "t_none", edge.dead["calls"][0], "-c", edge.config)
    assert done.returncode == 1
    assert done.stdout.startswith("1 item taken up")
    assert done.stderr.count("was not retried") == 2


def test_what_is_dropped_is_gone(edge: Edge) -> None:
    turn = edge.dead["turns"].pop()
    assert edge.ask("dead", "drop", turn) == "1 item dropped\n"
    assert turn not in edge.dead_ids()
    assert "is not dead" in edge.fails("dead", "drop", turn)


def test_what_is_not_there_is_said(edge: Edge) -> None:
    assert "no tenant acme" in edge.fails("inbox", "--tenant", "acme")
    assert "nothing of that id is dead" in edge.fails("dead", "show", "t_none")
    assert "waits in no outbox" in edge.fails("outbox", "retry", "r999")


def test_several_commands_at_once_are_all_answered(edge: Edge) -> None:
    with ThreadPoolExecutor(3) as threads:
        outcomes = list(threads.map(lambda _: edge.json("dead", "list"), range(6)))
    assert [outcome[0]["calls"] for outcome in outcomes] == [1] * 6


def test_new_keys_are_made_while_the_edge_serves_and_while_it_does_not(edge: Edge) -> None:
    node_key = edge.config.parent / "certs" / "node.key"
    before = node_key.read_bytes()
    done = cli("keys", "rotate", "-c", edge.config)
    assert (done.returncode, done.stdout.partition("\n")[0]) == (0, "new keys: the node, shop"), done.stderr
    assert "shop: the file is under its new key (1 of 1)" in done.stderr
    assert node_key.read_bytes() != before
    assert edge.json("dead", "list")[0]["calls"] == 1


def test_a_forgotten_customer_is_nowhere_any_more(edge: Edge) -> None:
    assert edge.ask("forget", "--customer", "bob", "--yes").startswith("removed: 1 conversations, 1 messages, ")
    assert edge.ask("forget", "--customer", "bob", "--yes") == "shop knows nothing of this customer\n"
    assert "503" not in edge.ask("outbox", "list")


def test_the_words_of_a_customer_are_in_no_log(edge: Edge) -> None:
    log = edge.config.parent / "serve.log"
    assert log.exists() is edge.runs
    assert not edge.runs or not any(word in log.read_text() for word in ("Alice", NUMBER, "bob"))


def test_what_waits_and_what_is_dead_is_in_the_metrics_and_the_conditions(own: Edge) -> None:
    admin = f"http://127.0.0.1:{edge_settings.load(own.config).admin.port}"
    with serving(own.config) as process:
        until_ready(own.config, process)
        metrics = httpx2.get(f"{admin}/metrics", trust_env=False).text
        ready = httpx2.get(f"{admin}/readyz", trust_env=False)
    assert f'nearside_dead{{kind="turn",tenant="shop"}} {TURNS}.0' in metrics
    conditions = {row["name"]: row for row in ready.json()["conditions"]}
    assert (ready.status_code, conditions["control"]["ok"], conditions["store_shop"]["ok"]) == (200, True, True)
    assert not conditions["dead"]["ok"] and "edge-node dead list" in conditions["dead"]["detail"]


def test_a_reply_that_waits_leaves_at_the_start_when_an_operator_wants_it(own: Edge) -> None:
    assert own.ask("outbox", "retry") == "1 reply taken up: it goes on when the edge starts\n"
    with serving(own.config) as process:
        until_ready(own.config, process)
        servers.wait_until(lambda: own.outbox() == set(), "the reply")


def test_a_reply_that_waits_leaves_at_once_when_an_operator_wants_it(own: Edge) -> None:
    with serving(own.config) as process:
        until_ready(own.config, process)
        [reply] = own.outbox()
        assert own.ask("outbox", "retry", reply) == "1 reply taken up\n"
        servers.wait_until(lambda: own.outbox() == set(), "the reply")


def test_a_command_during_the_start_is_answered_and_the_edge_starts(own: Edge) -> None:
    with serving(own.config) as process:
        assert [own.json("dead", "list")[0]["turns"] for _ in range(4)] == [TURNS] * 4
        until_ready(own.config, process)


def test_a_second_edge_on_the_same_folder_refuses_to_start(own: Edge) -> None:
    with serving(own.config) as process:
        until_ready(own.config, process)
        assert f"another edge (process {process.pid}) serves this data folder" in own.fails("serve")


def test_a_command_after_the_edge_was_killed_takes_its_socket_for_what_it_is(own: Edge) -> None:
    with serving(own.config) as process:
        until_ready(own.config, process)
        process.kill()
        process.wait(20)
    assert (own.config.parent / "data" / "edge.sock").exists()
    assert own.json("dead", "list")[0]["turns"] == TURNS
    with serving(own.config) as process:
        until_ready(own.config, process, starts=2)
        assert own.json("dead", "list")[0]["turns"] == TURNS
    assert not (own.config.parent / "data" / "edge.sock").exists()


def test_an_edge_that_is_killed_while_its_keys_are_exchanged_opens_all_the_same(own: Edge) -> None:
    choose = random.Random(7)
    for round_number in range(4):
        with serving(own.config) as process, ThreadPoolExecutor(1) as thread:
            until_ready(own.config, process, starts=round_number + 1)
            rotating = thread.submit(cli, "keys", "rotate", "-c", own.config)
            log, before = own.config.parent / "serve.log", round_number
            servers.wait_until(lambda: log.read_text().count('"keys rotate"') > before, "the rotation")  # noqa: B023
            time.sleep(choose.uniform(0.0, 0.05))
            process.kill()
            process.wait(20)
            rotating.result()
        assert own.json("dead", "list")[0]["turns"] == TURNS
    assert cli("keys", "rotate", "-c", own.config).returncode == 0
    assert not list(own.config.parent.glob("**/*.key.next"))


def test_systemd_hears_of_the_start_the_life_and_the_stop_of_an_edge(own: Edge) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0nearside-edge-{os.getpid()}")
        systemd.settimeout(30)
        heard: list[str] = []

        def hear_until(line: str, times: int = 1) -> None:
            while heard.count(line) < times:
                heard.extend(systemd.recv(4096).decode().split("\n"))

        told = {"NOTIFY_SOCKET": f"@nearside-edge-{os.getpid()}", "WATCHDOG_USEC": "400000"}
        with serving(own.config, told) as process:
            hear_until("READY=1")
            hear_until("WATCHDOG=1", times=3)
            assert process.poll() is None
        hear_until("STOPPING=1")
    assert any(line.startswith("STATUS=serves shop on port ") for line in heard)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Edge:
    """An edge that never served anybody."""
    return Edge(make_edge(tmp_path_factory.mktemp("empty")), runs=False)


@pytest.mark.parametrize(
    "wrong",
    [
        ["dead", "retry"],
        ["dead", "retry", "t_1", "--all"],
        ["dead", "retry", "t_1", "--reason", "refused"],
        ["dead", "list", "--reason", "bad-luck"],
        ["inbox", "--limit", "0"],
        ["forget", "--customer", "alice"],
        ["forget", "--yes"],
        ["keys", "rotate", "--tenant", "shop", "--node-only"],
    ],
)
def test_wrong_use_says_what_is_right(empty: Edge, wrong: list[str]) -> None:
    assert "--help" in empty.fails(*wrong, code=2)


def test_an_edge_without_data_has_nothing_to_show_and_gets_none(empty: Edge) -> None:
    assert empty.json("inbox") == empty.json("dead", "list") == []
    assert empty.ask("forget", "--customer", "alice", "--yes") == "shop knows nothing of this customer\n"
    assert not list(empty.config.parent.glob("data/**/*.db"))
