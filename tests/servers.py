"""Real programs on free ports, for tests: the whole demo, a nats-server."""

import json
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = Path(sys.executable).parent
PORTS = (
    "EDGE_PORT",
    "EDGE_ADMIN_PORT",
    "CORE_PORT",
    "CORE_GRPC_PORT",
    "CORE_ADMIN_PORT",
    "NATS_PORT",
    "SHOP_PORT",
)


class ServerError(Exception):
    """A program that did not start, with the last lines it wrote."""


def free_ports(count: int) -> list[int]:
    """Below those that outgoing connections are given: a program that is restarted finds its own free again."""
    first_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    found: set[int] = set()
    while len(found) < count:
        port = random.SystemRandom().randrange(10_000, max(first_outgoing, 20_000))
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.add(port)
    return list(found)


def wait_until(holds: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    give_up_at = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > give_up_at:
            raise ServerError(f"not within {timeout_s:.0f} s: {what}")
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def program(command: list[str], log: Path, *, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own that is ended, children and all, when the block is left."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env, start_new_session=True
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@dataclass(slots=True)
class Demo:
    """The demo company as `make run` starts it; `env` is its demo.env."""

    home: Path
    log: Path
    env: dict[str, str] = field(default_factory=dict)
    _restarted: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.env["CA_CERT"])

    def client(self, *, key: str | None = None, timeout_s: float = 30.0) -> httpx2.Client:
        """Speaks to the edge as the company's own program does."""
        headers = {"Authorization": f"Bearer {key or self.env['API_KEY']}"}
        return httpx2.Client(
            base_url=self.env["EDGE_URL"], verify=self.tls, headers=headers, timeout=timeout_s, trust_env=False
        )

    def ask(self, text: str, conversation: str, *, wait_s: int = 10, customer: str = "c-test") -> dict[str, Any]:
        """The reply to one message through the API channel, with `message_id`, `turn_id` and `reply`."""
        with self.client() as client:
            answer = client.post(
                f"/v1/{self.env['TENANT']}/messages",
                json={"conversation": conversation, "customer": customer, "text": text},
                headers={"Prefer": f"wait={wait_s}"},
            )
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body

    def events_of(self, conversation: str, *, quiet_s: float = 0.5) -> list[dict[str, Any]]:
        """The messages and replies of a conversation so far: read until nothing more has come for `quiet_s`."""
        events = []
        path = f"/v1/{self.env['TENANT']}/conversations/{quote(conversation, safe='')}/events?after=0"
        with self.client(timeout_s=quiet_s) as client, suppress(httpx2.ReadTimeout):
            with client.stream("GET", path, timeout=httpx2.Timeout(20.0, read=quiet_s)) as stream:
                for line in stream.iter_lines():
                    if line.startswith("data: "):
                        events.append(json.loads(line.removeprefix("data: ")))
        return [event for event in events if event["type"] in ("message", "reply")]

    def command_of(self, pid_name: str) -> list[str]:
        """The command line of a program that runs, by its name in demo.env."""
        return Path(f"/proc/{self.env[pid_name]}/cmdline").read_bytes().decode().split("\0")[:-1]

    def kill_core(self) -> list[str]:
        """`kill -9`; returns the command line that starts it again."""
        return self._kill("CORE_PID")

    def kill_edge(self) -> list[str]:
        """`kill -9`; returns the command line that starts it again."""
        return self._kill("EDGE_PID")

    def start_core(self, command: list[str]) -> None:
        self._start(command, "core", "CORE_PID", self.env["CORE_ADMIN_URL"])

    def start_edge(self, command: list[str], *, until: str = "readyz") -> None:
        self._start(command, "edge", "EDGE_PID", self.env["EDGE_ADMIN_URL"], until)

    def _kill(self, pid_name: str) -> list[str]:
        pid, words = int(self.env[pid_name]), self.command_of(pid_name)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not is_alive(pid), f"the end of {pid_name}")
        return words

    def _start(self, command: list[str], name: str, pid_name: str, admin_url: str, until: str = "readyz") -> None:
        with (self.home / "logs" / f"{name}-again.log").open("ab") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        self._restarted.append(process)
        self.env[pid_name] = str(process.pid)
        wait_until(lambda: answers(f"{admin_url}/{until}"), f"the {name} again")

    def end_restarted(self) -> None:
        for process in self._restarted:
            process.terminate()
            process.wait(20)


@contextmanager
def demo(home: Path) -> Iterator[Demo]:
    """Ready when handed out, wholly ended afterwards. A first start in `home` loads the documents."""
    home.mkdir(parents=True, exist_ok=True)
    running = Demo(home, home / "run.log")
    ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    env = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")} | ports
    command = [sys.executable, str(ROOT / "demo" / "run.py"), "--home", str(home)]
    with program(command, running.log, env=env) as process:
        wait_until(lambda: is_ready(running.log) or process.poll() is not None, "the demo", 240)
        if process.poll() is not None:
            raise ServerError(running.log.read_text())
        running.env = read_env(home / "demo.env")
        try:
            yield running
        finally:
            running.end_restarted()


def is_ready(log: Path) -> bool:
    return any(line.startswith("ready") for line in log.read_text().splitlines())


def read_env(file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in file.read_text().splitlines())


def answers(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False


@dataclass(frozen=True, slots=True)
class NatsServer:
    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"


@contextmanager
def nats_server(folder: Path, *options: str) -> Iterator[NatsServer]:
    """JetStream in `folder`; `options` are nats-server's own, e.g. `-c FILE`."""
    port = free_ports(1)[0]
    log = folder / "nats.log"
    command = [str(PROGRAMS / "nats-server"), "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(folder), *options]
    with program(command, log) as process:
        wait_until(lambda: "Server is ready" in log.read_text() or process.poll() is not None, "nats-server")
        if process.poll() is not None:
            raise ServerError(log.read_text())
        yield NatsServer(port, process.pid)
