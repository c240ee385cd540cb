"""The live link: one HTTP/2 channel with mutual TLS, one bidirectional stream per turn."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import grpc
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status

from edge_node.messages import Citation, MaskedTurn, Role
from edge_node.uplink.base import Answer, Sentence, UplinkEvent
from nearside.errors import SettingsError, UplinkError
from nearside.origins import Reason
from nearside.v1 import turn_pb2, turn_pb2_grpc

REACH_S = 1.0
"""How long a turn looks for a core that does not answer the connection …"""
REACH_AGAIN_S = 0.4
"""… and how long once that was in vain: a little over the time between two attempts."""
AT_ONCE = 256
"""Turns at the core at a time; more wait here, and hold up nothing but themselves."""
ACCEPTED_S = 2.0
"""How long the core may take to say `Accepted`."""
FORGET_S = 10.0
"""How long the core may take to erase a batch of turns."""

_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 250),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 2_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_receive_message_length", 1 << 20),
)
_ROLES = {
    "customer": turn_pb2.ROLE_CUSTOMER,
    "assistant": turn_pb2.ROLE_ASSISTANT,
    "agent": turn_pb2.ROLE_AGENT,
}
_STATUS_REASONS = {
    grpc.StatusCode.UNAVAILABLE: Reason.CORE_UNREACHABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: Reason.CORE_DEADLINE,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Reason.CORE_OVERLOADED,
    grpc.StatusCode.PERMISSION_DENIED: Reason.CORE_REFUSED,
    grpc.StatusCode.UNAUTHENTICATED: Reason.CORE_REFUSED,
    grpc.StatusCode.NOT_FOUND: Reason.CORE_REFUSED,
    grpc.StatusCode.INVALID_ARGUMENT: Reason.CORE_REFUSED,
    grpc.StatusCode.FAILED_PRECONDITION: Reason.CORE_REFUSED,
}

Call = grpc.aio.StreamStreamCall[turn_pb2.ConverseRequest, turn_pb2.ConverseResponse]


@dataclass(frozen=True, slots=True)
class LinkFiles:
    """PEM files: the core's CA, this edge's certificate and its key."""

    ca: Path
    certificate: Path
    key: Path

    def credentials(self) -> grpc.ChannelCredentials:
        try:
            ca, certificate, key = (file.read_bytes() for file in (self.ca, self.certificate, self.key))
        except OSError as error:
            raise SettingsError(
                f"a certificate of the link cannot be read: {error.strerror}",
                where=str(error.filename),
                hint="get one from the core's operator (`cloud-core edge issue`)",
            ) from None
        return grpc.ssl_channel_credentials(ca, key, certificate)


class GrpcLink:
    def __init__(self, address: str, files: LinkFiles) -> None:
        self._channel = grpc.aio.secure_channel(address, files.credentials(), options=_OPTIONS)
        self._stub = turn_pb2_grpc.TurnServiceStub(self._channel)
        self._ending: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._connected = asyncio.Event()
        self._was_refused = False
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        await self._channel.close()

    async def is_up(self) -> bool:
        try:
            await self._reach(REACH_S)
        except UplinkError:
            return False
        return True

    async def answer(self, turn: MaskedTurn) -> AsyncGenerator[UplinkEvent]:
        async with self._places, aclosing(self._converse(turn)) as events:
            async for event in events:
                yield event

    async def forget(self, tenant_id: str, turn_ids: Sequence[str]) -> None:
        await self._reach(REACH_S)
        request = turn_pb2.ForgetRequest(tenant_id=tenant_id, turn_ids=turn_ids)
        try:
            await self._stub.Forget(request, timeout=FORGET_S)
        except grpc.aio.AioRpcError as error:
            raise _uplink_error(error) from None

    async def _converse(self, turn: MaskedTurn) -> AsyncGenerator[UplinkEvent]:
        ends_at = time.monotonic() + turn.time_left_s
        await self._reach(min(REACH_S, turn.time_left_s))
        answered = False
        call: Call = self._stub.Converse(timeout=max(0.1, ends_at - time.monotonic()))
        try:
            await call.write(_start(turn, ends_at - time.monotonic()))
            await self._accepted(call)
            first_s = turn.first_s
            while not answered:
                event, first_s = _event(await _within(first_s, call)), None
                if answered := isinstance(event, Answer):
                    self._let_end(call)
                yield event
        except grpc.aio.AioRpcError as error:
            raise _uplink_error(error) from None
        finally:
            if not answered:
                call.cancel()

    def _let_end(self, call: Call) -> None:
        """The answer is there: the stream closes in its own time, nobody waits for it."""
        task = asyncio.create_task(_end(call))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _watch(self) -> None:
        """Forever: keep the channel connecting, and know how it is without asking."""
        while True:
            state = self._channel.get_state(try_to_connect=True)
            if state is grpc.ChannelConnectivity.READY:
                self._connected.set()
                self._was_refused = False
            else:
                self._connected.clear()
                self._was_refused |= state is grpc.ChannelConnectivity.TRANSIENT_FAILURE
            await self._channel.wait_for_state_change(state)

    async def _reach(self, within_s: float) -> None:
        """Return once the channel is connected."""
        wait_s = min(within_s, REACH_AGAIN_S) if self._was_refused else within_s
        try:
            async with asyncio.timeout(wait_s):
                await self._connected.wait()
        except TimeoutError:
            raise UplinkError(Reason.CORE_UNREACHABLE, f"the core does not answer within {wait_s:.1f} s") from None

    async def _accepted(self, call: Call) -> None:
        try:
            async with asyncio.timeout(ACCEPTED_S):
                response = await _read(call)
        except TimeoutError:
            raise UplinkError(Reason.CORE_UNREACHABLE, f"the core took no turn within {ACCEPTED_S:.0f} s") from None
        if response.WhichOneof("event") != "accepted":
            raise UplinkError(Reason.ENGINE_FAILED, "the core sent something before `Accepted`")


async def _within(seconds: float | None, call: Call) -> turn_pb2.ConverseResponse:
    try:
        async with asyncio.timeout(seconds):
            return await _read(call)
    except TimeoutError:
        raise UplinkError(Reason.CORE_DEADLINE, f"the core had not one sentence within {seconds} s") from None


async def _end(call: Call) -> None:
    try:
        async with asyncio.timeout(ACCEPTED_S):
            await call.done_writing()
            await call.read()
    except (TimeoutError, grpc.aio.AioRpcError, asyncio.InvalidStateError):
        call.cancel()


async def _read(call: Call) -> turn_pb2.ConverseResponse:
    response = await call.read()
    if isinstance(response, turn_pb2.ConverseResponse):
        return response
    code = await call.code()
    reason = _STATUS_REASONS.get(code, Reason.ENGINE_FAILED)
    raise UplinkError(reason, f"the core ended the stream without an answer ({code.name})")


def _start(turn: MaskedTurn, time_left_s: float) -> turn_pb2.ConverseRequest:
    start = turn_pb2.TurnStart(
        text=turn.text,
        language=turn.lang,
        conversation_ref=turn.conversation_ref,
        history=[turn_pb2.HistoryMessage(role=_role(item.role), text=item.text) for item in turn.history],
    )
    start.time_left.FromMilliseconds(max(1, int(time_left_s * 1000)))
    return turn_pb2.ConverseRequest(tenant_id=turn.tenant_id, turn_id=turn.turn_id, start=start)


def _role(role: Role) -> turn_pb2.Role.ValueType:
    return _ROLES[role]


def _event(response: turn_pb2.ConverseResponse) -> UplinkEvent:
    match response.WhichOneof("event"):
        case "delta":
            return Sentence(response.delta.revision, response.delta.sequence, response.delta.text)
        case "final":
            return _answer(response.final)
        case other:
            raise UplinkError(Reason.ENGINE_FAILED, f"the core sent {other} out of order")


def _answer(final: turn_pb2.Final) -> Answer:
    return Answer(
        text=final.text,
        grounded=final.outcome == turn_pb2.OUTCOME_GROUNDED,
        confidence=final.confidence,
        citations=tuple(Citation(c.title, c.uri, c.quote) for c in final.citations),
        knowledge_version=final.knowledge_version,
        cacheable=final.cacheable,
        timing_ms={
            "retrieval": final.timing.retrieval.ToMicroseconds() / 1000,
            "engine": final.timing.engine.ToMicroseconds() / 1000,
        },
    )


def _uplink_error(error: grpc.aio.AioRpcError) -> UplinkError:
    """The status as a reason; the core's own words are left out, they may quote the customer."""
    reason, named = _STATUS_REASONS.get(error.code(), Reason.ENGINE_FAILED), ""
    if (status := rpc_status.from_call(cast("grpc.Call", error))) is not None:
        info = error_details_pb2.ErrorInfo()
        named = " ".join(info.reason for detail in status.details if detail.Unpack(info))
    if named and reason is Reason.CORE_UNREACHABLE:  # it said so itself: something of this tenant's is broken there
        reason = Reason.ENGINE_FAILED
    return UplinkError(reason, f"the core refused: {error.code().name} {named}".rstrip())
