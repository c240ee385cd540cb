"""What is turned away, and that nothing of it stops the edge."""

import json
import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.servers import Demo

pytestmark = pytest.mark.server

MESSAGE = {"conversation": "door", "customer": "c", "text": "hello"}


def post(demo: Demo, body: Any, *, tenant: str = "demo", key: str | None = None, **headers: str) -> httpx2.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with demo.client(key=key) as client:
        return client.post(f"/v1/{tenant}/messages", content=content, headers=headers)


def assert_problem(answer: httpx2.Response, status: int) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert all(document[member] for member in ("type", "title", "detail"))


def test_tls_1_2_is_refused(demo: Demo) -> None:
    place = urlsplit(demo.env["EDGE_URL"])
    context = ssl.create_default_context(cafile=demo.env["CA_CERT"])
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection((place.hostname, place.port)) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname=place.hostname)


def test_a_wrong_key_is_401(demo: Demo) -> None:
    assert_problem(post(demo, MESSAGE, key="nsk_wrong"), 401)


def test_an_unknown_tenant_is_404(demo: Demo) -> None:
    assert_problem(post(demo, MESSAGE, tenant="nobody"), 404)


def test_an_unknown_address_is_404_and_a_wrong_method_405(demo: Demo) -> None:
    with demo.client() as client:
        assert_problem(client.get("/nothing/here"), 404)
        assert_problem(client.get("/v1/demo/messages"), 405)


@pytest.mark.parametrize(
    "body",
    [
        b"{broken",
        b"",
        b"[]",
        b'{"conversation":"a","customer":"b"}',
        b'{"conversation":"a","customer":"b","text":""}',
        b'{"conversation":"a","customer":"b","text":5}',
        b'{"conversation":"a","customer":"b","text":" \\n "}',
        b'{"conversation":"","customer":"b","text":"x"}',
        b'{"conversation":"a","customer":"b","text":"x","surprise":1}',
        b'{"conversation":"a","customer":"b","text":"\\ud800"}',
        b'{"conversation":"a","customer":"b","text":"\xff\xfe"}',
    ],
)
def test_a_malformed_body_is_400(demo: Demo, body: bytes) -> None:
    assert_problem(post(demo, body), 400)


def test_a_body_of_65_kib_is_413_with_and_without_its_length(demo: Demo) -> None:
    body = b'{"text":"' + b"x" * 65 * 1024 + b'"}'
    assert_problem(post(demo, body), 413)
    with demo.client() as client:
        assert_problem(client.post("/v1/demo/messages", content=iter([body])), 413)


def test_a_text_over_8000_characters_is_413(demo: Demo) -> None:
    assert_problem(post(demo, {**MESSAGE, "text": "字" * 8001}), 413)


def test_the_same_key_gives_the_same_answer_and_with_another_body_422(demo: Demo) -> None:
    body = {**MESSAGE, "conversation": "idempotent"}
    headers = {"Idempotency-Key": "key-1", "Prefer": "wait=10"}
    first, again = post(demo, body, **headers), post(demo, body, **headers)
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert_problem(post(demo, {**body, "text": "other"}, **headers), 422)


def test_without_a_wish_to_wait_the_answer_is_202(demo: Demo) -> None:
    answer = post(demo, {**MESSAGE, "conversation": "no-wait"})
    assert answer.status_code == 202
    assert set(answer.json()) == {"message_id", "turn_id"}


def test_the_events_of_a_conversation_are_streamed_to_whoever_has_the_key(demo: Demo) -> None:
    demo.ask("hello", "sse")
    with demo.client() as client, client.stream("GET", "/v1/demo/conversations/sse/events?after=0") as stream:
        lines = stream.iter_lines()
        events = [
            json.loads(line.removeprefix("data: ")) for line in (next(lines) for _ in range(8)) if line[:5] == "data:"
        ]
    assert [event["type"] for event in events] == ["message", "reply"]
    with demo.client(key="nsk_wrong") as client:
        assert_problem(client.get("/v1/demo/conversations/sse/events"), 401)
    with demo.client() as client:
        assert_problem(client.get("/v1/demo/conversations/unknown/events"), 404)
        assert_problem(client.get("/v1/demo/conversations/sse/events?after=x"), 400)


def test_a_message_posted_while_someone_reads_is_in_the_stream(demo: Demo) -> None:
    demo.ask("hello", "live/with a slash")
    with demo.client() as client:
        path = "/v1/demo/conversations/live/with%20a%20slash/events?after=0"
        with client.stream("GET", path, timeout=20) as stream:
            events = (json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: "))
            assert [next(events)["type"] for _ in range(2)] == ["message", "reply"]
            demo.ask("thanks", "live/with a slash")
            live = [next(events) for _ in range(3)]
    assert [event.get("event", event["type"]) for event in live] == ["message", "typing", "reply"]
    assert live[0]["text"] == "thanks"


def test_a_shape_that_is_no_http_does_not_stop_the_edge(demo: Demo) -> None:
    place = urlsplit(demo.env["EDGE_URL"])
    for garbage in (b"\x00" * 512, b"GET / HTTP/9.9\r\n\r\n", b"POST " + b"/" * 70_000):
        with socket.create_connection((place.hostname, place.port), timeout=20) as plain:
            try:
                with demo.tls.wrap_socket(plain, server_hostname=place.hostname) as secure:
                    secure.sendall(garbage)
                    secure.recv(512)
            except OSError:
                continue
    assert demo.ask("hello", "after-garbage")["reply"]["final"]


def test_health_readiness_and_metrics_are_told_on_the_loopback_port(demo: Demo) -> None:
    base = demo.env["EDGE_ADMIN_URL"]
    demo.ask("hello", "metrics")
    assert httpx2.get(f"{base}/healthz", trust_env=False).status_code == 200
    assert httpx2.get(f"{base}/readyz", trust_env=False).json()["ready"] is True
    metrics = httpx2.get(f"{base}/metrics", trust_env=False).text
    assert 'nearside_turns_total{reason="matched",source="rule",tenant="demo"}' in metrics
