"""How long an edge with a long past takes to serve again, and to end what its stop had left open."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

import httpx2

from benchmarks.figures import Budget, Figure, Limit, Section
from benchmarks.filling import MESSAGES_EACH, fill
from benchmarks.questions import GREETING
from benchmarks.stage import Stage
from edge_node.messages import Inbound
from edge_node.storage.places import tenant_folder
from edge_node.storage.store import TenantStore
from nearside.sealing import KeyRing
from tests.servers import ServerError

CONVERSATIONS = 100_000
OPEN_TURNS = 1_000
GIVE_UP_S = 60.0


def measure(stage: Stage) -> list[Section]:
    tenant_id = stage.demo.env["TENANT"]
    stage.end_demo()
    folder = tenant_folder(stage.edge.data, tenant_id)
    key = KeyRing(stage.edge.node_key, stage.edge.name).tenant_key(folder, tenant_id)
    file = folder / "edge.db"
    empty_ready, empty_ended = _recover(stage, file, key, "before")
    fill(file, key, CONVERSATIONS * MESSAGES_EACH)
    ready, ended = _recover(stage, file, key, "after")
    budget = Budget("≤ 2 s", most=2.0)
    figures = (
        Figure("start to ready", ready, "s", (Limit("a young store", empty_ready),), budget),
        Figure(f"ready to {OPEN_TURNS:,} open turns ended", ended, "s", (Limit("a young store", empty_ended),), budget),
    )
    note = f"{CONVERSATIONS * MESSAGES_EACH:,} messages, {file.stat().st_size / 1e6:,.0f} MB"
    return [Section(f"recovery with {CONVERSATIONS:,} stored conversations", figures, (note,))]


def _recover(stage: Stage, file: Path, key: bytes, name: str) -> tuple[float, float]:
    """Seconds to readiness, and from there until nothing is open."""
    asyncio.run(_with_store(file, key, lambda store: _leave_open(store, name)))
    with ExitStack() as running:
        _, ready = stage.start("edge", running)
        began = time.perf_counter()
        metrics = f"http://127.0.0.1:{stage.edge.admin.port}/metrics"
        with httpx2.Client(timeout=5, trust_env=False) as client:
            while _queued(client.get(metrics).text):
                if time.perf_counter() - began > GIVE_UP_S:
                    raise ServerError("the open turns do not end")
                time.sleep(0.02)
        return ready, time.perf_counter() - began


async def _with_store(file: Path, key: bytes, work: Callable[[TenantStore], Awaitable[None]]) -> None:
    store = await TenantStore.open(file, key)
    try:
        await work(store)
    finally:
        await store.close()


async def _leave_open(store: TenantStore, name: str) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(OPEN_TURNS):
            thread = f"{name}-{number}"
            message = Inbound("api", "default", thread, thread, thread, GREETING)
            group.create_task(store.accept(message, time.time()))


def _queued(metrics: str) -> float:
    lines = (line for line in metrics.splitlines() if line.startswith('nearside_inbox_turns{status="queued"'))
    return sum(float(line.rpartition(" ")[2]) for line in lines)
