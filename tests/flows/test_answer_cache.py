"""What the core has answered once: given again to whoever asks the same, by the real programs."""

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import connect

from demo.launch.tomledit import set_keys
from tests import servers
from tests.flows.test_core_down import next_reply
from tests.servers import PROGRAMS, Demo, wait_until

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]

SKUA = "How much does the Skua 3 tunnel tent weigh?"
IN_OTHER_WORDS = "how much does a Skua 3 tunnel tent weigh, please"
CHINESE = "Skua 3 隧道帐篷有多重？"
UNANSWERED = ("How often should I backflush the Brook water filter?", "Brook 净水器多久要反冲洗一次？")
OTHER_QUESTIONS = (
    "How much does the Skua 2 tunnel tent weigh?",
    "How much does the Petrel 3 tunnel tent weigh?",
    "How much doesn't the Skua 3 tunnel tent weigh?",
    "When does the Skua 3 tunnel tent weigh much?",
)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """With a second company that has the same documents."""
    with servers.demo(tmp_path_factory.mktemp("answer-cache")) as running:
        core, edge = running.home / "core" / "core.toml", running.home / "edge" / "edge.toml"
        command = running.kill_edge()
        run("cloud-core", core, "tenant", "add", "other", "--name", "Other Ltd")
        run("cloud-core", core, "kb", "add", "--publish", "--tenant", "other", str(servers.ROOT / "demo" / "documents"))
        run("cloud-core", core, "edge", "issue", "demo-edge", *both_tenants(), "--out", str(edge.parent / "link"))
        content = str(running.home / "content")
        set_keys(edge, {"tenants": {tenant: {"content": content} for tenant in ("demo", "other")}})
        running.start_edge(command)
        yield running


def both_tenants() -> list[str]:
    return [word for tenant in ("demo", "other") for word in ("--tenant", tenant)]


