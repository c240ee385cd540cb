import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.launch.children import processes_on
from demo.launch.errors import LaunchError
from demo.launch.ports import WANTS, Want, choose_ports, spare_port
from demo.launch.tomledit import set_keys
from tests.servers import PORTS, ROOT, free_ports, wait_until

pytestmark = pytest.mark.unit


@pytest.fixture
def free() -> dict[str, str]:
    return dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def start(home: Path, ports: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "demo" / "run.py"), "--home", str(home)]
    env = os.environ | ports
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("want", WANTS, ids=lambda want: want.variable)
def test_a_port_that_is_taken_is_named_with_its_user_and_its_variable(
    want: Want, free: dict[str, str], taken: int
) -> None:
    with pytest.raises(LaunchError) as error:
        choose_ports(free | {want.variable: str(taken)})
    assert f"port {taken} for {want.whose} is taken" in str(error.value)
    assert f"make run {want.variable}=" in str(error.value)


def test_ports_asked_for_are_used(free: dict[str, str]) -> None:
    ports = choose_ports(free)
    assert (ports.edge, ports.core, ports.shop) == tuple(int(free[k]) for k in ("EDGE_PORT", "CORE_PORT", "SHOP_PORT"))


def test_a_port_wanted_twice_is_refused(free: dict[str, str]) -> None:
    with pytest.raises(LaunchError, match=r"wanted twice.*CORE_PORT"):
        choose_ports(free | {"CORE_PORT": free["EDGE_PORT"]})


def test_a_port_not_asked_for_moves_out_of_the_way() -> None:
    shop = next(want for want in WANTS if want.variable == "SHOP_PORT")
    edge = next(want for want in WANTS if want.variable == "EDGE_PORT")
    assert spare_port(shop, {shop.default: edge}) != shop.default


@pytest.mark.parametrize("text", ["abc", "0", "65536", "-1", "８４４３"])
def test_what_is_no_port_is_refused(text: str, free: dict[str, str]) -> None:
    with pytest.raises(LaunchError, match="EDGE_PORT=.* is no port"):
        choose_ports(free | {"EDGE_PORT": text})


def test_a_port_taken_ends_the_start_before_anything_runs(tmp_path: Path, free: dict[str, str], taken: int) -> None:
    home = tmp_path / "home"
    done = start(home, free | {"EDGE_PORT": str(taken)})
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"port {taken}" in done.stderr and "EDGE_PORT" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert processes_on(home) == []
    assert not (home / "core").exists()


def test_a_second_start_in_the_same_folder_says_where_the_first_one_is(tmp_path: Path, free: dict[str, str]) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "demo.lock")], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    done = start(tmp_path, free)
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert done.returncode == 1
    assert done.stderr == "nearside: the demo is running here already: https://localhost:1/chat/demo\n"


HOLD = """
import fcntl, sys, time
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
lock.write("https://localhost:1/chat/demo")
lock.flush()
print("held", flush=True)
time.sleep(60)
"""


def test_only_the_keys_named_are_changed_and_comments_stay(tmp_path: Path) -> None:
    file = tmp_path / "edge.toml"
    file.write_text('# about\nname = "a"\n# tenants =\n\n[https]\n# the port\nport = 1\n\n[admin]\nport = 2\n')
    set_keys(file, {"admin.port": 3, "name": 'b"c', "tenants": {"demo": {"content": "/x"}}})
    assert file.read_text() == (
        '# about\nname = "b\\"c"\ntenants = {"demo" = {"content" = "/x"}}\n\n'
        "[https]\n# the port\nport = 1\n\n[admin]\nport = 3\n"
    )


def test_a_key_the_file_lacks_is_an_error_and_the_file_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "edge.toml"
    file.write_text("[https]\nport = 1\n")
    with pytest.raises(LaunchError, match=r"no key admin\.port"):
        set_keys(file, {"https.port": 2, "admin.port": 3})
    assert file.read_text() == "[https]\nport = 1\n"


def test_only_servers_of_the_folder_are_found(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "core.toml").touch()
    chatting = stands_in(tmp_path, "edge-node", "chat", "--config", str(home / "edge.toml"))
    elsewhere = stands_in(home, "edge-node", "serve", "--config", "/elsewhere/edge.toml")
    serving = [
        stands_in(tmp_path, "cloud-core", "serve", "--config", str(home / "core.toml")),
        stands_in(tmp_path, "cloud-core", "serve", "--config", "home/core.toml"),
        stands_in(home, "cloud-core", "serve", "--config=core.toml"),
        stands_in(tmp_path, "cloud-core", "serve", holding=home / "core.lock"),
    ]
    try:
        wait_until(lambda: len(processes_on(home)) >= len(serving), "the processes on the folder")
        assert sorted(processes_on(home)) == sorted(process.pid for process in serving)
    finally:
        for process in (chatting, elsewhere, *serving):
            process.send_signal(signal.SIGKILL)
            process.wait()


def stands_in(cwd: Path, *words: str, holding: Path | None = None) -> subprocess.Popen[bytes]:
    folder = Path(tempfile.mkdtemp(dir=cwd.parent))
    script = folder / words[0]
    script.write_text("import time\ntime.sleep(60)\n")
    with contextlib.ExitStack() as stack:
        held = stack.enter_context(holding.open("w")) if holding else None
        return subprocess.Popen([sys.executable, str(script), *words[1:]], cwd=cwd, stdout=held)
