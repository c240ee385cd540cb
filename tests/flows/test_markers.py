"""A customer's words in the places where they might slip into a log: every entry, and everything that goes wrong there.

That they stand nowhere, neither in a log nor plain in a file, is looked at here and at the end of every session.
"""

import json
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests import planted, servers
from tests.planted import EMAIL, MARKERS, NAME, PHONE, SENTENCE
from tests.sealed import everything_in
from tests.servers import ROOT, Demo

pytestmark = pytest.mark.server

ALL = " ".join(MARKERS)
TEXTS = (
    f"My name is {NAME}, {EMAIL}, {PHONE}. Where is my order 1042?",
    f"{SENTENCE}，你们支持哪些付款方式呀？",
    f"How much does the Skua 3 tunnel tent weigh? Tell {EMAIL} or {PHONE}, I am {NAME}",
    f"{SENTENCE}。Skua 3 隧道帐篷有多重？我的电话 {PHONE}",
    ALL,
)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with servers.demo(tmp_path_factory.mktemp("markers")) as running:
        yield running


def test_they_are_nowhere_after_every_entry_has_heard_them(own: Demo) -> None:
    for number, text in enumerate(TEXTS):
        assert own.ask(text, f"markers-{number}")["reply"]["text"]
    own.ask(ALL, conversation=f"{NAME} {SENTENCE}", customer=EMAIL)
    refusals(own)
    broken_requests(own)
    chats(own)
    assert_nowhere(own)


def refusals(own: Demo) -> None:
    body = {"conversation": PHONE, "customer": EMAIL, "text": ALL}
    path = f"/v1/{own.env['TENANT']}/messages"
    with own.client() as client:
        for wrong in (
            body | {"text": ALL * 200},
            body | {"surprise": ALL},
            body | {ALL: "surprise"},
            body | {"lang": NAME},
            body | {"attachments": [{"name": NAME, "url": f"ftp://{EMAIL}"}]},
            [ALL],
        ):
            assert client.post(path, json=wrong).status_code in (400, 413)
        assert client.post(path, content=json.dumps(body).encode()[:-1]).status_code == 400
        assert client.post(f"/v1/{quote(ALL)}/messages", json=body).status_code == 404
        assert client.get(f"/{quote(ALL)}?text={quote(ALL)}").status_code == 404
        assert client.get(f"/v1/demo/conversations/{quote(ALL)}/events").status_code == 404
        assert client.get(f"/v1/demo/conversations/markers-0/events?after={quote(ALL)}").status_code == 400
        key = {"Idempotency-Key": quote(EMAIL)}
        assert client.post(path, json=body, headers=key).status_code == 202
        assert client.post(path, json=body | {"text": SENTENCE}, headers=key).status_code == 422
    with own.client(key=quote(ALL)) as client:
        assert client.post(path, json=body).status_code == 401


def broken_requests(own: Demo) -> None:
    """What breaks inside the HTTP server, whose own messages we do not write."""
    place = urlsplit(own.env["EDGE_URL"])
    said = ALL.encode()
    for request in (
        b"GET /" + said + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/demo/messages HTTP/1.1\r\n" + said + b"\r\n\r\n",
        b"POST /v1/demo/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n" + said,
        said,
    ):
        with socket.create_connection((place.hostname, place.port), timeout=20) as plain:
            try:
                with own.tls.wrap_socket(plain, server_hostname=place.hostname) as secure:
                    secure.sendall(request)
                    secure.recv(512)
            except (OSError, ssl.SSLError):
                continue


def chats(own: Demo) -> None:
    url = own.env["EDGE_URL"].replace("https", "wss") + "/v1/demo/chat"
    hello = {"type": "hello", "v": 1, "lang": "en"}
    for frames in (
        [hello, {"type": "message", "id": NAME[:60], "text": ALL}],
        [hello, {"type": "message", "id": "1", "text": ALL * 200}],
        [hello, {"type": ALL}],
        [hello | {"conversation": NAME, "token": EMAIL}],
        [{"type": "hello", "v": ALL}],
        [ALL],
    ):
        with connect(url, ssl=own.tls) as chat:
            try:
                for frame in frames:
                    chat.send(frame if isinstance(frame, str) else json.dumps(frame, ensure_ascii=False))
                while json.loads(chat.recv(20))["type"] != "reply":
                    pass
            except ConnectionClosed:
                continue


