"""What became of a write: told by how the call failed, or asked for."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import ValidationError

from nearside.content import load_tenant_content
from nearside.errors import ContentError, ToolError
from nearside.tools import Fate, Tool, ToolCall, ToolFailure, ToolResult, ToolRunner, fate_of, load_tools
from tests.nearside.tools.scripted import GZIPPED, VARIABLES, Handler, Transport, answering, failure, never, tool

pytestmark = pytest.mark.unit

OUTCOME: dict[str, Any] = {
    "request": {"url": "{shop_url}/bookings", "query": {"reference": "{idempotency_key}", "n": "{number}"}},
    "done": {"booking.state": ["booked", "settled"]},
    "absent": {"found": False},
    "absent_statuses": [410],
    "errors": {"409": "closed"},
    "map": {"balance": "booking.balance"},
}


def writing(outcome: dict[str, Any] | None = None, **more: Any) -> Tool:
    response = {"map": {"balance": "balance"}, "errors": {"404": "not_found", "503": "busy"}}
    request = {"method": "POST", "url": "{shop_url}/orders/{number}", "body": {"ref": "{idempotency_key}"}}
    described = {"effect": "write", "request": request, "response": response, **more}
    return tool(**described, **({"outcome": outcome} if outcome else {}))


def ask(handler: Handler, asked: Tool | None = None) -> ToolResult | None:
    async def go() -> ToolResult | None:
        async with httpx2.AsyncClient(transport=Transport(handler)) as client:
            runner = ToolRunner(client, VARIABLES, lambda name: f"secret-{name}")
            return await runner.ask(ToolCall(asked or writing(OUTCOME), {"number": "1042"}, "t_1", "rule/find"))

    return asyncio.run(go())


def fate_of_asking(handler: Handler, asked: Tool | None = None) -> tuple[Fate, str]:
    with pytest.raises(ToolFailure) as caught:
        ask(handler, asked)
    return caught.value.fate, caught.value.kind


def test_the_outcome_is_asked_for_by_key_and_arguments_with_the_secret_and_without_a_key_header() -> None:
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={"booking": {"state": "booked", "balance": 7}})

    assert ask(handler, writing(OUTCOME, secret={"name": "key"})) == ToolResult({"balance": 7}, 200)
    assert seen[0].method == "GET" and seen[0].url.path == "/api/bookings"
    assert dict(seen[0].url.params) == {"reference": "t_1:rule/find", "n": "1042"}
    assert seen[0].headers["authorization"] == "Bearer secret-key"
    assert "idempotency-key" not in seen[0].headers and seen[0].content == b""


def test_the_key_may_stand_in_the_path_and_in_what_the_write_itself_sends() -> None:
    paths: list[bytes] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        paths.append(request.url.raw_path)
        return httpx2.Response(200, json={"done": 1})

    ask(handler, writing({"request": {"url": "{shop_url}/calls/{idempotency_key}"}, "done": {"done": 1}}))
    assert paths == [b"/api/calls/t_1%3Arule%2Ffind"]


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (answering(200, {"booking": {"state": "settled", "balance": None}}), ToolResult({"balance": None}, 200)),
        (answering(200, {"found": False}), None),
        (answering(410), None),
    ],
)
def test_an_answer_says_done_or_that_it_never_happened(answer: Handler, result: ToolResult | None) -> None:
    assert ask(answer) == result


@pytest.mark.parametrize(
    ("answer", "fate"),
    [
        (answering(409), ("refused", "closed")),
        (answering(404), ("unknown", "outcome_unknown")),
        (answering(503), ("unknown", "outcome_unknown")),
        (answering(302, None, location="/elsewhere"), ("unknown", "outcome_unknown")),
        (answering(200, {"found": 0}), ("unknown", "outcome_unknown")),
        (answering(200, {}), ("unknown", "outcome_unknown")),
        (answering(200, [1]), ("unknown", "outcome_unknown")),
        (answering(200, {"found": False, "booking": {"state": "booked"}}), ("unknown", "outcome_unknown")),
        (lambda _: httpx2.Response(204), ("unknown", "bad_response")),
        (lambda _: httpx2.Response(200, text="<html>"), ("unknown", "bad_response")),
        (lambda _: httpx2.Response(200, stream=httpx2.ByteStream(b"{}"), headers=GZIPPED), ("unknown", "bad_response")),
    ],
)
def test_any_other_answer_leaves_it_unknown(answer: Handler, fate: tuple[Fate, str]) -> None:
    """Also a 404 and a 503 that the tool maps: it is the write that they refuse, not the question."""
    assert fate_of_asking(answer) == fate


def test_null_is_only_what_stands_there_as_null() -> None:
    asked = writing({"request": {"url": "{shop_url}/x"}, "done": {"at": "now"}, "absent": {"at": None}})
    assert ask(answering(200, {"at": None}), asked) is None
    assert fate_of_asking(answering(200, {}), asked) == ("unknown", "outcome_unknown")


def test_without_an_outcome_nothing_is_asked() -> None:
    assert fate_of_asking(never, writing()) == ("unknown", "outcome_unknown")


@pytest.mark.parametrize(
    ("answer", "fate"),
    [
        (answering(404), "refused"),
        (answering(503), "refused"),
        (answering(418), "refused"),
        (answering(429), "refused"),
        (answering(500), "unknown"),
        (answering(303, None, location="/done"), "unknown"),
        (lambda _: httpx2.Response(200, text="<html>", headers={"content-type": "text/html"}), "unknown"),
        (lambda _: httpx2.Response(200, text="{", headers={"content-type": "application/json"}), "unknown"),
        (lambda _: httpx2.Response(200, stream=httpx2.ByteStream(b"{}"), headers=GZIPPED), "unknown"),
        (answering(200, "x" * 70_000), "unknown"),
    ],
)
def test_how_a_write_failed_tells_whether_it_may_have_happened(answer: Handler, fate: Fate) -> None:
    assert failure(answer, writing()).fate == fate


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (httpx2.ConnectError, "unsent"),
        (httpx2.ConnectTimeout, "unsent"),
        (httpx2.PoolTimeout, "unsent"),
        (httpx2.WriteError, "unknown"),
        (httpx2.ReadError, "unknown"),
        (httpx2.ReadTimeout, "unknown"),
        (httpx2.RemoteProtocolError, "unknown"),
    ],
)
def test_only_what_never_left_is_unsent(error: type[httpx2.TransportError], fate: Fate) -> None:
    def broken(request: httpx2.Request) -> httpx2.Response:
        raise error("scripted", request=request)

    assert failure(broken, writing()).fate == fate


@pytest.mark.parametrize("arguments", [{}, {"number": ".."}, {"number": "\ud800"}])
def test_what_cannot_be_asked_for_is_unsent(arguments: dict[str, Any]) -> None:
    assert failure(never, writing(), arguments).fate == "unsent"


def test_a_secret_that_cannot_be_read_leaves_nothing_sent() -> None:
    async def go() -> None:
        def unreadable(name: str) -> str:
            raise ToolError("the secret cannot be read")

        async with httpx2.AsyncClient(transport=Transport(never)) as client:
            runner = ToolRunner(client, VARIABLES, unreadable)
            await runner.run(ToolCall(writing(secret={"name": "key"}), {"number": "1"}, "t", "c"))

    with pytest.raises(ToolError) as caught:
        asyncio.run(go())
    assert fate_of(caught.value) == "unsent"


def test_a_write_may_be_answered_with_nothing() -> None:
    assert asyncio.run(run_against(lambda _: httpx2.Response(204))) == {"balance": None}


async def run_against(handler: Handler) -> Any:
    async with httpx2.AsyncClient(transport=Transport(handler)) as client:
        runner = ToolRunner(client, VARIABLES, lambda name: "")
        return (await runner.run(ToolCall(writing(), {"number": "1"}, "t", "c"))).value


def test_a_time_that_runs_out_before_anything_left_is_told_from_one_that_runs_out_after() -> None:
    """A listener that accepts nobody lets the connection stand; its backlog full, none comes about."""

    async def timed_out(port: int) -> Fate:
        async with httpx2.AsyncClient(trust_env=False, timeout=None) as client:
            runner = ToolRunner(client, {"shop_url": f"http://127.0.0.1:{port}"}, lambda name: "")
            with pytest.raises(ToolFailure) as caught:
                await runner.run(ToolCall(writing(timeout_s=0.3), {"number": "1"}, "t", "c"))
            assert caught.value.kind == "timeout"
            return caught.value.fate

    with socket.create_server(("127.0.0.1", 0), backlog=0) as silent:
        port = silent.getsockname()[1]
        assert asyncio.run(timed_out(port)) == "unknown"
        waiting = []
        for _ in range(4):
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(("127.0.0.1", port))
        assert asyncio.run(timed_out(port)) == "unsent"
        for one in waiting:
            one.close()


@pytest.mark.parametrize(
    "outcome",
    [
        {"request": {"url": "https://evil.example/x"}, "done": {"a": 1}},
        {"request": {"url": "{shop_url}/x", "method": "POST"}, "done": {"a": 1}},
        {"request": {"url": "{shop_url}/x", "body": {"a": 1}}, "done": {"a": 1}},
        {"request": {"url": "{shop_url}/x"}},
        {"request": {"url": "{shop_url}/x"}, "done": {}},
        {"request": {"url": "{shop_url}/x"}, "done": {"a..b": 1}},
        {"request": {"url": "{shop_url}/x"}, "done": {"a": {"b": 1}}},
        {"request": {"url": "{shop_url}/x"}, "done": {"a": 1}, "absent_statuses": [503]},
        {"request": {"url": "{shop_url}/x"}, "done": {"a": 1}, "errors": {"503": "busy"}},
        {"request": {"url": "{shop_url}/x"}, "done": {"a": 1}, "absent_statuses": [404], "errors": {"404": "x"}},
        {"request": {"url": "{shop_url}/x"}, "done": {"a": 1}, "when": "always"},
    ],
)
def test_an_outcome_that_cannot_be_right_is_refused(outcome: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        writing(outcome)


COMPANY = """name = "Shop"
[tools.variables]
u = "https://shop.example"
"""
WRITE = """name: book
description: d
effect: write
request: {method: POST, url: '{u}/x'}
"""


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (WRITE.replace("write", "read") + "outcome:\n  request: {url: '{u}/y'}\n  done: {a: 1}\n", 5, "effect: write"),
        (WRITE + "outcome:\n  done: {a: 1}\n  request:\n    url: '{v}/y'\n", 8, "the variable v is not set"),
        (WRITE + "outcome:\n  done: {a: 1}\n  request:\n    url: '{u}/{key}'\n", 8, "idempotency_key"),
        (WRITE + "outcome:\n  done: {a: 1}\n  request:\n    method: PUT\n    url: '{u}/y'\n", 7, "GET without a body"),
        (WRITE + "outcome:\n  request: {url: '{u}/y'}\n  dune: {a: 1}\n", 7, "did you mean done?"),
        (WRITE.replace("write", "read").replace("'{u}/x'", "'{u}/{idempotency_key}'"), 1, "nothing is called"),
    ],
)
def test_a_mistake_in_an_outcome_is_told_by_file_and_line(tmp_path: Path, text: str, line: int, told: str) -> None:
    (tmp_path / "tenant.toml").write_text(COMPANY)
    file = tmp_path / "tools" / "book.yaml"
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(ContentError) as caught:
        load_tenant_content(tmp_path)
    assert caught.value.where == f"{file}:{line}"
    assert told in str(caught.value)


def test_an_outcome_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "book.yaml"
    file.write_text(
        WRITE + "outcome:\n  request: {url: '{u}/y'}\n  done: {ok: true, n: 1}\n  absent: {ok: [false, null]}\n"
    )
    outcome = load_tools(tmp_path)["book"].outcome
    assert outcome and outcome.where == f"{file}:6"
    said = ({"ok": True, "n": 1}, {"ok": 1, "n": 1}, {"ok": True, "n": True}, {"ok": None}, {"ok": False}, {"ok": 0})
    assert [outcome.verdict(answer) for answer in said] == ["done", None, None, "absent", "absent", None]
