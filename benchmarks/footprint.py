"""How long the programs take to start, and how much memory the edge holds."""

import asyncio
import ssl
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import uvloop

from benchmarks.customers import enter_chat, no_greeting
from benchmarks.figures import Budget, Figure, Limit, Section, WrongAnswerError
from benchmarks.machine import MIB, resident_bytes
from benchmarks.posting import Door, Poster
from benchmarks.questions import GREETING
from benchmarks.sockets import Socket, open_socket
from benchmarks.stage import READY_WITHIN_S, Stage
from tests.servers import ServerError, program

STARTS = 3
CONVERSATIONS = 10_000
MOST_S = 60.0
"""A slow edge gets fewer of them."""
POSTERS = 16
SOCKETS = 500
SETTLE_S = 0.5

EDGE_READY = Budget("≤ 2 s", most=2.0)
EDGE_MEMORY = Budget("≤ 350 MiB", most=350.0)
SOCKET_MEMORY = Budget("≤ 64 KiB", most=64.0)


def measure(stage: Stage) -> list[Section]:
    door = _door(stage)
    stage.end_demo()
    took: dict[str, list[float]] = {"interpreter": [], "core": [], "edge": []}
    for _ in range(STARTS):
        with ExitStack() as running:
            took["interpreter"].append(_bare_interpreter())
            took["core"].append(stage.start("core", running)[1])
            edge_pid, seconds = stage.start("edge", running)
            took["edge"].append(seconds)
            if len(took["edge"]) == STARTS:
                memory = uvloop.run(_memory(stage, edge_pid, door))
    return [_starts(took), memory]


def _bare_interpreter() -> float:
    """A Python that serves an empty page: the libraries that every server of this stack loads."""
    began = time.perf_counter()
    code = "import uvicorn, uvloop, starlette.applications, pydantic, websockets, onnxruntime, grpc"
    with program([sys.executable, "-c", code], Path("/dev/null")) as process:
        if process.wait(READY_WITHIN_S):
            raise ServerError("the bare interpreter failed")
        return time.perf_counter() - began


def _starts(took: dict[str, list[float]]) -> Section:
    median = {name: statistics.median(seconds) for name, seconds in took.items()}
    limit = (Limit("importing the libraries", median["interpreter"]),)
    figures = (
        Figure("edge", median["edge"], "s", limit, EDGE_READY),
        Figure("core, its nats-server included", median["core"], "s", limit),
    )
    return Section(f"start to ready, median of {STARTS}", figures)


async def _memory(stage: Stage, pid: int, door: Door) -> Section:
    at_start = await _settled(pid)
    turns, took_s = await _converse(door)
    after = await _settled(pid)
    per_socket = await _per_socket(stage.chat_url, door.tls, enter_chat, pid)
    bare = stage.bare
    bare_socket = await _per_socket(f"wss://localhost:{bare.port}/echo", bare.tls, no_greeting, bare.pid)
    figures = (
        Figure("edge after its start, resident", at_start / MIB, "MiB", (), EDGE_MEMORY),
        Figure(
            f"edge after {turns:,} turns, as many conversations", after / MIB, "MiB", _bare_memory(stage), EDGE_MEMORY
        ),
        Figure("each open WebSocket", per_socket, "KiB", (Limit("bare uvicorn", bare_socket),), SOCKET_MEMORY),
    )
    note = f"the turns came over the HTTP API on {POSTERS} connections: {turns / took_s:,.0f} /s"
    return Section(f"memory; {SOCKETS} idle sockets", figures, (note,))


def _bare_memory(stage: Stage) -> tuple[Limit, ...]:
    return (Limit("bare server", resident_bytes(stage.bare.pid) / MIB),)


async def _converse(door: Door) -> tuple[int, float]:
    """Each turn is a conversation of its own, so that as many stand in the store. How many, in how many seconds."""
    left, began, done = iter(range(CONVERSATIONS)), time.perf_counter(), 0

    async def converse() -> None:
        nonlocal done
        poster = await Poster.open(door)
        for _ in left:
            answer = await poster.post(GREETING)
            if answer["reply"]["source"] != "rule":
                raise WrongAnswerError("a greeting was not answered by its rule")
            done += 1
            if time.perf_counter() - began > MOST_S:
                break
        await poster.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(POSTERS):
            group.create_task(converse())
    return done, time.perf_counter() - began


async def _per_socket(url: str, tls: ssl.SSLContext, greet: Callable[[Socket], Awaitable[None]], pid: int) -> float:
    """KiB, from the second half of the sockets: the first may find room that was free already."""
    async with AsyncExitStack() as sockets:
        sizes = []
        for _ in range(2):
            for _ in range(SOCKETS // 2):
                await greet(await sockets.enter_async_context(open_socket(url, tls)))
            sizes.append(await _settled(pid))
    return (sizes[1] - sizes[0]) / (SOCKETS / 2) / 1024


async def _settled(pid: int) -> int:
    await asyncio.sleep(SETTLE_S)
    return resident_bytes(pid)


def _door(stage: Stage) -> Door:
    env = stage.demo.env
    headers = f"Authorization: Bearer {env['API_KEY']}\r\nPrefer: wait=10\r\n"
    return Door("edge", stage.edge_port, f"/v1/{env['TENANT']}/messages", stage.demo.tls, headers, expected=200)