def assert_nowhere(own: Demo) -> None:
    metrics = httpx2.get(f"{own.env['EDGE_ADMIN_URL']}/metrics", trust_env=False).text
    core_metrics = httpx2.get(f"{own.env['CORE_ADMIN_URL']}/metrics", trust_env=False).text
    assert planted.found_in(metrics + core_metrics) == []
    assert planted.findings(own.home) == []
    rows = everything_in(own.home / "edge" / "edge.toml", own.env["TENANT"])
    assert planted.found_in(rows) == list(MARKERS)  # they were there to be found


def test_they_are_nowhere_after_core_and_edge_were_killed(own: Demo) -> None:
    command = own.kill_core()
    for number, text in enumerate(TEXTS):
        own.ask(text, f"core-down-{number}", wait_s=5)
    edge = own.kill_edge()
    own.start_edge(edge)
    own.start_core(command)
    for number, text in enumerate(TEXTS):
        assert own.ask(text, f"core-again-{number}")["reply"]["text"]
    assert_nowhere(own)


SPELLINGS = {
    "plain": EMAIL.encode(),
    "inside JSON": json.dumps({"text": SENTENCE}).encode(),
    "in an address": quote(SENTENCE).encode(),
    "without spaces": PHONE.replace(" ", "").encode(),
    "in UTF-16": NAME.encode("utf-16-le"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_one_that_was_written_down_is_found(tmp_path: Path, spelling: str) -> None:
    with written(tmp_path / "below" / "edge.db-wal", b"\0\1" + SPELLINGS[spelling] + b"\0"):
        [found] = planted.findings(tmp_path)
    assert "below/edge.db-wal: " in found
    assert planted.findings(tmp_path) == []


def test_a_database_in_plain_is_found_unless_it_is_the_shops(tmp_path: Path) -> None:
    with written(tmp_path / "edge.db", planted.PLAIN_DATABASE), written(tmp_path / "shop.db", planted.PLAIN_DATABASE):
        assert planted.findings(tmp_path) == [f"{tmp_path / 'edge.db'}: a database that is not sealed"]


@contextmanager
def written(file: Path, content: bytes) -> Iterator[None]:
    """Gone after the block, or the end of this session would find it, too."""
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    try:
        yield
    finally:
        file.unlink()


def test_a_session_whose_programs_wrote_one_down_fails_and_names_file_and_word(tmp_path: Path) -> None:
    ended = session(tmp_path, f"(tmp_path / 'edge.log').write_text({NAME!r})")
    assert ended.returncode == 1
    assert "1 passed, 1 error" in ended.stdout
    assert f"test_it0/edge.log: {NAME}" in ended.stdout


def test_a_session_in_which_one_was_logged_fails_and_names_the_test(tmp_path: Path) -> None:
    ended = session(tmp_path, f"__import__('logging').getLogger().warning({NAME!r})")
    assert ended.returncode == 1
    assert f"test_one.py::test_it, Captured log call: {NAME}" in ended.stdout


def test_a_session_that_kept_them_to_itself_passes(tmp_path: Path) -> None:
    assert session(tmp_path, "(tmp_path / 'edge.log').write_text('all is well')").returncode == 0


def session(folder: Path, does: str) -> "subprocess.CompletedProcess[str]":
    """Of one test, under this suite's conftest; what it wrote is gone afterwards."""
    inner = folder / "session"
    inner.mkdir()
    test = inner / "test_one.py"
    test.write_text(f"import pytest\npytestmark = pytest.mark.unit\ndef test_it(tmp_path): {does}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    command += [
        "-c",
        str(ROOT / "pyproject.toml"),
        "--rootdir",
        str(inner),
        "--basetemp",
        str(inner / "temp"),
        str(test),
    ]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    finally:
        shutil.rmtree(inner)
