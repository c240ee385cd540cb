"""The core as a process: its doors, its start and its end."""

import asyncio
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import nats
import pytest

from cloud_core.fleet.authority import issue_edge, load_ca
from nearside import __version__
from nearside.tls import client_context
from nearside.v1 import turn_pb2
from tests import servers
from tests.cloud_core import stage
from tests.cloud_core.stage import CORE, Core

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Core]:
    """Only for tests that leave it as it is."""
    core = stage.make_core(tmp_path_factory.mktemp("core"), nats="embedded")
    with stage.serving(core):
        yield core


def handshake(core: Core, port: int, newest: ssl.TLSVersion) -> str | None:
    context = core.tls_client(newest)
    leaf = issue_edge(load_ca(core.settings), "edge-one", ["demo"])
    leaf.write(core.folder / "probe.crt", core.folder / "probe.key")
    context.load_cert_chain(core.folder / "probe.crt", core.folder / "probe.key")
    context.set_alpn_protocols(["h2"])
    with socket.create_connection(("127.0.0.1", port)) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            return secure.version()


@pytest.mark.parametrize("door", ["https", "grpc"])
def test_tls_1_2_is_refused_and_1_3_is_not(core: Core, door: str) -> None:
    port = getattr(core.settings, door).port
    assert handshake(core, port, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(core, port, ssl.TLSVersion.TLSv1_2)


def test_the_front_page_names_the_core_and_its_version(core: Core) -> None:
    url = f"https://localhost:{core.settings.https.port}"
    context = client_context(core.settings.grpc.ca)
    with httpx2.Client(verify=context, trust_env=False) as client:
        assert client.get(f"{url}/").json() == {"name": "core", "version": __version__}
        assert client.get(f"{url}/healthz").status_code == 200
        assert client.get(f"{url}/nothing").status_code == 404


def test_readiness_names_its_conditions(core: Core) -> None:
    body = core.admin("/readyz").json()
    assert body["ready"] is True
    assert {row["name"]: row["ok"] for row in body["conditions"]} == {
        "engine": True,
        "store": True,
        "https": True,
        "grpc": True,
        "nats": True,
    }


async def test_turns_are_counted_by_outcome(core: Core) -> None:
    async with stage.calling(core) as call:
        await call.write(stage.start("Do you sell wedding dresses?", turn_id="t-counted"))
        responses = [response async for response in call]
    assert responses[-1].final.outcome == turn_pb2.OUTCOME_NO_EVIDENCE
    metrics = core.admin("/metrics").text
    assert 'nearside_turns_total{outcome="no_evidence"}' in metrics
    assert "nearside_turn_seconds_bucket" in metrics
    assert "nearside_turns_in_flight" in metrics
    assert "wedding" not in (core.folder / "core.log").read_text()


def test_status_tells_how_the_core_is(core: Core) -> None:
    done = subprocess.run([CORE, "status", "-c", str(core.config)], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.startswith("ready, version")


async def test_nats_takes_the_core_and_no_edge(core: Core) -> None:
    settings = core.settings
    url = f"tls://127.0.0.1:{settings.nats.port}"
    own = await nats.connect(url, tls=client_context(settings.grpc.ca, settings.nats.cert, settings.nats.key))
    assert (await own.jetstream().account_info()).streams == 0
    await own.close()

    cert, key = core.folder / "edge.crt", core.folder / "edge.key"
    issue_edge(load_ca(settings), "edge-one", ["demo"]).write(cert, key)
    complaints: list[Exception] = []

    async def note(error: Exception) -> None:
        complaints.append(error)

    with pytest.raises((nats.errors.Error, OSError, TimeoutError)):
        await asyncio.wait_for(
            nats.connect(
                url,
                tls=client_context(settings.grpc.ca, cert, key),
                allow_reconnect=False,
                max_reconnect_attempts=0,
                error_cb=note,
            ),
            10,
        )
    assert any("authorization" in str(error).lower() for error in complaints)


def test_a_second_core_on_the_same_data_is_told_so(core: Core) -> None:
    done = subprocess.run([CORE, "serve", "-c", str(core.config)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "serves this data folder" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("door", ["https", "grpc", "admin", "nats"])
def test_a_port_that_is_taken_is_a_clear_error(tmp_path: Path, door: str) -> None:
    core = stage.make_core(tmp_path, nats="embedded")
    with socket.create_server(("127.0.0.1", getattr(core.settings, door).port)):
        done = subprocess.run([CORE, "serve", "-c", str(core.config)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert f"the {door} port {getattr(core.settings, door).port} cannot be opened" in last
    assert "Traceback" not in done.stderr


def test_sigterm_ends_the_core_and_its_broker_with_exit_code_0(tmp_path: Path) -> None:
    core = stage.make_core(tmp_path, nats="embedded")
    with stage.serving(core) as process:
        assert int((core.settings.data / "core.pid").read_text()) == process.pid
        broker = int((core.settings.data / "nats" / "nats.pid").read_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    assert not servers.is_alive(broker)
    assert not (core.settings.data / "core.pid").exists()


async def test_a_turn_at_work_is_finished_before_the_core_stops(tmp_path: Path) -> None:
    core = stage.make_core(tmp_path)
    gate = asyncio.Event()
    engine = stage.ScriptedEngine(gate, stage.GOOD, stage.GROUNDED)
    async with stage.calling(core) as call:
        async with stage.answering(core, engine):
            await call.write(stage.start())
            await engine.started.wait()
            asyncio.get_running_loop().call_later(0.2, gate.set)
        kinds = [response.WhichOneof("event") async for response in call]
    assert kinds == ["accepted", "delta", "final"]
