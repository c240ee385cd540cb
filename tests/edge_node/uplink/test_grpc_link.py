"""The live link against a real gRPC server on loopback, with real certificates and a scripted service."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status

from edge_node.messages import HistoryItem, MaskedTurn
from edge_node.uplink.base import Answer, Sentence, UplinkEvent
from edge_node.uplink.grpc_link import GrpcLink, LinkFiles
from nearside.errors import UplinkError
from nearside.origins import Reason
from nearside.tls import make_local_ca
from nearside.v1 import turn_pb2, turn_pb2_grpc
from tests.servers import free_ports

pytestmark = pytest.mark.server

TURN = MaskedTurn("demo", "t_1", "ref", "how heavy?", "en", (HistoryItem("customer", "hi"),), 5.0)

Requests = AsyncIterator[turn_pb2.ConverseRequest]
Context = grpc.aio.ServicerContext[turn_pb2.ConverseRequest, turn_pb2.ConverseResponse]
ForgetContext = grpc.aio.ServicerContext[turn_pb2.ForgetRequest, turn_pb2.ForgetResponse]
Script = Callable[[Requests, Context], Awaitable[None]]


def response(**event: object) -> turn_pb2.ConverseResponse:
    return turn_pb2.ConverseResponse(tenant_id="demo", turn_id="t_1", **event)  # type: ignore[arg-type]


ACCEPTED = response(accepted=turn_pb2.Accepted())
FINAL = response(
    final=turn_pb2.Final(
        text="It weighs 2.9 kg.",
        outcome=turn_pb2.OUTCOME_GROUNDED,
        confidence=0.5,
        citations=[turn_pb2.Citation(title="Skua", uri="skua.md", quote="It weighs 2.9 kg.")],
        knowledge_version="7",
    )
)


class Scripted(turn_pb2_grpc.TurnServiceServicer):
    def __init__(self, script: Script) -> None:
        self._script = script
        self.forgotten: list[turn_pb2.ForgetRequest] = []

    async def Converse(self, request_iterator: Requests, context: Context) -> None:  # type: ignore[override]
        await self._script(request_iterator, context)

    async def Forget(self, request: turn_pb2.ForgetRequest, context: ForgetContext) -> turn_pb2.ForgetResponse:
        self.forgotten.append(request)
        if request.tenant_id != "demo":
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "customer's words")
        return turn_pb2.ForgetResponse(erased=len(request.turn_ids))


class Ground:
    """Certificates and a port; a core may come and go on it."""

    def __init__(self, folder: Path) -> None:
        self.port = free_ports(1)[0]
        ca = make_local_ca(folder / "ca.crt", folder / "ca.key", common_name="test")
        ca.issue_server(["localhost"]).write(folder / "server.crt", folder / "server.key")
        ca.issue_client("edge", ["urn:nearside:edge:edge"], days=2).write(folder / "edge.crt", folder / "edge.key")
        self.files = LinkFiles(folder / "ca.crt", folder / "edge.crt", folder / "edge.key")
        pair = ((folder / "server.key").read_bytes(), (folder / "server.crt").read_bytes())
        self._credentials = grpc.ssl_server_credentials([pair], ca.pem, require_client_auth=True)

    @asynccontextmanager
    async def core(self, script: Script) -> AsyncIterator[Scripted]:
        server, service = grpc.aio.server(), Scripted(script)
        turn_pb2_grpc.add_TurnServiceServicer_to_server(service, server)
        server.add_secure_port(f"127.0.0.1:{self.port}", self._credentials)
        await server.start()
        yield service
        await server.stop(0)

    @asynccontextmanager
    async def link(self) -> AsyncIterator[GrpcLink]:
        link = GrpcLink(f"localhost:{self.port}", self.files)
        yield link
        await link.close()


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


async def ask(link: GrpcLink) -> list[UplinkEvent]:
    return [event async for event in link.answer(TURN)]


async def reason_of(link: GrpcLink) -> Reason:
    with pytest.raises(UplinkError) as failed:
        await ask(link)
    return failed.value.reason


async def answer_well(requests: Requests, context: Context) -> None:
    start = await anext(requests)
    assert start.start.text == "how heavy?"
    assert [item.text for item in start.start.history] == ["hi"]
    await context.write(ACCEPTED)
    await context.write(response(delta=turn_pb2.Delta(revision=1, sequence=0, text="It weighs 2.9 kg.")))
    await context.write(FINAL)


async def test_sentences_come_as_they_are_made_then_the_answer(ground: Ground) -> None:
    async with ground.core(answer_well), ground.link() as link:
        sentence, answer = await ask(link)
    assert sentence == Sentence(1, 0, "It weighs 2.9 kg.")
    assert isinstance(answer, Answer)
    assert (answer.text, answer.grounded, answer.knowledge_version) == ("It weighs 2.9 kg.", True, "7")
    assert answer.citations[0].quote == "It weighs 2.9 kg."


async def test_the_stream_of_an_answered_turn_is_not_cancelled(ground: Ground) -> None:
    ended = asyncio.Event()

    async def until_the_edge_is_done(requests: Requests, context: Context) -> None:
        await answer_well(requests, context)
        assert [request async for request in requests] == []
        ended.set()

    async with ground.core(until_the_edge_is_done), ground.link() as link:
        await ask(link)
        async with asyncio.timeout(10):
            await ended.wait()


async def test_no_core_is_unreachable_and_one_that_comes_back_is_found(ground: Ground) -> None:
    async with ground.link() as link:
        assert await reason_of(link) is Reason.CORE_UNREACHABLE
        assert not await link.is_up()
        for _ in range(2):
            async with ground.core(answer_well):
                async with asyncio.timeout(10):
                    while not await link.is_up():  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
                assert len(await ask(link)) == 2
            assert await reason_of(link) is Reason.CORE_UNREACHABLE


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.CORE_OVERLOADED),
        (grpc.StatusCode.PERMISSION_DENIED, Reason.CORE_REFUSED),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Reason.CORE_DEADLINE),
        (grpc.StatusCode.FAILED_PRECONDITION, Reason.CORE_REFUSED),
        (grpc.StatusCode.INTERNAL, Reason.ENGINE_FAILED),
    ],
)
@pytest.mark.parametrize("accepts", [True, False])
async def test_a_refusal_becomes_its_reason(
    ground: Ground, code: grpc.StatusCode, reason: Reason, accepts: bool
) -> None:
    async def refuse(requests: Requests, context: Context) -> None:
        await anext(requests)
        if accepts:
            await context.write(ACCEPTED)
        await context.abort(code, "customer's words")

    async with ground.core(refuse), ground.link() as link:
        with pytest.raises(UplinkError) as failed:
            await ask(link)
    assert failed.value.reason is reason
    assert "customer's words" not in str(failed.value)


async def test_a_core_that_accepts_nothing_is_given_up(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_node.uplink.grpc_link.ACCEPTED_S", 0.1)

    async def sleep(requests: Requests, context: Context) -> None:
        await anext(requests)
        await asyncio.sleep(30)

    async with ground.core(sleep), ground.link() as link:
        assert await reason_of(link) is Reason.CORE_UNREACHABLE


@pytest.mark.parametrize(("says_why", "reason"), [(True, Reason.ENGINE_FAILED), (False, Reason.CORE_UNREACHABLE)])
async def test_a_core_that_says_why_it_cannot_is_not_away(ground: Ground, says_why: bool, reason: Reason) -> None:
    """A company's damaged file there must not look as if the core were gone for all companies."""
    packed = any_pb2.Any()
    packed.Pack(error_details_pb2.ErrorInfo(reason="STORE_FAILED", domain="nearside"))
    status = status_pb2.Status(code=grpc.StatusCode.UNAVAILABLE.value[0], details=[packed] if says_why else [])

    async def refuse(requests: Requests, context: Context) -> None:
        await anext(requests)
        await context.write(ACCEPTED)
        metadata = rpc_status.to_status(status).trailing_metadata if says_why else ()
        await context.abort(grpc.StatusCode.UNAVAILABLE, "", metadata)

    async with ground.core(refuse), ground.link() as link:
        assert await reason_of(link) is reason


