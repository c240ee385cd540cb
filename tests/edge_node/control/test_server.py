import asyncio
import json
import os
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from edge_node.control import place, server
from edge_node.control.edge import Edge
from edge_node.control.operations import Arguments, Operation
from edge_node.settings import EdgeSettings
from nearside.errors import SettingsError, StorageError
from nearside.sealing import KeyRing, make_node_key
from tests.edge_node.stage import until

pytestmark = pytest.mark.unit


class Work:
    """Operations of a test's own; `go` lets the one that waits end."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.ended = 0

    async def echo(self, _edge: Edge, arguments: Arguments) -> Any:
        return dict(arguments)

    async def wait(self, edge: Edge, arguments: Arguments) -> Any:
        for number in range(arguments.get("reports", 1)):
            edge.report({"number": number, "filler": "x" * arguments.get("filler", 0)})
            await asyncio.sleep(0)
        await self.go.wait()
        self.ended += 1
        return self.ended

    async def large(self, _edge: Edge, arguments: Arguments) -> Any:
        self.ended += 1
        return "x" * arguments["bytes"]

    async def fail(self, _edge: Edge, _arguments: Arguments) -> Any:
        raise StorageError("it is full", where="/there", hint="make room")

    async def break_down(self, _edge: Edge, _arguments: Arguments) -> Any:
        raise ValueError("Alice's words")

    def known(self) -> dict[str, Operation]:
        found = {"echo": self.echo, "wait": self.wait, "large": self.large, "fail": self.fail, "break": self.break_down}
        every = {name: Operation(name, work, alone=False) for name, work in found.items()}
        return every | {"move": Operation("move", self.wait, alone=True)}


@asynccontextmanager
async def serving(data: Path, work: Work | None = None) -> AsyncIterator[Work]:
    work = work or Work()
    make_node_key(data / "node.key", data)
    settings = EdgeSettings(data=data, node_key=data / "node.key")
    async with server.controlled(Edge(settings, KeyRing(settings.node_key, "edge"), {}), work.known()):
        yield work


class Client:
    """One connection. `hang_up` is what a killed command does."""

    def __init__(self, data: Path) -> None:
        self._data = data

    async def __aenter__(self) -> Self:
        with place.address(self._data) as found:
            self._reader, self._writer = await asyncio.open_unix_connection(found, limit=1 << 24)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.hang_up()
        with suppress(OSError):
            await self._writer.wait_closed()

    def hang_up(self) -> None:
        self._writer.transport.abort()

    def send(self, sent: bytes) -> None:
        self._writer.write(sent)

    def send_all(self, sent: bytes) -> None:
        self._writer.write(sent)
        with suppress(OSError):
            self._writer.write_eof()

    def ask(self, name: str, **arguments: Any) -> None:
        self.send(json.dumps({"operation": name, "arguments": arguments}).encode() + b"\n")

    @contextmanager
    def looking_away(self) -> Iterator[None]:
        transport = self._writer.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        yield
        transport.resume_reading()

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(20):
            answer: dict[str, Any] = json.loads(await self._reader.readline())
        return answer

    async def outcome(self) -> dict[str, Any]:
        while not ({"result", "error"} & (answer := await self.next()).keys()):
            pass
        return answer


async def answered(data: Path, sent: bytes) -> dict[str, Any]:
    async with Client(data) as client:
        client.send_all(sent)
        return await client.outcome()


async def test_an_operation_reports_and_then_ends(tmp_path: Path) -> None:
    async with serving(tmp_path) as work, Client(tmp_path) as client:
        client.ask("wait", reports=2)
        assert [await client.next() for _ in range(3)] == [
            {"started": True},
            {"progress": {"number": 0, "filler": ""}},
            {"progress": {"number": 1, "filler": ""}},
        ]
        work.go.set()
        assert await client.next() == {"result": 1}


async def test_an_error_comes_as_what_where_and_what_to_do(tmp_path: Path) -> None:
    async with serving(tmp_path):
        outcome = await answered(tmp_path, b'{"operation": "fail"}\n')
    assert outcome == {"error": {"what": "it is full", "where": "/there", "hint": "make room"}}


async def test_an_error_that_nobody_expected_says_its_class_and_nothing_that_was_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path):
        outcome = await answered(tmp_path, b'{"operation": "break"}\n')
    assert "ValueError" in outcome["error"]["what"]
    assert "Alice" not in f"{outcome}"


async def test_two_clients_are_served_at_once(tmp_path: Path) -> None:
    async with serving(tmp_path) as work, Client(tmp_path) as slow, Client(tmp_path) as quick:
        slow.ask("wait")
        assert await slow.next() == {"started": True}
        quick.ask("echo", tenant="shop")
        assert await quick.outcome() == {"result": {"tenant": "shop"}}
        work.go.set()
        assert await slow.outcome() == {"result": 1}


async def test_a_second_operation_that_must_be_alone_is_told_to_wait(tmp_path: Path) -> None:
    async with serving(tmp_path) as work, Client(tmp_path) as first, Client(tmp_path) as second:
        first.ask("move")
        assert await first.next() == {"started": True}
        second.ask("move")
        assert (await second.outcome())["error"]["what"] == "move is under way"
        work.go.set()
        assert await first.outcome() == {"result": 1}
        assert (await answered(tmp_path, b'{"operation": "move"}\n')) == {"result": 2}


async def test_an_operation_ends_though_its_client_went_away(tmp_path: Path) -> None:
    async with serving(tmp_path) as work, Client(tmp_path) as client:
        client.ask("wait")
        await client.next()
        client.hang_up()
        work.go.set()
        await until(lambda: work.ended == 1)
        assert await answered(tmp_path, b'{"operation": "echo"}\n') == {"result": {}}


async def test_progress_that_nobody_reads_is_not_kept(tmp_path: Path) -> None:
    async with serving(tmp_path) as work, Client(tmp_path) as client:
        with client.looking_away():
            client.ask("wait", reports=400, filler=10_000)
            work.go.set()
            await until(lambda: work.ended == 1)
        read = 0
        while "result" not in (answer := await client.next()):
            read += 1
        assert answer == {"result": 1}
        assert 0 < read < 200


@pytest.mark.parametrize(
    ("sent", "what"),
    [
        (b"\n", "not an object"),
        (b"", "not an object"),
        (b"{\n", "not an object"),
        (b'"echo"\n', "not an object"),
        (b"\xff\xfe\n", "not an object"),
        (b"[" * 60_000 + b"\n", "not an object"),
        (b'{"operation": 5}\n', "no operation"),
        (b'{"operation": "echo", "arguments": []}\n', "no operation"),
        (b'{"operation": "\\ud800"}\n', "does not know"),
        (b'{"operation": "launch"}\n', "does not know 'launch'"),
        (b'{"operation": "' + b"x" * place.LINE_BYTES + b'"}\n', "too long"),
        (b"x" * 1_000_000, "too long"),
    ],
)
async def test_what_is_no_request_is_answered_with_an_error(tmp_path: Path, sent: bytes, what: str) -> None:
    async with serving(tmp_path):
        assert what in (await answered(tmp_path, sent))["error"]["what"]
        assert await answered(tmp_path, b'{"operation": "echo"}\n') == {"result": {}}


async def test_a_client_that_asks_nothing_is_sent_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "REQUEST_S", 0.05)
    async with serving(tmp_path), Client(tmp_path) as client:
        assert "no request came" in (await client.outcome())["error"]["what"]


@given(
    st.binary() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_any_bytes_are_a_request_or_a_settings_error(line: bytes) -> None:
    with suppress(SettingsError):
        name, arguments = server.understood(line)
        assert isinstance(name, str)
        assert isinstance(arguments, dict)


@given(
    operation=st.text(),
    arguments=st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text() | st.floats()),
)
def test_what_a_client_sends_is_what_an_operation_gets(operation: str, arguments: dict[str, Any]) -> None:
    line = json.dumps({"operation": operation, "arguments": arguments}).encode()
    name, got = server.understood(line)
    assert name == operation and json.dumps(got) == json.dumps(arguments)


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_no_noise_on_the_socket_keeps_the_next_request_from_its_answer(noise: list[bytes]) -> None:
    async def work(data: Path) -> None:
        async with serving(data):
            for sent in noise:
                async with Client(data) as client:
                    client.send(sent)
            assert await answered(data, b'{"operation": "echo"}\n') == {"result": {}}

    data = Path(f"/tmp/nearside-noise-{os.getpid()}")
    try:
        asyncio.run(work(data))
    finally:
        for file in data.iterdir():
            file.unlink()
        data.rmdir()


async def test_the_socket_is_its_owners_alone_and_goes_with_the_edge(tmp_path: Path) -> None:
    async with serving(tmp_path):
        mode = (tmp_path / "edge.sock").stat().st_mode
        assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
    assert not (tmp_path / "edge.sock").exists()


async def test_a_socket_that_a_killed_edge_left_is_replaced(tmp_path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "edge.sock"))
    left.close()
    async with serving(tmp_path):
        assert await answered(tmp_path, b'{"operation": "echo"}\n') == {"result": {}}


async def test_what_is_no_socket_is_left_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "edge.sock").write_text("mine")
    with pytest.raises(StorageError, match="no socket has its name"):
        async with serving(tmp_path):
            pass
    assert (tmp_path / "edge.sock").read_text() == "mine"


async def test_a_folder_whose_path_is_longer_than_an_address_works_too(tmp_path: Path) -> None:
    data = tmp_path / ("d" * 100) / ("e" * 100)
    async with serving(data):
        assert await answered(data, b'{"operation": "echo"}\n') == {"result": {}}
    assert not (data / "edge.sock").exists()


async def test_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "peer_uid", lambda _connection: 12_345)
    async with serving(tmp_path):
        outcome = await answered(tmp_path, b'{"operation": "echo"}\n')
    assert "its own user and root" in outcome["error"]["what"]


async def test_a_stop_waits_for_an_operation_and_for_no_idle_client(tmp_path: Path) -> None:
    async with AsyncExitStack() as clients:
        async with serving(tmp_path) as work:
            idle = await clients.enter_async_context(Client(tmp_path))
            busy = await clients.enter_async_context(Client(tmp_path))
            busy.ask("wait")
            assert await busy.next() == {"started": True}
            asyncio.get_running_loop().call_later(0.1, work.go.set)
        assert await busy.outcome() == {"result": 1}
        assert "the edge stops" in (await idle.outcome())["error"]["what"]


async def test_a_stop_ends_an_operation_that_does_not_end_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "STOP_S", 0.05)
    async with AsyncExitStack() as clients:
        async with serving(tmp_path):
            client = await clients.enter_async_context(Client(tmp_path))
            client.ask("wait")
            assert await client.next() == {"started": True}
        assert "the edge stops" in (await client.outcome())["error"]["what"]


async def test_a_client_that_does_not_read_keeps_no_edge_from_stopping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "LAST_WORD_S", 0.05)
    async with AsyncExitStack() as clients:
        async with serving(tmp_path) as work:
            client = await clients.enter_async_context(Client(tmp_path))
            clients.enter_context(client.looking_away())
            client.ask("large", bytes=4_000_000)
            await until(lambda: work.ended == 1)


def test_the_socket_works_on_the_loop_of_the_program_too(tmp_path: Path) -> None:
    async def work() -> None:
        async with serving(tmp_path):
            assert await answered(tmp_path, b'{"operation": "echo"}\n') == {"result": {}}
            assert "too long" in (await answered(tmp_path, b"x" * 1_000_000))["error"]["what"]

    uvloop.run(work())
