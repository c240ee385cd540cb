"""A turn that the core answers: what edge, link and core add to the time that search and engine take."""

import asyncio
import itertools
import json
import time
from dataclasses import dataclass, field
from typing import Any

import grpc
import uvloop

from benchmarks.bare import METHOD
from benchmarks.customers import PATIENCE_S, edge_turn, enter_chat, message
from benchmarks.fast import edge_subject, expect
from benchmarks.figures import Budget, Figure, Limit, Section, WrongAnswerError, percentile
from benchmarks.questions import DOCUMENT_QUESTIONS, GREETING
from benchmarks.sockets import Socket, open_socket
from benchmarks.stage import Bare, Stage
from edge_node.messages import MaskedTurn
from edge_node.uplink.base import Answer
from edge_node.uplink.grpc_link import GrpcLink, LinkFiles
from nearside.ids import new_id
from nearside.lexical import language_of
from nearside.v1 import turn_pb2

WARM_UP = 12
TURNS = 120
REQUEST = bytes(300)
TIMES_BARE = 5
ADDED_MS = 8.0


@dataclass(slots=True)
class Took:
    """Seconds, turn by turn; the four of one place belong to the same question, asked in turn."""

    bare: list[float] = field(default_factory=list)
    linked: list[float] = field(default_factory=list)
    at_work: list[float] = field(default_factory=list)
    """What search and engine took of `linked`, as the core says."""
    whole: list[float] = field(default_factory=list)


def measure(stage: Stage) -> list[Section]:
    return uvloop.run(_measure(stage))


async def _measure(stage: Stage) -> list[Section]:
    subject = edge_subject(stage, "forwarded", (), expect("core"))
    link, took = TimedLink(stage), Took()
    channel = _bare_channel(stage.bare)
    try:
        async with asyncio.timeout(5 * PATIENCE_S), open_socket(subject.url, subject.tls) as socket:
            await enter_chat(socket)
            await edge_turn(socket, message(GREETING))  # what follows something is not kept in the answer cache
            for text in itertools.islice(itertools.cycle(DOCUMENT_QUESTIONS), WARM_UP):
                await _one(channel, link, socket, text, Took())
            for text in itertools.islice(itertools.cycle(DOCUMENT_QUESTIONS), TURNS):
                await _one(channel, link, socket, text, took)
    except TimeoutError:
        raise WrongAnswerError("forwarded turns are not answered in time") from None
    finally:
        await channel.close()
        await link.close()
    return [_section(took)]


async def _one(channel: grpc.aio.Channel, link: "TimedLink", socket: Socket, text: str, took: Took) -> None:
    began = time.perf_counter()
    await _exchange(channel)
    exchanged = time.perf_counter()
    at_work = await link.ask(text)
    linked = time.perf_counter()
    frame = await edge_turn(socket, message(text))
    took.whole.append(time.perf_counter() - linked)
    took.bare.append(exchanged - began)
    took.linked.append(linked - exchanged)
    took.at_work.append(at_work)
    expect("core")(text, frame)
    if not json.loads(frame)["citations"]:
        raise WrongAnswerError(f'"{text}" was answered without a citation')


def _section(took: Took) -> Section:
    added_by_link = [all_of_it - at_work for all_of_it, at_work in zip(took.linked, took.at_work, strict=True)]
    added = [all_of_it - at_work for all_of_it, at_work in zip(took.whole, took.at_work, strict=True)]
    figures = []
    for share in (50, 99):
        bare = Limit("bare gRPC stream", percentile(took.bare, share))
        most = min(ADDED_MS, TIMES_BARE * bare.value)
        told = f"≤ {ADDED_MS:.0f} ms, ≤ {TIMES_BARE} × bare"
        for name, values, budget in (
            ("bare gRPC stream: open, 1 up, 2 down", took.bare, None),
            ("search and engine, as the core says", took.at_work, None),
            ("link + core, whole", took.linked, None),
            ("link + core add", added_by_link, None),
            ("customer to customer, whole", took.whole, None),
            ("edge + link + core add", added, Budget(told, most=most) if share == 50 else None),
        ):
            limits = () if values is took.bare or values is took.at_work else (bare,)
            figures.append(Figure(f"{name}, p{share}", percentile(values, share), "ms", limits, budget))
    return Section(f"forwarded turns, one after the other ({TURNS} document questions)", tuple(figures))


class TimedLink:
    """The edge's own link, and what the core says about its time, which the link does not hand on."""

    def __init__(self, stage: Stage) -> None:
        env, core = stage.demo.env, stage.edge.core
        self._link = GrpcLink(core.address, LinkFiles(core.ca, core.cert, core.key))
        self._stub = self._link._stub = _ListeningStub(self._link._stub)  # type: ignore[assignment]
        self._tenant = env["TENANT"]

    async def ask(self, text: str) -> float:
        """Returns the seconds that search and engine took."""
        turn = MaskedTurn(self._tenant, new_id("t"), "bench", text, language_of(text), (), PATIENCE_S)
        async for event in self._link.answer(turn):
            if isinstance(event, Answer) and not (event.grounded and event.citations):
                raise WrongAnswerError(f'the core has no answer to "{text}"')
        timing = self._stub.final.timing
        return (timing.retrieval.ToTimedelta() + timing.engine.ToTimedelta()).total_seconds()

    async def close(self) -> None:
        await self._link.close()


class _ListeningStub:
    def __init__(self, stub: Any) -> None:
        self._stub = stub
        self.final = turn_pb2.Final()

    def Converse(self, **options: Any) -> "_ListeningCall":
        return _ListeningCall(self._stub.Converse(**options), self)


class _ListeningCall:
    def __init__(self, call: Any, listener: _ListeningStub) -> None:
        self._call, self._listener = call, listener

    async def read(self) -> Any:
        response = await self._call.read()
        if isinstance(response, turn_pb2.ConverseResponse) and response.HasField("final"):
            self._listener.final = response.final
        return response

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)


def _bare_channel(bare: Bare) -> grpc.aio.Channel:
    ca, cert, key = ((bare.folder / name).read_bytes() for name in ("ca.crt", "client.crt", "client.key"))
    return grpc.aio.secure_channel(f"localhost:{bare.rpc_port}", grpc.ssl_channel_credentials(ca, key, cert))


async def _exchange(channel: grpc.aio.Channel) -> None:
    call: grpc.aio.StreamStreamCall[bytes, bytes] = channel.stream_stream(METHOD)()
    await call.write(REQUEST)
    for _ in range(2):
        if not isinstance(await call.read(), bytes):
            raise WrongAnswerError("the bare gRPC stream does not answer")
    await call.done_writing()
    call.cancel()
