"""`make run` as a person uses it: in a terminal, ended with Ctrl-C, started twice, with a core that dies."""

import os
import pty
import re
import select
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from demo.launch.children import processes_on
from tests.servers import PORTS, ROOT, answers, free_ports, is_alive, read_env, wait_until

pytestmark = [pytest.mark.server, pytest.mark.timeout(400)]

START_S = 240.0


class Terminal:
    """A make in a terminal of its own; `screen` is all it has written."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.execvpe("make", ["make", "--no-print-directory", "-C", str(folder), "run"], env)
        self.screen = ""

    def read(self, until: Callable[[str], bool], timeout_s: float) -> None:
        give_up_at = time.monotonic() + timeout_s
        while not until(self.screen):
            assert time.monotonic() < give_up_at, f"not seen: {self.screen[-2000:]}"
            if select.select([self._fd], [], [], 0.2)[0]:
                try:
                    self.screen += os.read(self._fd, 65536).decode(errors="replace")
                except OSError:
                    return

    def press(self, key: bytes) -> None:
        os.write(self._fd, key)

    def hang_up(self) -> None:
        os.close(self._fd)

    def status(self) -> int:
        """The exit status of make, when it has ended."""
        ended: list[int] = []

        def waited() -> bool:
            with suppress(OSError):
                while select.select([self._fd], [], [], 0)[0] and os.read(self._fd, 65536):
                    pass
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                ended.append(os.waitstatus_to_exitcode(status))
            return bool(pid)

        wait_until(waited, "the end of make", 40)
        return ended[0]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run") / ".nearside"


@pytest.fixture(scope="module")
def env() -> dict[str, str]:
    ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    return clean | ports | {"TERM": "xterm"}


@pytest.fixture(scope="module")
def folder(home: Path) -> Path:
    """The project's own recipe, on a state folder of the test's."""
    recipe = re.search(r"^run: .*\n\t(@exec .* demo/run\.py)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe is not None
    line = recipe[1].replace("$(BIN)/python", sys.executable).replace("demo/run.py", f"{ROOT}/demo/run.py")
    (home.parent / "Makefile").write_text(f"run:\n\t{line} --home {home}\n")
    return home.parent


@contextmanager
def running(folder: Path, env: dict[str, str]) -> Iterator[Terminal]:
    terminal = Terminal(folder, env)
    try:
        terminal.read(lambda screen: re.search(r"^.*ready  https://", screen, re.MULTILINE) is not None, START_S)
        yield terminal
    finally:
        with suppress(ProcessLookupError):
            os.kill(terminal.pid, signal.SIGTERM)


def test_it_says_ready_with_the_chats_address_and_ctrl_c_ends_all_of_it_with_success(
    home: Path, folder: Path, env: dict[str, str]
) -> None:
    with running(folder, env) as terminal:
        values = read_env(home / "demo.env")
        assert stat.S_IMODE((home / "demo.env").stat().st_mode) == 0o600
        assert f"{values['EDGE_URL']}/chat/demo" in terminal.screen
        assert values["EDGE_URL"].endswith(f":{env['EDGE_PORT']}")
        assert answers(f"{values['EDGE_ADMIN_URL']}/readyz")
        assert {is_alive(int(values[name])) for name in ("EDGE_PID", "CORE_PID")} == {True}
        terminal.press(b"\x03")
        assert terminal.status() == 0
    assert processes_on(home) == []
    assert {is_alive(int(values[name])) for name in ("EDGE_PID", "CORE_PID")} == {False}
    assert not (home / "demo.env").exists()


def test_a_second_one_in_the_same_folder_says_where_the_first_is(home: Path, folder: Path, env: dict[str, str]) -> None:
    with running(folder, env) as terminal:
        second = subprocess.run(
            ["make", "-C", str(folder), "run"], env=env, capture_output=True, text=True, check=False, timeout=60
        )
        assert second.returncode != 0
        assert f"running here already: {read_env(home / 'demo.env')['EDGE_URL']}/chat/demo" in second.stderr
        assert answers(f"{read_env(home / 'demo.env')['EDGE_ADMIN_URL']}/readyz")
        terminal.press(b"\x03")
        assert terminal.status() == 0


def test_a_killed_core_is_reported_and_one_started_by_hand_ends_with_the_rest(
    home: Path, folder: Path, env: dict[str, str]
) -> None:
    with running(folder, env) as terminal:
        values = read_env(home / "demo.env")
        core = int(values["CORE_PID"])
        command = Path(f"/proc/{core}/cmdline").read_bytes().decode().split("\0")[:-1]
        os.kill(core, signal.SIGKILL)
        terminal.read(lambda screen: "the core was killed by SIGKILL" in screen, 20)
        assert "logs/core.log" in terminal.screen
        assert is_alive(int(values["EDGE_PID"]))
        again = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, cwd="/"
        )
        wait_until(lambda: answers(f"{values['CORE_ADMIN_URL']}/readyz"), "the core again")
        terminal.press(b"\x03")
        assert terminal.status() == 0
        again.wait(20)
    assert processes_on(home) == []


@pytest.mark.parametrize("to_whom", ["make", "launcher"])
def test_a_signal_ends_everything(to_whom: str, home: Path, folder: Path, env: dict[str, str]) -> None:
    with running(folder, env) as terminal:
        launcher = int(re.findall(r"process (\d+)", (home / "demo.lock").read_text())[0])
        os.kill(terminal.pid if to_whom == "make" else launcher, signal.SIGTERM)
        terminal.status()
    wait_until(lambda: not is_alive(launcher), "the launcher's end")
    assert processes_on(home) == []


def test_a_terminal_that_is_closed_leaves_nothing_behind(home: Path, folder: Path, env: dict[str, str]) -> None:
    with running(folder, env) as terminal:
        terminal.hang_up()
        wait_until(lambda: processes_on(home) == [], "the end of all", 40)
        os.waitpid(terminal.pid, 0)
