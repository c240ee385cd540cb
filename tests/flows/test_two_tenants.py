"""Two companies on one edge, with the same ids everywhere: nothing of one is found at the other."""

import itertools
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from demo.launch.tomledit import set_keys
from nearside.database import open_database
from nearside.errors import StorageError
from tests import servers
from tests.sealed import everything_in, sealed_file, tenant_key
from tests.servers import PROGRAMS, Demo, wait_until

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]

TENANTS = ("demo", "other")
WORDS = {"demo": "zinnober-4711", "other": "kobalt-0815"}
"""Every text of a tenant holds its own word."""
QUIET_S = 0.25

DOCUMENT_QUESTION = "How much does the Skua 3 tunnel tent weigh?"
TEXTS = ("hello {}", "Where is my order 1042? {}", "which ways can I pay {}", f"{DOCUMENT_QUESTION} {{}}", "{}")
THREADS = ("thread-1", "thread-2", "7/with a slash")
MESSAGE_IDS = ("m-1", "m-2", "m-3", "m-4")
CUSTOMERS = ("ana", "bo@mail.example")


@dataclass(slots=True)
class Both:
    """One edge that serves both, and what each has been told so far."""

    demo: Demo
    keys: dict[str, str]
    taken: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=lambda: {tenant: {} for tenant in TENANTS})
    """By tenant and message id: thread, customer and text of the first message under it."""
    turn_ids: dict[str, dict[str, str]] = field(default_factory=lambda: {tenant: {} for tenant in TENANTS})

    def client(self, key_of: str) -> httpx2.Client:
        return self.demo.client(key=self.keys[key_of])

    def post(self, tenant: str, message_id: str, thread: str, customer: str, text: str) -> httpx2.Response:
        with self.client(tenant) as client:
            return client.post(
                f"/v1/{tenant}/messages",
                json={"conversation": thread, "customer": customer, "text": text},
                headers={"Idempotency-Key": message_id, "Prefer": "wait=10"},
            )

    def read(self, tenant: str, thread: str, *, key_of: str, token: str = "") -> tuple[int, list[dict[str, Any]]]:
        """The status, and the messages and replies."""
        events: list[dict[str, Any]] = []
        path = f"/v1/{tenant}/conversations/{quote(thread, safe='')}/events?after=0"
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with self.client(key_of) as client:
            try:
                with client.stream("GET", path, headers=headers, timeout=httpx2.Timeout(20.0, read=QUIET_S)) as answer:
                    if answer.status_code != 200:
                        return answer.status_code, [json.loads(answer.read())]
                    for line in answer.iter_lines():
                        if line.startswith("data: "):
                            events.append(json.loads(line.removeprefix("data: ")))
            except httpx2.ReadTimeout:
                pass
        return 200, [event for event in events if event["type"] in ("message", "reply")]

    def chat(self, tenant: str) -> ClientConnection:
        return connect(self.demo.env["EDGE_URL"].replace("https", "wss") + f"/v1/{tenant}/chat", ssl=self.demo.tls)

    def metric(self, name: str, tenant: str) -> float:
        """The sum over all other labels."""
        text = httpx2.get(f"{self.demo.env['EDGE_ADMIN_URL']}/metrics", trust_env=False).text
        return sum(map(float, re.findall(rf'^{name}{{[^}}]*tenant="{tenant}"[^}}]*}} (\S+)$', text, re.MULTILINE)))


def stranger(tenant: str) -> str:
    return next(other for other in TENANTS if other != tenant)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with servers.demo(tmp_path_factory.mktemp("two-tenants")) as running:
        core, edge = running.home / "core" / "core.toml", running.home / "edge" / "edge.toml"
        command = running.kill_edge()
        ask("cloud-core", core, "tenant", "add", "other", "--name", "Other Ltd")
        both_at_core = [word for tenant in TENANTS for word in ("--tenant", tenant)]
        ask("cloud-core", core, "edge", "issue", "demo-edge", *both_at_core, "--out", str(edge.parent / "link"))
        content = str(running.home / "content")
        set_keys(edge, {"tenants": {tenant: {"content": content} for tenant in TENANTS}})
        key = json.loads(ask("edge-node", edge, "apikey", "add", "--tenant", "other", "--name", "test", "--json"))[
            "key"
        ]
        running.start_edge(command)
        yield Both(running, {"demo": running.env["API_KEY"], "other": key})


