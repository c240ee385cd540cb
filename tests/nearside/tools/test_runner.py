"""Tool calls against an API made of a function."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nearside.errors import ContentError, ToolError
from nearside.tools import ToolCall, ToolFailure, ToolRunner, kind_of, load_tools, read_secret
from tests.nearside.tools.scripted import GZIPPED, Handler, Transport, answering, failure, never, run, tool

pytestmark = pytest.mark.unit


def test_a_request_is_made_of_arguments_and_variables() -> None:
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={})

    called = tool(
        effect="write",
        request={
            "method": "POST",
            "url": "{shop_url}/orders/{number}",
            "headers": {"X-Plan": "{plan}"},
            "query": {"n": "{count}"},
            "body": {
                "n": "{number}",
                "c": "{count}",
                "note": "{note}",
                "list": ["{count}", "{note}", "no {number}"],
                "x": 1,
            },
        },
        secret={"name": "key"},
    )
    run(handler, called, {"number": "10/42 ü", "count": 3})
    request = seen[0]
    assert str(request.url) == "https://shop.example:8443/api/orders/10%2F42%20%C3%BC?n=3"
    assert request.headers["authorization"] == "Bearer secret-key"
    assert request.headers["idempotency-key"] == "t_1:r/find"
    assert request.headers["x-plan"] == "basic"
    assert json.loads(request.content) == {"n": "10/42 ü", "c": 3, "list": [3, "no 10/42 ü"], "x": 1}


def test_a_read_carries_no_idempotency_key_and_leaves_out_what_is_not_given() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        assert "idempotency-key" not in request.headers
        assert dict(request.url.params) == {"plan": "basic"}
        return httpx2.Response(200, json={})

    run(handler, tool())


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({}, "number"),
        ({"number": 1042}, "number"),
        ({"number": "1", "count": "three"}, "count"),
        ({"number": "1", "colour": "red"}, "colour"),
        ({"number": "x" * 41}, "number"),
        ({"number": ".."}, "number"),
        ({"number": ""}, "number"),
    ],
)
def test_wrong_arguments_are_refused_by_name_and_nothing_is_sent(arguments: dict[str, Any], named: str) -> None:
    error = failure(never, tool(), arguments)
    assert error.kind == "bad_arguments" and named in str(error)
    assert "three" not in str(error) and "xxxx" not in str(error), "never the value"


@given(st.text(min_size=1, max_size=40))
def test_an_argument_stays_one_segment_of_the_path(number: str) -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        assert request.url.host == "shop.example" and request.url.port == 8443
        assert request.url.raw_path.split(b"?")[0].count(b"/") == 3
        return httpx2.Response(200, json={})

    try:
        run(handler, tool(), {"number": number})
    except ToolFailure as error:
        assert error.kind == "bad_arguments"


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://shop.example:8443/api", True),
        ("https://shop.example:9999/api", True),
        ("ftp://shop.example/api", False),
        ("https://user:pw@shop.example/api", False),
        ("basic", False),
        ("http://[bad", False),
    ],
)
def test_only_an_address_that_a_variable_declares_is_called(url: str, allowed: bool) -> None:
    async def go() -> None:
        async with httpx2.AsyncClient(transport=Transport(answering())) as client:
            runner = ToolRunner(client, {"shop_url": url}, lambda name: "")
            await runner.run(ToolCall(tool(request={"url": "{shop_url}/x"}), {"number": "1"}, "t", "c"))

    if allowed:
        asyncio.run(go())
    else:
        with pytest.raises(ToolFailure) as caught:
            asyncio.run(go())
        assert caught.value.kind == "not_allowed"


def test_a_variable_that_is_not_set_is_told() -> None:
    assert failure(never, tool(request={"url": "{other_url}/x"})).kind == "not_allowed"


def test_the_answer_is_mapped() -> None:
    assert run(answering(), tool()) == {"a": {"b": [1, 2]}}
    mapped = tool(response={"map": {"first": "a.b.0", "none": "a.x.y", "far": "a.b.9"}})
    assert run(answering(), mapped) == {"first": 1, "none": None, "far": None}
    assert run(lambda _: httpx2.Response(204, headers={"content-type": "application/json"}), tool()) == {}


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (answering(404), "not_found"),
        (answering(418), "bad_response"),
        (answering(500), "unavailable"),
        (answering(302, None, location="https://evil.example/"), "bad_response"),
        (lambda _: httpx2.Response(200, text="<html>", headers={"content-type": "text/html"}), "bad_response"),
        (lambda _: httpx2.Response(200, text="{", headers={"content-type": "application/json"}), "bad_response"),
        (
            lambda _: httpx2.Response(200, text="[" * 60000, headers={"content-type": "application/json"}),
            "bad_response",
        ),
        (answering(200, "x" * 70_000), "too_large"),
        (lambda _: httpx2.Response(200, stream=httpx2.ByteStream(b"{}"), headers=GZIPPED), "bad_response"),
    ],
)
def test_answers_that_cannot_be_used_are_told_apart(handler: Handler, kind: str) -> None:
    assert failure(handler, tool(response={"errors": {"404": "not_found"}})).kind == kind


def test_a_read_is_tried_twice_and_a_write_once() -> None:
    for effect, tries in (("read", 2), ("write", 1)):
        for broken in (lambda _: httpx2.Response(503, json={}), _refused):
            count = 0

            def handler(request: httpx2.Request, broken: Handler = broken) -> httpx2.Response:
                nonlocal count
                count += 1
                return broken(request)

            error = failure(handler, tool(effect=effect))
            assert error.kind == "unavailable" and error.retryable
            assert count == tries


def _refused(request: httpx2.Request) -> httpx2.Response:
    raise httpx2.ConnectError("refused", request=request)


def test_a_second_try_that_works_counts() -> None:
    answers = [httpx2.Response(502, json={}), httpx2.Response(200, json={"ok": True})]
    assert run(lambda _: answers.pop(0), tool()) == {"ok": True}


def test_a_slow_answer_is_a_timeout_however_it_drips() -> None:
    async def drip() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    def handler(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=drip(), headers={"content-type": "application/json"})

    error = failure(handler, tool(timeout_s=0.05))
    assert (error.kind, error.retryable, kind_of(error)) == ("timeout", True, "timeout")


def test_texts_become_the_numbers_that_the_parameters_want() -> None:
    assert tool().fit({"number": "1", "count": "3", "x": "y"}) == {"number": "1", "count": 3, "x": "y"}
    assert tool().fit({"count": "three"}) == {"count": "three"}


def test_a_secret_is_read_from_its_file_at_each_call(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one\n")
    assert read_secret({"key": file}, "key") == "one"
    file.write_text("two")
    assert read_secret({"key": file}, "key") == "two"
    with pytest.raises(ToolFailure):
        read_secret({}, "key")
    with pytest.raises(ToolError):
        read_secret({"key": tmp_path / "none"}, "key")


@pytest.mark.parametrize(
    "more",
    [
        {"name": "Find"},
        {"effect": "maybe"},
        {"parameters": {"type": "array"}},
        {"parameters": {"type": "object", "properties": {"n": {"type": "strin"}}}},
        {"parameters": {"type": "object", "properties": {"n": {"$ref": "https://example.com/x"}}}},
        {"request": {"url": "https://evil.example/x"}},
        {"request": {"url": "{shop_url}.evil.example/x"}},
        {"request": {"url": "{shop_url}/x?y={number}"}},
        {"request": {"url": "{shop_url}/x", "headers": {"Host": "evil.example"}}},
        {"request": {"url": "{shop_url}/x", "headers": {"X": "a\r\nB: c"}}},
        {"response": {"limit_bytes": 10**6}},
        {"response": {"errors": {"200": "x"}}},
        {"requires": "verified"},
        {"timeout_s": 0},
    ],
)
def test_a_tool_that_cannot_be_right_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        tool(**more)


def test_two_tools_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        text = "{name: x, description: d, effect: read, request: {url: '{u}/x'}}"
        (tmp_path / f"{name}.yaml").write_text(text)
    with pytest.raises(ContentError, match="second tool"):
        load_tools(tmp_path)
