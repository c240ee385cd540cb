import asyncio
import os
import pwd
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_node.control import client, operations, place, server
from edge_node.control.client import ask
from edge_node.control.edge import Edge
from edge_node.control.operations import Arguments, Operation
from edge_node.settings import EdgeSettings
from nearside.errors import NearsideError, StorageError
from nearside.ownership import sole_owner
from nearside.sealing import KeyRing
from tests.edge_node.control.stage import Company, opened, settings_in

pytestmark = pytest.mark.unit


async def tell(edge: Edge, arguments: Arguments) -> Any:
    edge.report({"half": True})
    return {"runs": edge.turns is not None, "stores": sorted(edge.stores), **arguments}


async def fail(_edge: Edge, _arguments: Arguments) -> Any:
    raise StorageError("it is full", where="/there", hint="make room")


async def stall(_edge: Edge, _arguments: Arguments) -> Any:
    await asyncio.sleep(60)


OPERATIONS = {
    "tell": Operation("tell", tell, alone=False),
    "fail": Operation("fail", fail, alone=False),
    "stall": Operation("stall", stall, alone=False),
}


@pytest.fixture(autouse=True)
def _own_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "operations", lambda: OPERATIONS)


@pytest.fixture
def settings(tmp_path: Path) -> EdgeSettings:
    return settings_in(tmp_path, "demo", "acme")


@contextmanager
def edge_of(settings: EdgeSettings, *, starts_after_s: float = 0.0) -> Iterator[Callable[[], None]]:
    """A running edge on a thread of its own: it holds the folder, and listens when it has started."""
    stop, ready = threading.Event(), threading.Event()

    async def serve() -> None:
        with sole_owner(settings.data, "edge"):
            ready.set()
            await asyncio.sleep(starts_after_s)
            async with server.controlled(Edge(settings, KeyRing(settings.node_key, "edge"), {}), OPERATIONS):
                listening.set()
                await asyncio.to_thread(stop.wait)

    listening = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert (ready if starts_after_s else listening).wait(10)
        yield stop.set
    finally:
        stop.set()
        thread.join(10)


def makes_files(settings: EdgeSettings, *tenants: str) -> None:
    async def make() -> None:
        for tenant_id in tenants:
            store = await opened(settings, tenant_id)
            await Company(store).hears("hello")
            await store.close()

    asyncio.run(make())


def test_a_running_edge_does_it_and_tells_how_far_it_is(settings: EdgeSettings) -> None:
    heard: list[Any] = []
    with edge_of(settings):
        assert ask(settings, "tell", {"tenant": "demo"}, heard.append)["tenant"] == "demo"
    assert heard == [{"half": True}]


def test_what_a_running_edge_refuses_is_raised_here(settings: EdgeSettings) -> None:
    with edge_of(settings), pytest.raises(NearsideError, match="it is full — /there — make room"):
        ask(settings, "fail", {})


