"""From an empty folder to a running company. What an earlier run has done is not done again."""

import asyncio
import json
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from demo.launch.children import Child, Children, run_step
from demo.launch.errors import LaunchError
from demo.launch.places import Memory, Places, fingerprint
from demo.launch.ports import Ports
from demo.launch.terminal import Board
from demo.launch.tomledit import set_keys, write_private

TENANT = "demo"
EDGE = "demo-edge"
READY_S = 60.0
# the demo is where people measure: its edge takes what the machine can
UNHURRIED = {
    "limits.customer_per_s": 1_000.0,
    "limits.customer_burst": 2_000,
    "limits.tenant_per_s": 20_000.0,
    "limits.tenant_burst": 40_000,
}
CERTIFICATES_S = 7 * 86_400.0  # `init` renews what runs out within a month: asking weekly is enough


class Company:
    def __init__(self, places: Places, ports: Ports, board: Board) -> None:
        self._places, self._ports, self._board = places, ports, board
        self._memory = Memory(places.home / "memory.json")
        self._programs = Path(sys.executable).parent

    async def start(self, children: Children) -> None:
        shop = asyncio.create_task(self._start_shop(children))
        with self._board.step("settings and certificates"):
            await together(self._prepare_core(), self._prepare_edge())
            await self._add_tenant()
            await together(self._issue_link(), self._add_api_key())
        await together(self._add_documents(), self._add_pack())
        core, edge, _ = await together(self._start_core(children), self._start_edge(children), shop)
        write_private(self._places.env, self._env(core, edge))

    @property
    def chat(self) -> str:
        return f"{self._edge_url}/chat/{TENANT}"

    async def _prepare_core(self) -> None:
        core, ports = self._places.core, self._ports
        if not (core / "core.toml").exists():
            self._memory.forget("core", "tenant", "link", "documents", "pack")
        await self._weekly("core", "cloud-core", "init", core)
        set_keys(
            core / "core.toml",
            {
                "https.port": ports.core,
                "grpc.port": ports.core_grpc,
                "admin.port": ports.core_admin,
                "nats.port": ports.nats,
            },
        )

    async def _prepare_edge(self) -> None:
        edge, ports = self._places.edge, self._ports
        if not (edge / "edge.toml").exists():
            self._memory.forget("edge", "link", "api_key", "pack")
        await self._weekly("edge", "edge-node", "init", edge)
        self._places.lay_out_content(f"http://127.0.0.1:{ports.shop}")
        set_keys(
            edge / "edge.toml",
            {
                "https.port": ports.edge,
                "admin.port": ports.edge_admin,
                "core.address": f"127.0.0.1:{ports.core_grpc}",
                "tenants": {TENANT: {"content": str(self._places.content)}},
                **UNHURRIED,
            },
        )

    async def _add_tenant(self) -> None:
        if not self._memory.get("tenant"):
            await self._run("cloud-core", "tenant", "add", TENANT, "--name", self._places.company_name())
            self._memory.put("tenant", True)

    async def _issue_link(self) -> None:
        folder = self._places.edge / "link"
        await self._weekly("link", "cloud-core", "edge", "issue", EDGE, "--tenant", TENANT, "--out", folder)

    async def _weekly(self, step: str, program: str, *words: str | Path) -> None:
        if time.time() - (self._memory.get(step) or 0.0) > CERTIFICATES_S:
            await self._run(program, *words)
            self._memory.put(step, time.time())

    async def _add_api_key(self) -> None:
        if not self._memory.get("api_key"):
            answer = await self._run("edge-node", "apikey", "add", "--tenant", TENANT, "--name", "demo", "--json")
            self._memory.put("api_key", json.loads(answer)["key"])

    async def _add_documents(self) -> None:
        folder = self._places.root / "demo" / "documents"
        print_now = fingerprint(folder)
        if self._memory.get("documents") != print_now:
            with self._board.step("documents into the knowledge base"):
                await self._run("cloud-core", "kb", "add", "--publish", "--mirror", "--tenant", TENANT, folder)
            self._memory.put("documents", print_now)

    async def _add_pack(self) -> None:
        print_now = self._places.pack_fingerprint()
        if self._memory.get("pack") != print_now:
            with self._board.step("answers into a pack"):
                content = self._places.content
                told = await self._run(
                    "cloud-core", "pack", "build", "--tenant", TENANT, "--content", content, "--json"
                )
                await self._run("edge-node", "pack", "install", json.loads(told)["file"], "--tenant", TENANT)
            self._memory.put("pack", print_now)

    async def _start_shop(self, children: Children) -> None:
        with self._board.step("shop API"):
            script = self._places.root / "demo" / "shop_api.py"
            database = self._places.home / "shop.db"
            command: list[str | Path] = [sys.executable, script, "--port", str(self._ports.shop)]
            command += ["--database", database]
            shop = await children.start("the shop's API", "shop", command, self._places.root)
            await answering(shop, self._ports.shop, "/healthz")

    async def _start_core(self, children: Children) -> Child:
        with self._board.step("core"):
            core = await children.start("the core", "core", self._serve("cloud-core"), self._places.root)
            await answering(core, self._ports.core_admin, "/readyz")
        return core

    async def _start_edge(self, children: Children) -> Child:
        with self._board.step("edge"):
            edge = await children.start("the edge", "edge", self._serve("edge-node"), self._places.root)
            await answering(edge, self._ports.edge_admin, "/readyz")
        return edge

    def _settings(self, program: str) -> list[str | Path]:
        file = self._places.core / "core.toml" if program == "cloud-core" else self._places.edge / "edge.toml"
        return ["--config", file]

    def _serve(self, program: str) -> list[str | Path]:
        return [self._programs / program, "serve", *self._settings(program)]

    async def _run(self, program: str, *words: str | Path) -> str:
        command = [self._programs / program, *words]
        if words[0] != "init":
            command += self._settings(program)
        return await run_step(command, self._places.root, self._places.logs / "setup.log")

    @property
    def _edge_url(self) -> str:
        return f"https://localhost:{self._ports.edge}"

    def _env(self, core: Child, edge: Child) -> str:
        ports = self._ports
        values = {
            "EDGE_URL": self._edge_url,
            "EDGE_ADMIN_URL": f"http://127.0.0.1:{ports.edge_admin}",
            "CORE_URL": f"https://localhost:{ports.core}",
            "CORE_ADMIN_URL": f"http://127.0.0.1:{ports.core_admin}",
            "SHOP_URL": f"http://127.0.0.1:{ports.shop}",
            "API_KEY": self._memory.get("api_key"),
            "CA_CERT": self._places.bundle_authorities(),
            "TENANT": TENANT,
            "EDGE_PID": edge.pid,
            "CORE_PID": core.pid,
        }
        return "".join(f"{name}={value}\n" for name, value in values.items())


async def answering(child: Child, port: int, path: str) -> None:
    """Returns when `path` answers 200; a child that ends first is an error with the last thing it said."""
    give_up_at = time.monotonic() + READY_S
    while child.process.returncode is None:
        if await status_of(port, path) == 200:
            return
        if time.monotonic() > give_up_at:
            raise LaunchError(f"{child.name} is not ready after {READY_S:.0f} s: see {child.log}")
        await asyncio.sleep(0.05)
    raise LaunchError(f"{child.name} did not start: {child.last_line()} (more in {child.log})")


async def status_of(port: int, path: str) -> int:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        line = (await reader.readline()).split()
        writer.close()
    except OSError:
        return 0
    return int(line[1]) if len(line) > 1 and line[1].isdigit() else 0


async def together(*work: Coroutine[Any, Any, Any] | asyncio.Task[Any]) -> list[Any]:
    """All at once; the first failure cancels the rest and comes out as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(awaited(one)) for one in work]
    except BaseExceptionGroup as failures:
        raise first_leaf(failures) from None
    return [task.result() for task in tasks]


async def awaited(one: Coroutine[Any, Any, Any] | asyncio.Task[Any]) -> Any:
    return await one


def first_leaf(error: BaseException) -> BaseException:
    return first_leaf(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