def run(program: str, config: Path, *words: str) -> str:
    command = [str(PROGRAMS / program), *words, "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def ask(own: Demo, text: str, customer: str, wait_s: int = 20) -> dict[str, Any]:
    """By somebody who has not been heard of before."""
    reply: dict[str, Any] = own.ask(text, f"{customer}-{text}", customer=customer, wait_s=wait_s)["reply"]
    return reply


def metric(own: Demo, name: str, **labels: str) -> float:
    text = httpx2.get(f"{own.env['EDGE_ADMIN_URL']}/metrics", trust_env=False).text
    wanted = "".join(f'(?=[^}}]*{label}="{value}")' for label, value in labels.items())
    return sum(map(float, re.findall(rf"^{name}{{{wanted}[^}}]*}} (\S+)$", text, re.MULTILINE)))


@pytest.mark.parametrize("question", [SKUA, CHINESE])
def test_the_second_customer_gets_the_answer_of_the_first(own: Demo, question: str) -> None:
    first, second = (ask(own, question, customer) for customer in ("ana", "bo"))
    assert (first["source"], first["reason"]) == ("core", "grounded")
    assert (second["source"], second["reason"], second["final"]) == ("cache", "cache_hit", True)
    for kept in ("text", "citations", "confidence", "knowledge_version"):
        assert second[kept] == first[kept]


def test_other_words_for_it_are_enough_and_are_counted(own: Demo) -> None:
    ask(own, SKUA, "cem")
    reply = ask(own, IN_OTHER_WORDS, "cem")
    assert (reply["source"], "2.9" in reply["text"]) == ("cache", True)
    assert metric(own, "nearside_cache_lookups_total", tenant="demo", outcome="semantic") == 1
    assert metric(own, "nearside_cache_lookups_total", tenant="demo", outcome="exact") >= 1
    assert metric(own, "nearside_turns_total", tenant="demo", source="cache", reason="cache_hit") >= 2
    assert metric(own, "nearside_cache_entries", tenant="demo") >= 1


@pytest.mark.parametrize("question", OTHER_QUESTIONS)
def test_another_number_name_or_negation_is_for_the_core(own: Demo, question: str) -> None:
    ask(own, SKUA, "dana")
    assert ask(own, question, "dana")["source"] == "core"


def test_another_company_is_told_nothing_of_it(own: Demo) -> None:
    ask(own, SKUA, "eve")
    key = json.loads(
        run("edge-node", own.home / "edge" / "edge.toml", "apikey", "add", "--tenant", "other", "--name", "t", "--json")
    )["key"]
    with own.client(key=key) as client:
        body = {"conversation": "eve", "customer": "eve", "text": SKUA}
        answer = client.post("/v1/other/messages", json=body, headers={"Prefer": "wait=20"}).json()
    assert (answer["reply"]["source"], answer["reply"]["reason"]) == ("core", "grounded")


def test_personal_data_and_what_follows_something_are_not_kept(own: Demo) -> None:
    text = "My mail is fay@mail.example: how long is the Skua 3 tunnel tent?"
    assert [ask(own, text, customer)["source"] for customer in ("fay", "gil")] == ["core", "core"]
    own.ask("hello", "hal")
    question = "How long is the Petrel 2 dome tent when packed?"
    assert own.ask(question, "hal")["reply"]["source"] == "core"
    assert ask(own, question, "hal")["source"] == "core"


def test_it_answers_after_a_restart_without_a_core_and_the_circuit_opens_and_closes(own: Demo) -> None:
    ask(own, SKUA, "ida")
    edge, core = own.kill_edge(), own.kill_core()
    own.start_edge(edge)
    assert ask(own, SKUA, "jo")["source"] == "cache"
    asyncio.run(come_back(own, core))
    assert metric(own, "nearside_circuit_changes_total", tenant="", state="closed") >= 1
    assert metric(own, "nearside_circuit_state", tenant="") == 0


async def come_back(own: Demo, core: list[str]) -> None:
    """While the core is away somebody waits on the socket; others ask until it is not even tried."""
    url = own.env["EDGE_URL"].replace("https", "wss") + "/v1/demo/chat"
    async with asyncio.timeout(120), connect(url, ssl=own.tls) as socket:
        await socket.send(json.dumps({"type": "hello", "v": 1, "lang": "en"}))
        await socket.send(json.dumps({"type": "message", "id": "m1", "text": UNANSWERED[0]}))
        apology = await next_reply(socket.recv)
        assert (apology["reason"], apology["final"]) == ("core_unreachable", False)
        reasons = [(await asyncio.to_thread(ask, own, UNANSWERED[1], f"kim-{number}"))["reason"] for number in range(8)]
        assert set(reasons) == {"core_unreachable", "circuit_open"}
        assert reasons[-1] == "circuit_open"
        await asyncio.to_thread(own.start_core, core)
        late = await next_reply(socket.recv)
    assert (late["source"], late["final"], late["quotes"]) == ("core", True, UNANSWERED[0])
    for number in range(8):
        await asyncio.to_thread(wait_until, partial(is_answered, own, f"kim-{number}"), "the late answers")


def is_answered(own: Demo, customer: str) -> bool:
    replies = [event for event in own.events_of(f"{customer}-{UNANSWERED[1]}") if event["type"] == "reply"]
    return [reply["final"] for reply in replies] == [False, True] and replies[-1]["source"] == "core"


def test_knowledge_that_has_changed_is_asked_for_again(own: Demo, tmp_path: Path) -> None:
    ask(own, SKUA, "lea")
    assert ask(own, SKUA, "mo")["source"] == "cache"
    document = tmp_path / "osprey.md"
    document.write_text("# Osprey 5 hammock\n\nThe Osprey 5 hammock carries 180 kg.\n", encoding="utf-8")
    run("cloud-core", own.home / "core" / "core.toml", "kb", "add", "--publish", "--tenant", "demo", str(document))
    assert ask(own, "What load does the Osprey 5 hammock carry?", "lea")["source"] == "core"
    assert [ask(own, SKUA, customer)["source"] for customer in ("ned", "ola")] == ["core", "cache"]
