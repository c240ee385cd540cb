"""The programs that benchmarks need, each started when it is first asked for."""

import json
import os
import ssl
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import httpx2

from cloud_core import settings as core_settings
from edge_node import settings as edge_settings
from edge_node.settings import EdgeSettings
from nearside.tls import client_context
from tests import servers

WITHOUT_RATES = {
    "EDGE__LIMITS__CUSTOMER_PER_S": "100000",
    "EDGE__LIMITS__CUSTOMER_BURST": "100000",
    "EDGE__LIMITS__TENANT_PER_S": "100000",
    "EDGE__LIMITS__TENANT_BURST": "100000",
}
"""One client stands for thousands of customers."""
READY_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Bare:
    """`benchmarks.bare`, running."""

    folder: Path
    port: int
    rpc_port: int
    pid: int

    @property
    def tls(self) -> ssl.SSLContext:
        return client_context(self.folder / "ca.crt")


class Stage:
    def __init__(self, home: Path) -> None:
        self.home = home
        self._bare: Bare | None = None
        self._demo: servers.Demo | None = None
        self._of_bare, self._of_demo = ExitStack(), ExitStack()

    def __enter__(self) -> Self:
        os.environ.update(WITHOUT_RATES)
        return self

    def __exit__(self, *_: object) -> None:
        self.end_demo()
        self._of_bare.close()

    @property
    def demo(self) -> servers.Demo:
        """The demo company. A first start loads its documents."""
        if self._demo is None:
            (self.home / "demo" / "run.log").unlink(missing_ok=True)  # an earlier start is called ready there
            self._demo = self._of_demo.enter_context(servers.demo(self.home / "demo"))
        return self._demo

    def end_demo(self) -> None:
        self._of_demo.close()
        self._demo = None

    @property
    def edge(self) -> EdgeSettings:
        """The edge's settings in the demo; they stay when the demo is ended."""
        return edge_settings.load(self.home / "demo" / "edge" / "edge.toml")

    @property
    def edge_port(self) -> int:
        return self.edge.https.port

    @property
    def chat_url(self) -> str:
        return f"wss://localhost:{self.edge_port}/v1/{next(iter(self.edge.tenants))}/chat"

    def serve_command(self, which: Literal["edge", "core"]) -> tuple[list[str], str]:
        """What starts the demo's edge or core alone, and where it says that it is ready."""
        file = self.home / "demo" / which / f"{which}.toml"
        if which == "edge":
            program, port = "edge-node", edge_settings.load(file).admin.port
        else:
            program, port = "cloud-core", core_settings.load(file).admin.port
        return [str(servers.PROGRAMS / program), "serve", "--config", str(file)], f"http://127.0.0.1:{port}/readyz"

    def start(self, which: Literal["edge", "core"], running: ExitStack) -> tuple[int, float]:
        """Start one of them alone; its process id, and the seconds from its command line to its readiness."""
        command, ready_url = self.serve_command(which)
        log = self.home / f"{which}.log"
        began = time.perf_counter()
        process = running.enter_context(servers.program(command, log))
        ready_within(ready_url, process, log)
        return process.pid, time.perf_counter() - began

    @property
    def bare(self) -> Bare:
        if self._bare is None:
            self._bare = self._start_bare()
        return self._bare

    def _start_bare(self) -> Bare:
        folder = self.home / "bare"
        folder.mkdir(parents=True)
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.bare", str(folder)],
            cwd=servers.ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdin and process.stdout
        self._of_bare.enter_context(process)
        self._of_bare.callback(process.stdin.close)
        return Bare(folder, pid=process.pid, **json.loads(process.stdout.readline()))


def ready_within(url: str, process: "subprocess.Popen[bytes]", log: Path, seconds: float = READY_WITHIN_S) -> None:
    """Raises ServerError with the end of its log."""
    ends_at = time.perf_counter() + seconds
    with httpx2.Client(timeout=2, trust_env=False) as client:
        while not _is_ready(client, url):
            if process.poll() is not None or time.perf_counter() > ends_at:
                raise servers.ServerError(log.read_text()[-300:])
            time.sleep(0.01)


def _is_ready(client: httpx2.Client, url: str) -> bool:
    try:
        return client.get(url).status_code == 200
    except httpx2.TransportError:
        return False
