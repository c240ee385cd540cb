"""An encoder on a server, against a stand-in made from the documented protocol."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cloud_core.knowledge.encoders import make_encoder, openai_compatible
from cloud_core.knowledge.encoders.base import Encoder
from nearside.errors import EngineError, SettingsError

pytestmark = pytest.mark.server

Answer = tuple[int, dict[str, str], Any]


class Server:
    """`/v1/embeddings` on this machine; `failures` are answered first."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.failures: list[Answer] = []
        self.reply: Callable[[dict[str, Any]], Answer] = self._embed
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def _embed(self, body: dict[str, Any]) -> Answer:
        size = body.get("dimensions", 8)
        items = [
            {"object": "embedding", "index": index, "embedding": [float(len(text) + at) for at in range(size)]}
            for index, text in enumerate(body["input"])
        ]
        usage = {"prompt_tokens": 8, "total_tokens": 8}
        return 200, {}, {"object": "list", "data": items[::-1], "model": body["model"], "usage": usage}

    def _handler(server) -> type[BaseHTTPRequestHandler]:  # noqa: B902
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                headers = {name.lower(): value for name, value in self.headers.items()}
                server.requests.append((self.path, headers, body))
                status, extra, reply = server.failures.pop(0) if server.failures else server.reply(body)
                content = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(content))} | extra).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler

    def encoder(self, **options: object) -> Encoder:
        return make_encoder("openai_compatible", {"url": self.url, "model": "m", **options})

    def __enter__(self) -> "Server":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as one:
        yield one


def test_texts_go_in_batches_and_come_back_in_their_order(server: Server) -> None:
    texts = ["x" * number for number in range(1, 8)]
    encodings = server.encoder(batch=3).encode_many(texts)
    assert [body["input"] for _, _, body in server.requests] == [texts[:3], texts[3:6], texts[6:]]
    assert {path for path, _, _ in server.requests} == {"/v1/embeddings"}
    assert server.requests[0][2] == {"model": "m", "input": texts[:3], "encoding_format": "float"}
    for text, encoding in zip(texts, encodings, strict=True):
        expected = np.arange(8) + len(text)
        assert np.allclose(encoding.vector, expected / np.linalg.norm(expected))


def test_nothing_is_asked_before_a_text_is_to_be_encoded(server: Server) -> None:
    encoder = server.encoder(dimensions=16)
    assert server.requests == []
    assert encoder.dimensions == 16
    assert server.requests[0][2]["dimensions"] == 16


def test_prefixes_long_and_empty_texts_are_sent_as_they_should_be(server: Server) -> None:
    encoder = server.encoder(query_prefix="query: ", passage_prefix="passage: ", most_characters=100)
    encoder.encode("tent")
    encoder.encode_many(["y" * 200, "\ud800"])
    assert [body["input"][0][:13] for _, _, body in server.requests] == ["query: tent", "passage: yyyy"]
    assert len(server.requests[1][2]["input"][0]) == 100
    assert server.encoder().encode_many(["  "])[0].unknown_share == 1.0


def test_the_key_comes_from_a_file_that_nobody_else_reads(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("sk-123\n")
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="readable by others"):
        server.encoder(key_file=path)
    path.chmod(0o600)
    server.encoder(key_file=path).encode("tent")
    assert server.requests[0][1]["authorization"] == "Bearer sk-123"
    with pytest.raises(SettingsError, match="in the clear"):
        make_encoder("openai_compatible", {"url": "http://models.example/v1", "model": "m", "key_file": path})
    path.write_text("two words")
    with pytest.raises(SettingsError, match="no key"):
        server.encoder(key_file=path)
    with pytest.raises(SettingsError, match="cannot be read"):
        server.encoder(key_file=tmp_path / "none")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(server: Server, status: int) -> None:
    server.failures = [(status, {"Retry-After": "0"}, b"")]
    assert len(server.encoder().encode("tent").vector) == 8
    assert len(server.requests) == 2


def test_the_time_that_a_server_names_is_waited_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(openai_compatible, "sleep", waited.append)
    server.failures = [(429, {"Retry-After": "2"}, b""), (503, {}, b""), (503, {}, b"")]
    server.encoder().encode_many(["tent"])
    assert waited == [2.0, 1.0, 2.0]
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    server.failures = [(429, {"Retry-After": later}, b"")]
    with pytest.raises(EngineError, match="cannot be used now .answers 429.") as caught:
        server.encoder().encode("tent")
    assert caught.value.retryable


def test_a_server_that_is_down_or_hangs_ends_with_the_deadline(server: Server) -> None:
    def hang(body: dict[str, Any]) -> Answer:
        time.sleep(0.5)
        return server._embed(body)

    server.reply = hang
    with pytest.raises(EngineError, match="cannot be used now") as caught:
        server.encoder(query_deadline_s=0.2).encode("tent")
    assert caught.value.retryable
    with Server() as closed:
        encoder = closed.encoder(query_deadline_s=0.2)
    with pytest.raises(EngineError, match="ConnectError"):
        encoder.encode("tent")


@pytest.mark.parametrize(("status", "hint"), [(401, "key_file"), (404, "url and model"), (400, "server's log")])
def test_a_refusal_is_final_and_tells_nothing_of_the_text(server: Server, status: int, hint: str) -> None:
    server.failures = [(status, {}, {"error": {"message": "the secret text is bad"}})]
    with pytest.raises(EngineError, match=hint) as caught:
        server.encoder().encode("the secret text")
    assert not caught.value.retryable and "secret" not in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [
        b"no json",
        {"data": []},
        {"data": [{"index": 1, "embedding": [1.0]}]},
        {"data": [{"index": 0, "embedding": []}]},
        {"data": [{"index": 0, "embedding": "AACAPw=="}]},
        b'{"data": [{"index": 0, "embedding": [NaN]}]}',
        {"data": [{"index": 0, "embedding": [0.0, 0.0]}]},
    ],
)
def test_a_reply_that_makes_no_sense_is_an_error(server: Server, reply: Any) -> None:
    server.reply = lambda _: (200, {}, reply)
    with pytest.raises(EngineError, match="makes no sense|no direction"):
        server.encoder().encode("tent")


def test_the_fingerprint_is_the_model_and_not_the_place(server: Server) -> None:
    one, other = server.encoder(batch=3), make_encoder("openai_compatible", {"url": "https://x.example", "model": "m"})
    assert one.fingerprint == other.fingerprint != server.encoder(model="n").fingerprint
    assert one.fingerprint != server.encoder(dimensions=16).fingerprint


@pytest.mark.parametrize(
    "options", [{}, {"url": "ftp://x", "model": "m"}, {"url": "https://x", "model": "m", "kee": 1}]
)
def test_wrong_options_are_named(options: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="encoder.options"):
        make_encoder("openai_compatible", options)