def ask(program: str, config: Path, *words: str) -> str:
    command = [str(PROGRAMS / program), *words, "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def assert_nothing_of(tenant: str, found: Any) -> None:
    assert WORDS[tenant] not in json.dumps(found, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Post:
    tenant: str
    message_id: str
    thread: str
    customer: str
    text: str


posts = st.builds(
    Post,
    st.sampled_from(TENANTS),
    st.sampled_from(MESSAGE_IDS),
    st.sampled_from(THREADS),
    st.sampled_from(CUSTOMERS),
    st.sampled_from(TEXTS),
)
examples = itertools.count()


@settings(max_examples=12)
@given(said=st.lists(posts, min_size=2, max_size=8))
def test_the_same_ids_mean_something_else_at_each_tenant(both: Both, said: list[Post]) -> None:
    """What one tenant is told follows from its own messages alone."""
    here = f"example-{next(examples)}-"
    for post in said:
        assert_told_as_if_alone(both, post, here)
    for tenant, thread in itertools.product(TENANTS, THREADS):
        assert_log_as_if_alone(both, tenant, here + thread)


def assert_told_as_if_alone(both: Both, post: Post, here: str) -> None:
    tenant, message_id = post.tenant, here + post.message_id
    message = (here + post.thread, post.customer, post.text.format(WORDS[tenant]))
    first = both.taken[tenant].setdefault(message_id, message)
    answer = both.post(tenant, message_id, *message)
    assert_nothing_of(stranger(tenant), answer.text)
    if first != message:
        assert answer.status_code == 422
        return
    assert answer.status_code == 200
    turn_id = answer.json()["turn_id"]
    assert both.turn_ids[tenant].setdefault(message_id, turn_id) == turn_id
    assert turn_id not in both.turn_ids[stranger(tenant)].values()


def assert_log_as_if_alone(both: Both, tenant: str, thread: str) -> None:
    own = {message_id: message for message_id, message in both.taken[tenant].items() if message[0] == thread}
    status, events = both.read(tenant, thread, key_of=tenant)
    assert_nothing_of(stranger(tenant), events)
    if not own:
        assert status == 404
        return
    assert {event["id"]: event["text"] for event in events if event["type"] == "message"} == {
        message_id: message[2] for message_id, message in own.items()
    }
    answered = {event["turn_id"] for event in events if event["type"] == "reply"}
    assert answered == {both.turn_ids[tenant][message_id] for message_id in own}


def say_everywhere(both: Both, thread: str, customer: str = "ana") -> None:
    for tenant in TENANTS:
        message = (thread, customer, f"hello {WORDS[tenant]}")
        both.taken[tenant][thread] = message
        answer = both.post(tenant, thread, *message)
        assert answer.status_code == 200
        both.turn_ids[tenant][thread] = answer.json()["turn_id"]


@pytest.mark.parametrize("tenant", TENANTS)
def test_the_api_key_of_one_opens_nothing_of_the_other(both: Both, tenant: str) -> None:
    say_everywhere(both, f"keys-{tenant}")
    with both.client(stranger(tenant)) as client:
        body = {"conversation": f"keys-{tenant}", "customer": "ana", "text": "let me in"}
        answer = client.post(f"/v1/{tenant}/messages", json=body)
    assert answer.status_code == 401
    status, problem = both.read(tenant, f"keys-{tenant}", key_of=stranger(tenant))
    assert status == 401
    assert_nothing_of(tenant, [answer.text, problem])
    assert_log_as_if_alone(both, tenant, f"keys-{tenant}")


def begin_chat(both: Both, tenant: str) -> tuple[str, str]:
    """Thread and token of a conversation with one message."""
    with both.chat(tenant) as socket:
        socket.send('{"type":"hello","v":1,"lang":"en"}')
        hello = json.loads(socket.recv(20))
        said = {"type": "message", "id": f"chat-{tenant}", "text": f"hello {WORDS[tenant]}"}
        socket.send(json.dumps(said))
        while json.loads(socket.recv(20))["type"] != "reply":
            pass
    return hello["conversation"], hello["token"]


def knock(both: Both, tenant: str, thread: str, token: str) -> tuple[int, str]:
    """How a chat that is to be taken up again ends, and all that was said until then."""
    said = ""
    with both.chat(tenant) as socket:
        hello = {"type": "hello", "v": 1, "lang": "en", "conversation": thread, "token": token, "after": 0}
        socket.send(json.dumps(hello))
        try:
            while True:
                said += str(socket.recv(QUIET_S))
        except TimeoutError:
            return 0, said
        except ConnectionClosed as closed:
            assert closed.rcvd is not None
            return closed.rcvd.code, said


@pytest.mark.parametrize("tenant", TENANTS)
def test_the_token_of_a_chat_opens_it_at_its_own_tenant_only(both: Both, tenant: str) -> None:
    thread, token = begin_chat(both, tenant)
    other_thread, other_token = begin_chat(both, stranger(tenant))
    code, said = knock(both, tenant, thread, token)
    assert (code, WORDS[tenant] in said) == (0, True)
    for where, wanted, with_token in (
        (stranger(tenant), thread, token),
        (tenant, thread, other_token),
        (tenant, other_thread, other_token),
    ):
        assert knock(both, where, wanted, with_token) == (4401, "")
        assert both.read(where, wanted, key_of=where, token=with_token)[0] == 401


@pytest.mark.parametrize("tenant", TENANTS)
def test_a_chat_of_one_is_unknown_to_the_api_of_the_other(both: Both, tenant: str) -> None:
    thread, _ = begin_chat(both, tenant)
    assert both.read(tenant, thread, key_of=tenant)[0] == 200
    status, problem = both.read(stranger(tenant), thread, key_of=stranger(tenant))
    assert status == 404
    assert_nothing_of(tenant, problem)


def test_a_thread_of_the_chat_posted_to_at_the_other_tenant_stays_the_others(both: Both) -> None:
    thread, token = begin_chat(both, "demo")
    message = (thread, "ana", f"hello {WORDS['other']}")
    both.taken["other"][thread] = message
    answer = both.post("other", thread, *message)
    assert answer.status_code == 200
    both.turn_ids["other"][thread] = answer.json()["turn_id"]
    _, said = knock(both, "demo", thread, token)
    assert WORDS["other"] not in said
    assert_log_as_if_alone(both, "other", thread)


def test_the_core_answers_each_from_its_own_documents(both: Both) -> None:
    """Only the first company has any."""
    answers = [both.post(tenant, "core", "core", "ana", DOCUMENT_QUESTION).json()["reply"] for tenant in TENANTS]
    for tenant in TENANTS:
        both.taken[tenant]["core"] = ("core", "ana", DOCUMENT_QUESTION)
    assert [(reply["source"], reply["reason"]) for reply in answers] == [("core", "grounded"), ("core", "no_evidence")]
    assert answers[1]["citations"] == []
    assert "2.9" not in answers[1]["text"]


def test_a_customer_forgotten_by_one_is_not_forgotten_by_the_other(both: Both) -> None:
    say_everywhere(both, "forgotten", customer="same@mail.example")
    config = both.demo.home / "edge" / "edge.toml"
    answer = ask(
        "edge-node", config, "forget", "--tenant", "demo", "--customer", "same@mail.example", "--yes", "--json"
    )
    assert json.loads(answer)["messages"] == 1
    assert both.read("demo", "forgotten", key_of="demo")[0] == 404
    assert_log_as_if_alone(both, "other", "forgotten")


def test_metrics_count_for_each_tenant_its_own_turns(both: Both) -> None:
    before = {tenant: both.metric("nearside_turns_total", tenant) for tenant in TENANTS}
    for number in range(3):
        message = ("metrics", "ana", f"hello {WORDS['other']}")
        both.taken["other"][f"metrics-{number}"] = message
        both.post("other", f"metrics-{number}", *message)
    wait_until(lambda: both.metric("nearside_turns_total", "other") == before["other"] + 3, "three more turns")
    assert both.metric("nearside_turns_total", "demo") == before["demo"]


def test_no_word_of_a_customer_is_in_metrics_logs_or_raw_files(both: Both) -> None:
    say_everywhere(both, "files")
    metrics = httpx2.get(f"{both.demo.env['EDGE_ADMIN_URL']}/metrics", trust_env=False).content
    files = [path.read_bytes() for path in both.demo.home.rglob("*") if path.is_file() and "shop.db" not in path.name]
    assert files
    for word in WORDS.values():
        assert not any(word.encode() in content for content in (metrics, *files))


@pytest.mark.parametrize("tenant", TENANTS)
@pytest.mark.parametrize("program", ["edge", "core"])
def test_a_tenants_file_opens_with_its_own_key_and_holds_its_own_words_only(
    both: Both, program: str, tenant: str
) -> None:
    say_everywhere(both, f"rows-{program}-{tenant}")
    config = both.demo.home / program / f"{program}.toml"
    content = everything_in(config, tenant)
    assert WORDS[stranger(tenant)] not in content
    assert program == "core" or WORDS[tenant] in content
    with pytest.raises(StorageError):
        open_database(sealed_file(config, tenant), tenant_key(config, stranger(tenant)))