def test_two_commands_are_answered_one_beside_the_other(settings: EdgeSettings) -> None:
    with edge_of(settings):
        outcomes: list[Any] = []
        threads = [
            threading.Thread(target=lambda: outcomes.append(ask(settings, "tell", {"tenant": None}))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(outcomes) == 8


def test_where_no_edge_runs_the_command_opens_the_files_itself(settings: EdgeSettings) -> None:
    makes_files(settings, "demo", "acme")
    heard: list[Any] = []
    found = ask(settings, "tell", {"tenant": None}, heard.append)
    assert (found["runs"], found["stores"], heard) == (False, ["acme", "demo"], [{"half": True}])


def test_a_command_that_looks_makes_no_files(settings: EdgeSettings) -> None:
    before = sorted(settings.data.rglob("*"))
    assert ask(settings, "tell", {"tenant": None})["stores"] == []
    assert [path for path in sorted(settings.data.rglob("*")) if path.name != "edge.lock"] == before


def test_a_tenant_whose_file_is_damaged_keeps_no_other_from_its_operator(settings: EdgeSettings) -> None:
    makes_files(settings, "demo", "acme")
    (settings.data / "tenants" / "acme" / "edge.db").write_bytes(b"damaged" * 1000)
    assert ask(settings, "tell", {"tenant": "demo"})["stores"] == ["demo"]
    with pytest.raises(StorageError, match="acme/edge.db"):
        ask(settings, "tell", {"tenant": None})


def test_a_tenant_id_leads_to_no_other_folder(settings: EdgeSettings, tmp_path: Path) -> None:
    makes_files(settings, "demo")
    shutil.move(settings.data / "tenants" / "demo", tmp_path / "elsewhere")
    assert ask(settings, "tell", {"tenant": "../../elsewhere"})["stores"] == []


def test_a_socket_that_a_killed_edge_left_is_no_edge(settings: EdgeSettings) -> None:
    place.listen(settings.data).close()
    assert (settings.data / "edge.sock").exists()
    assert ask(settings, "tell", {"tenant": None})["runs"] is False


def test_an_edge_that_is_about_to_start_is_waited_for(settings: EdgeSettings) -> None:
    with edge_of(settings, starts_after_s=0.5):
        assert ask(settings, "tell", {"tenant": "demo"})["tenant"] == "demo"


def test_a_command_that_ends_soon_is_waited_for(settings: EdgeSettings) -> None:
    found: list[Any] = []
    with sole_owner(settings.data, "edge"):
        thread = threading.Thread(target=lambda: found.append(ask(settings, "tell", {"tenant": None})))
        thread.start()
        time.sleep(0.3)
        assert found == []
    thread.join(10)
    assert [one["runs"] for one in found] == [False]


def test_an_edge_without_a_socket_is_said_in_one_line(settings: EdgeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "START_S", 0.2)
    with sole_owner(settings.data, "edge"), pytest.raises(NearsideError) as refused:
        ask(settings, "tell", {})
    line = str(refused.value)
    assert f"process {os.getpid()} serves this data folder" in line and "edge.sock" in line and "restart it" in line


def test_an_edge_that_ends_in_the_middle_is_said(settings: EdgeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "STOP_S", 0.05)
    with edge_of(settings) as stop:
        threading.Timer(0.3, stop).start()
        with pytest.raises(NearsideError, match="the edge stops"):
            ask(settings, "stall", {})


@contextmanager
def listener(settings: EdgeSettings, *sent: bytes) -> Iterator[None]:
    """Something that takes a request, sends this, and hangs up; with nothing to send it only listens."""
    bound = place.listen(settings.data)
    bound.setblocking(True)

    def serve() -> None:
        connection, _ = bound.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(b"".join(sent))

    thread = threading.Thread(target=serve) if sent else None
    if thread:
        thread.start()
    try:
        yield
    finally:
        if thread:
            thread.join(10)
        bound.close()


@pytest.mark.parametrize("sent", [b'{"started": true}\n', b'{"started": tr', b"\n", b'{"result": [1, 2'])
def test_an_edge_that_is_killed_in_the_middle_is_said(settings: EdgeSettings, sent: bytes) -> None:
    with listener(settings, sent), pytest.raises(NearsideError, match="ended before it had answered"):
        ask(settings, "tell", {})


def test_an_edge_that_hangs_is_said(settings: EdgeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ANSWER_S", 0.1)
    with listener(settings), pytest.raises(NearsideError, match="has not answered for 0.1 s"):
        ask(settings, "tell", {})


def test_a_path_too_long_for_an_address_is_no_matter(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 100) / ("e" * 60)
    folder.mkdir(parents=True)
    settings = settings_in(folder)
    assert ask(settings, "tell", {"tenant": None})["runs"] is False
    with edge_of(settings):
        assert ask(settings, "tell", {"tenant": "demo"})["tenant"] == "demo"


def test_arguments_that_are_too_long_are_not_sent(settings: EdgeSettings) -> None:
    with edge_of(settings), pytest.raises(NearsideError, match="too long"):
        ask(settings, "tell", {"tenant": "x" * 100_000})


def test_where_there_is_no_data_folder_it_is_not_made(settings: EdgeSettings) -> None:
    (settings.data).rmdir()
    with pytest.raises(StorageError, match="no data folder yet"):
        ask(settings, "tell", {})
    assert not settings.data.exists()


def test_another_users_folder_is_left_alone(settings: EdgeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 54_321)
    with pytest.raises(StorageError, match="the data folder is another user's"):
        ask(settings, "tell", {})
    assert list(settings.data.iterdir()) == []


def test_something_else_that_has_the_sockets_name_is_said(settings: EdgeSettings) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(settings.data / "edge.sock"))
        with pytest.raises(NearsideError, match="the control socket cannot be used"):
            ask(settings, "tell", {})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root works on another user's files")
def test_what_root_makes_belongs_to_the_folders_owner() -> None:
    nobody = pwd.getpwnam("nobody")
    folder = Path(tempfile.mkdtemp(prefix="nearside-"))
    try:
        folder.chmod(0o755)
        settings = settings_in(folder)
        makes_files(settings, "demo")
        for path in (settings.node_key, settings.data, *settings.data.rglob("*")):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        assert ask(settings, "tell", {"tenant": None})["stores"] == ["demo"]
        assert {path.stat().st_uid for path in settings.data.rglob("*")} == {nobody.pw_uid}
        assert (settings.data / "edge.lock").stat().st_gid == nobody.pw_gid
        assert (os.geteuid(), os.getegid()) == (0, 0)
    finally:
        shutil.rmtree(folder)
