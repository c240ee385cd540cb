"""What `kill -9` cannot prove, as the kernel still has what was written: on disk before the acknowledgement."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests import servers, strace
from tests.sealed import sealed_file
from tests.servers import Demo, is_alive, wait_until

pytestmark = [pytest.mark.server, pytest.mark.skipif(bool(strace.why_not()), reason=strace.why_not() or "it can")]

MESSAGES = 3
TEXT = "What is the melting point of alloy {number}?"
"""Nothing that the edge knows: the commit of a reply would follow at once, perhaps before the acknowledgement."""
QUIET_S = 0.7
"""After this long nothing of an earlier message is still being committed."""

WITHOUT_SYNC = """
import sys
from nearside import database

full = database.open_database

def normal(*arguments, **options):
    connection = full(*arguments, **options)
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection

database.open_database = normal
from edge_node.cli import main
main()
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with servers.demo(tmp_path_factory.mktemp("durability")) as running:
        yield running


@pytest.fixture(scope="module")
def command(own: Demo) -> list[str]:
    """What starts the edge, which runs no more."""
    return own.kill_edge()


def edge_toml(own: Demo) -> Path:
    return own.home / "edge" / "edge.toml"


def edge_pid(own: Demo) -> int:
    """Of the edge itself, not of what traces it."""
    return int((own.home / "edge" / "data" / "edge.pid").read_text())


@contextmanager
def traced(own: Demo, command: list[str], trace: Path) -> Iterator[None]:
    """The demo's edge under strace, then wholly ended: the trace is whole after the block."""
    own.start_edge([*strace.tracer(trace), *command])
    try:
        yield
    finally:
        edge = edge_pid(own)
        os.kill(edge, signal.SIGTERM)
        wait_until(lambda: not is_alive(edge), "the end of the traced edge")


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was acknowledged: on which connection, and when it was sent."""

    client_port: int
    at: float


def post(own: Demo) -> Iterator[Sent]:
    with own.client() as client:
        client.get("/widget.js")  # the connection has its TLS tickets
        for number in range(MESSAGES):
            time.sleep(QUIET_S)
            at = time.time()
            body = {"conversation": f"sync-{number}", "customer": "c", "text": TEXT.format(number=number)}
            answer = client.post(f"/v1/{own.env['TENANT']}/messages", json=body)
            assert answer.status_code == 202
            yield Sent(int(answer.extensions["network_stream"].get_extra_info("client_addr")[1]), at)


def write(own: Demo) -> Iterator[Sent]:
    url = own.env["EDGE_URL"].replace("https", "wss") + f"/v1/{own.env['TENANT']}/chat"
    with connect(url, ssl=own.tls) as socket:
        socket.send('{"type":"hello","v":1,"lang":"en"}')
        for number in range(MESSAGES):
            time.sleep(QUIET_S)
            at = time.time()
            socket.send(
                json.dumps({"type": "message", "id": str(number), "text": TEXT.format(number=MESSAGES + number)})
            )
            while json.loads(socket.recv(20))["type"] != "ack":
                pass
            yield Sent(int(socket.socket.getsockname()[1]), at)


def synced(own: Demo, command: list[str], trace: Path) -> list[bool]:
    """For each message of both channels, whether it was on the disk before it was acknowledged."""
    with traced(own, command, trace):
        sent = [*post(own), *write(own)]
    made = strace.calls(trace)
    wal = sealed_file(edge_toml(own), own.env["TENANT"]).with_name("edge.db-wal")
    assert any(call.on == str(wal) for call in made)
    exchanges = [strace.exchange(made, one.client_port, one.at) for one in sent]
    return [strace.is_synced(made, wal, arrival, answer) for arrival, answer in exchanges]


def test_a_message_is_on_the_disk_before_it_is_acknowledged(own: Demo, command: list[str], tmp_path: Path) -> None:
    assert synced(own, command, tmp_path / "trace") == [True] * 2 * MESSAGES


def test_without_full_synchronous_the_same_look_finds_none_there(own: Demo, command: list[str], tmp_path: Path) -> None:
    careless = [sys.executable, "-c", WITHOUT_SYNC, *command[command.index("serve") :]]
    assert synced(own, careless, tmp_path / "trace") == [False] * 2 * MESSAGES
