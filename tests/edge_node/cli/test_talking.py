"""The chat in a terminal, against an edge that behaves badly."""

import asyncio
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.sync.server import ServerConnection, serve

from edge_node.cli import talking
from edge_node.cli.talking import Place, talk
from nearside.errors import NearsideError
from nearside.tls import issue_server_certificate, make_local_ca, server_context

pytestmark = pytest.mark.server
HELLO = {"type": "hello", "tenant": {"name": "The Shop", "greeting": "Hello!"}}


@contextmanager
def edge(folder: Path, behave: Callable[[ServerConnection], None], host: str = "127.0.0.1") -> Iterator[int]:
    """Its port; ca.crt in `folder` is to be trusted."""
    cert, key = folder / "server.crt", folder / "server.key"
    ca = make_local_ca(folder / "ca.crt", folder / "ca.key", common_name="Test authority")
    issue_server_certificate(ca, cert, key)
    with serve(behave, host, 0, ssl=server_context(cert, key)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.socket.getsockname()[1]
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("hello\n"))


def complaint(place: Place) -> str:
    with pytest.raises(NearsideError) as raised:
        asyncio.run(talk(place))
    return str(raised.value)


def say_hello(socket: ServerConnection) -> None:
    socket.recv()
    socket.send(json.dumps(HELLO))
    for _ in socket:  # takes every message and answers none
        pass


def test_a_certificate_that_is_not_trusted_is_said_to_be_so(tmp_path: Path) -> None:
    with edge(tmp_path, say_hello) as port:
        text = complaint(Place(f"https://localhost:{port}", "shop", None, None))
    assert "not trusted" in text and "--ca FILE" in text and "serve" not in text


def test_a_certificate_for_another_name_is_said_to_be_so(tmp_path: Path) -> None:
    with edge(tmp_path, say_hello, "127.0.0.2") as port:
        text = complaint(Place(f"https://127.0.0.2:{port}", "shop", tmp_path / "ca.crt", None))
    assert "127.0.0.2" in text and "use a name that is in it" in text


def test_a_reply_that_does_not_come_is_said_to_be_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talking, "LAST_REPLY_S", 0.2)
    with edge(tmp_path, say_hello) as port:
        text = complaint(Place(f"https://localhost:{port}", "shop", tmp_path / "ca.crt", "en"))
    assert text.startswith("no reply within 0.2 s")


def test_an_edge_that_ends_the_chat_is_quoted(tmp_path: Path) -> None:
    with edge(tmp_path, lambda socket: socket.close(4404, "unknown tenant")) as port:
        text = complaint(Place(f"https://localhost:{port}", "acme", tmp_path / "ca.crt", None))
    assert "unknown tenant" in text


def drafting(*drafts: str, text: str) -> Callable[[ServerConnection], None]:
    """An edge that shows drafts of its reply before the reply."""

    def behave(socket: ServerConnection) -> None:
        socket.recv()
        socket.send(json.dumps(HELLO))
        asked = json.loads(socket.recv())
        socket.send(json.dumps({"type": "ack", "id": asked["id"], "turn_id": "t_1"}))
        for revision, draft in enumerate(drafts):
            socket.send(json.dumps({"type": "delta", "turn_id": "t_1", "revision": revision, "text": draft}))
        origin = {"source": "cache", "reason": "cache_hit", "confidence": 0.9}
        reply = {"text": text, "quotes": "", "citations": []} | origin
        socket.send(json.dumps({"type": "reply", "turn_id": "t_1"} | reply))
        socket.recv()

    return behave


def shown(tmp_path: Path, capsys: pytest.CaptureFixture[str], *drafts: str, text: str) -> str:
    with edge(tmp_path, drafting(*drafts, text=text)) as port:
        asyncio.run(talk(Place(f"https://localhost:{port}", "shop", tmp_path / "ca.crt", None)))
    return capsys.readouterr().out.split("Hello!\n\n")[1]


def test_what_was_shown_as_a_draft_is_not_said_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = shown(tmp_path, capsys, "I found nothing.", text="I found nothing.\nDid you mean this?")
    assert told == "I found nothing.\nDid you mean this?\n   [cache: cache_hit, 0.90]\n\n"


def test_a_reply_other_than_its_draft_is_said_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(tmp_path, capsys, "I think", text="It is 5.").startswith("I think\nIt is 5.\n")
