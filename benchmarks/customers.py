"""Customers on WebSockets over TLS: as many as wanted, as fast as they are answered or at a fixed rate."""

import asyncio
import json
import ssl
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from benchmarks.figures import WrongAnswerError, percentile
from benchmarks.machine import cpu_seconds
from benchmarks.sockets import Socket, open_socket

PATIENCE_S = 30.0
REPLY = '{"type":"reply"'
CAUGHT_UP = '{"type":"event","event":"caught_up"}'
HELLO = json.dumps({"type": "hello", "v": 1, "lang": "en"})

Turn = Callable[[Socket, str], Awaitable[str]]


async def edge_turn(socket: Socket, frame: str) -> str:
    """The reply's frame; what comes before it is read and let go."""
    await socket.send(frame)
    return await socket.recv(REPLY)


async def echo_turn(socket: Socket, frame: str) -> str:
    await socket.send(frame)
    return await socket.recv()


async def enter_chat(socket: Socket) -> None:
    await socket.send(HELLO)
    await socket.recv(CAUGHT_UP)


async def no_greeting(_socket: Socket) -> None:
    return


@dataclass(frozen=True, slots=True)
class Subject:
    """A server under load. `check` raises WrongAnswerError for a reply that does not answer its question."""

    name: str
    url: str
    tls: ssl.SSLContext
    pid: int
    texts: Iterator[str]
    turn: Turn = echo_turn
    greet: Callable[[Socket], Awaitable[None]] = no_greeting
    check: Callable[[str, str], None] = lambda text, reply: None


@dataclass(slots=True)
class Load:
    """What came of it; grows with each interval. Latencies in seconds."""

    latencies: list[float] = field(default_factory=list)
    elapsed_s: float = 0.0
    cpu_s: float = 0.0
    client_cpu_s: float = 0.0

    @property
    def per_s(self) -> float:
        return len(self.latencies) / self.elapsed_s

    @property
    def cpu_ms(self) -> float:
        """Processor time of the server for one turn."""
        return self.cpu_s / len(self.latencies) * 1000

    @property
    def client_cpu_ms(self) -> float:
        """That of the customers, who share the processor with the server."""
        return self.client_cpu_s / len(self.latencies) * 1000

    def percentile(self, share: float) -> float:
        return percentile(self.latencies, share)


Answered = list[tuple[str, str]]
Customer = Callable[[int, Socket, Answered], Coroutine[Any, Any, None]]


async def as_fast_as_answered(subject: Subject, connections: int, seconds: float, load: Load) -> None:
    """Each customer asks again as soon as it is answered."""

    async def customer(number: int, socket: Socket, answered: Answered) -> None:
        while time.perf_counter() < ends_at:
            text = next(subject.texts)
            began = time.perf_counter()
            reply = await subject.turn(socket, message(text))
            load.latencies.append(time.perf_counter() - began)
            answered.append((text, reply))

    async with _Crowd(subject, connections) as crowd:
        ends_at = time.perf_counter() + seconds
        await crowd.run(customer, seconds, load)


async def until_asked(subject: Subject, connections: int, load: Load) -> None:
    """As fast as they are answered, until every text was asked once."""

    async def customer(number: int, socket: Socket, answered: Answered) -> None:
        for text in subject.texts:
            began = time.perf_counter()
            reply = await subject.turn(socket, message(text))
            load.latencies.append(time.perf_counter() - began)
            answered.append((text, reply))

    async with _Crowd(subject, connections) as crowd:
        await crowd.run(customer, 0.0, load)


async def at_rate(subject: Subject, connections: int, per_s: float, seconds: float, load: Load) -> None:
    """Customers take turns. A turn's latency counts from when it was due, not from when its socket was free."""

    async def customer(number: int, socket: Socket, answered: Answered) -> None:
        for place in range(number, int(per_s * seconds), connections):
            due = began_at + place / per_s
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            text = next(subject.texts)
            answered.append((text, await subject.turn(socket, message(text))))
            load.latencies.append(time.perf_counter() - due)

    async with _Crowd(subject, connections) as crowd:
        began_at = time.perf_counter() + 0.05
        await crowd.run(customer, seconds, load)


class _Crowd:
    """Open sockets to one subject, past their greeting."""

    def __init__(self, subject: Subject, connections: int) -> None:
        self._subject, self._connections = subject, connections
        self._sockets: list[Socket] = []
        self._open = AsyncExitStack()

    async def __aenter__(self) -> "_Crowd":
        for _ in range(self._connections):
            socket = await self._open.enter_async_context(open_socket(self._subject.url, self._subject.tls))
            await self._subject.greet(socket)
            self._sockets.append(socket)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def run(self, customer: Customer, seconds: float, load: Load) -> None:
        answered: Answered = []
        cpu_before, client_before, began = cpu_seconds(self._subject.pid), time.process_time(), time.perf_counter()
        try:
            async with asyncio.timeout(seconds + PATIENCE_S), asyncio.TaskGroup() as group:
                for number, socket in enumerate(self._sockets):
                    group.create_task(customer(number, socket, answered))
        except TimeoutError:
            raise WrongAnswerError(f"{self._subject.name}: no answer within {PATIENCE_S:.0f} s") from None
        load.elapsed_s += time.perf_counter() - began
        load.cpu_s += cpu_seconds(self._subject.pid) - cpu_before
        load.client_cpu_s += time.process_time() - client_before
        for text, reply in answered:
            self._subject.check(text, reply)


def message(text: str) -> str:
    return json.dumps({"type": "message", "id": f"{time.perf_counter_ns():x}", "text": text}, ensure_ascii=False)