@pytest.mark.parametrize("first_s", [0.1, None])
async def test_a_core_without_a_first_sentence_in_time_is_given_up_unless_nobody_waits_for_one(
    ground: Ground, first_s: float | None
) -> None:
    async def think(requests: Requests, context: Context) -> None:
        await anext(requests)
        await context.write(ACCEPTED)
        await asyncio.sleep(0.5)
        await context.write(FINAL)

    turn = replace(TURN, first_s=first_s)
    async with ground.core(think), ground.link() as link:
        try:
            events = [event async for event in link.answer(turn)]
        except UplinkError as error:
            assert (error.reason, first_s) == (Reason.CORE_DEADLINE, 0.1)
        else:
            assert len(events) == 1 and first_s is None


async def test_only_the_first_sentence_must_come_in_that_time(ground: Ground) -> None:
    async def hesitate(requests: Requests, context: Context) -> None:
        await anext(requests)
        await context.write(ACCEPTED)
        await context.write(response(delta=turn_pb2.Delta(revision=1, sequence=0, text="It weighs 2.9 kg.")))
        await asyncio.sleep(0.5)
        await context.write(FINAL)

    async with ground.core(hesitate), ground.link() as link:
        assert len([event async for event in link.answer(replace(TURN, first_s=0.3))]) == 2


@pytest.mark.parametrize("frames", [[FINAL], [ACCEPTED, ACCEPTED], [ACCEPTED], [ACCEPTED, response()]])
async def test_a_core_that_breaks_the_order_is_a_failed_engine(
    ground: Ground, frames: list[turn_pb2.ConverseResponse]
) -> None:
    async def disorderly(requests: Requests, context: Context) -> None:
        await anext(requests)
        for frame in frames:
            await context.write(frame)

    async with ground.core(disorderly), ground.link() as link:
        assert await reason_of(link) is Reason.ENGINE_FAILED


async def test_a_turn_that_is_abandoned_is_cancelled_at_the_core(ground: Ground) -> None:
    cancelled = asyncio.Event()

    async def wait(requests: Requests, context: Context) -> None:
        await anext(requests)
        await context.write(ACCEPTED)
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with ground.core(wait), ground.link() as link:
        asking = asyncio.create_task(ask(link))
        await asyncio.sleep(0.3)
        asking.cancel()
        async with asyncio.timeout(10):
            await cancelled.wait()


async def test_turns_are_forgotten_at_the_core(ground: Ground) -> None:
    async with ground.core(answer_well) as core, ground.link() as link:
        await link.forget("demo", ["t_1", "t_2"])
    assert core.forgotten == [turn_pb2.ForgetRequest(tenant_id="demo", turn_ids=["t_1", "t_2"])]


async def test_forgetting_fails_with_a_reason_where_the_core_is_away_or_refuses(ground: Ground) -> None:
    async with ground.link() as link:
        with pytest.raises(UplinkError) as away:
            await link.forget("demo", ["t_1"])
        async with ground.core(answer_well):
            async with asyncio.timeout(10):
                while not await link.is_up():  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            with pytest.raises(UplinkError) as refused:
                await link.forget("other", ["t_1"])
    assert (away.value.reason, refused.value.reason) == (Reason.CORE_UNREACHABLE, Reason.CORE_REFUSED)
    assert "customer's words" not in str(refused.value)
