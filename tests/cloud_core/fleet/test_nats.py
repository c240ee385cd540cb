"""The embedded nats-server never outlives its core, and a core never stays without one."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from cloud_core.fleet.nats import end_leftover
from tests import servers
from tests.cloud_core import stage
from tests.cloud_core.stage import Core

pytestmark = pytest.mark.server


def broker_pid(core: Core) -> int:
    return int((core.settings.data / "nats" / "nats.pid").read_text())


def test_no_broker_is_left_two_seconds_after_the_core_was_killed(tmp_path: Path) -> None:
    core = stage.make_core(tmp_path, nats="embedded")
    with stage.serving(core) as process:
        broker = broker_pid(core)
        assert servers.is_alive(broker)
        process.kill()
        process.wait()
        servers.wait_until(lambda: not servers.is_alive(broker), "the broker ended", 2.0)
    with stage.serving(core):
        assert servers.is_alive(broker_pid(core))


def test_a_broker_that_dies_is_started_again(tmp_path: Path) -> None:
    core = stage.make_core(tmp_path, nats="embedded")
    with stage.serving(core):
        first = broker_pid(core)
        os.kill(first, signal.SIGKILL)
        servers.wait_until(lambda: not _nats_is_up(core), "the core has noticed", 10.0)
        assert core.is_ready()
        servers.wait_until(lambda: _nats_is_up(core), "another broker is up", 10.0)
        assert broker_pid(core) != first


def test_a_broker_left_over_is_replaced_by_the_next_core(tmp_path: Path) -> None:
    core = stage.make_core(tmp_path, nats="embedded")
    folder = core.settings.data / "nats"
    with stage.serving(core):
        pass
    command = [str(servers.PROGRAMS / "nats-server"), "-c", str(folder / "nats.conf")]
    with servers.program(command, tmp_path / "leftover.log") as leftover:
        servers.wait_until((folder / "nats.pid").exists, "the left-over broker runs", 10.0)
        with stage.serving(core):
            assert leftover.wait(10) is not None
            assert broker_pid(core) != leftover.pid


def test_a_process_that_only_has_the_number_is_left_alone(tmp_path: Path) -> None:
    with servers.program(["sleep", "60"], tmp_path / "log") as innocent:
        pid_file = tmp_path / "nats.pid"
        pid_file.write_text(str(innocent.pid))
        end_leftover(pid_file, tmp_path / "nats.conf")
        assert innocent.poll() is None
        assert not pid_file.exists()


def _nats_is_up(core: Core) -> bool:
    rows = core.admin("/readyz").json()["conditions"]
    return any(row["name"] == "nats" and row["ok"] for row in rows)


def test_a_core_can_use_a_broker_that_somebody_else_runs(tmp_path: Path) -> None:
    own = stage.make_core(tmp_path / "own", nats="embedded")
    guest = stage.make_core(tmp_path / "guest", nats="external", nats_url=f"tls://127.0.0.1:{own.settings.nats.port}")
    shutil.rmtree(tmp_path / "guest" / "certs")
    shutil.copytree(tmp_path / "own" / "certs", tmp_path / "guest" / "certs")
    shutil.rmtree(guest.settings.data)
    with stage.serving(guest):
        assert not _nats_is_up(guest)
        with stage.serving(own):
            servers.wait_until(lambda: _nats_is_up(guest), "the guest is connected", 20.0)
        servers.wait_until(lambda: not _nats_is_up(guest), "the guest has noticed", 20.0)
