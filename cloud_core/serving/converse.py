"""`TurnService`: one stream is one turn, in the order that turn.proto lays down; turns can be forgotten."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

import grpc

from cloud_core.fleet.authority import peer_of
from cloud_core.messages import Answer, Question
from cloud_core.serving import wire
from cloud_core.serving.metrics import TurnMetrics
from cloud_core.serving.refusals import RETRY_S, Refusal, abort, denied, malformed, refusal_of
from cloud_core.tenants import Tenant, TenantUnknown
from cloud_core.turns.runner import Turns
from nearside.errors import NearsideError
from nearside.logs import failure, logger
from nearside.v1 import turn_pb2, turn_pb2_grpc

LOG = logger("serving")
FIRST_MESSAGE_S = 10.0
URI_NAMES = "peer_uri"

Requests = AsyncIterator[turn_pb2.ConverseRequest]
Context = grpc.aio.ServicerContext[turn_pb2.ConverseRequest, turn_pb2.ConverseResponse]
ForgetContext = grpc.aio.ServicerContext[turn_pb2.ForgetRequest, turn_pb2.ForgetResponse]


class TurnService(turn_pb2_grpc.TurnServiceServicer):
    """`find` hands out a tenant by id, or raises TenantUnknown; it may block."""

    def __init__(
        self, turns: Turns, find: Callable[[str], Tenant], metrics: TurnMetrics, max_in_flight: int, max_s: float
    ) -> None:
        self._turns, self._find, self._metrics = turns, find, metrics
        self._max_in_flight, self._max_s = max_in_flight, max_s
        self._in_flight = 0

    async def Converse(self, request_iterator: Requests, context: Context) -> None:  # type: ignore[override]
        began, outcome = time.monotonic(), "cancelled"
        try:
            outcome = await self._converse(request_iterator, context, began)
        except Exception as error:  # the door must stay open whatever one turn does
            refusal = _told(error, "turn")
            outcome = refusal.reason.lower()
            await abort(context, refusal)
        finally:
            self._metrics.turns.labels(outcome).inc()
            self._metrics.latency.observe(time.monotonic() - began)

    async def Forget(self, request: turn_pb2.ForgetRequest, context: ForgetContext) -> turn_pb2.ForgetResponse:
        try:
            tenant = await self._admitted(request.tenant_id, context)
            erased = await self._turns.forget(tenant, wire.read_forgotten(request))
        except Exception as error:  # as above
            await abort(context, _told(error, "forget"))
        self._metrics.forgotten.inc(erased)
        return turn_pb2.ForgetResponse(erased=erased)

    async def _converse(self, requests: Requests, context: Context, began: float) -> str:
        first = await _first(requests)
        tenant = await self._admitted(first.tenant_id, context)
        question = wire.read_question(first)
        deadline_at = began + wire.time_left_s(first.start, self._max_s)
        with self._place():
            await context.write(wire.Responses(tenant.id, first.turn_id).accepted())
            answering = asyncio.create_task(self._answer(tenant, first.turn_id, question, deadline_at, context))
            listening = asyncio.create_task(_listen(requests, first))
            try:
                await asyncio.wait({answering, listening}, return_when=asyncio.FIRST_COMPLETED)
                if not answering.done():
                    listening.result()
                return await answering
            finally:
                answering.cancel()
                listening.cancel()
                await asyncio.gather(answering, listening, return_exceptions=True)

    async def _answer(
        self, tenant: Tenant, turn_id: str, question: Question, deadline_at: float, context: Context
    ) -> str:
        began, outcome, waiting = time.monotonic(), "core_failed", True
        responses = wire.Responses(tenant.id, turn_id)
        async with aclosing(self._turns.run(tenant, turn_id, question, deadline_at)) as events:
            async for event in events:
                await context.write(responses.event(event))
                if waiting:
                    self._metrics.first.observe(time.monotonic() - began)
                    waiting = False
                if isinstance(event, Answer):
                    outcome = event.outcome.value
        return outcome

    async def _admitted(self, tenant_id: str, context: grpc.aio.ServicerContext[Any, Any]) -> Tenant:
        """The certificate says which edge this is and whom it serves; the request must agree."""
        uris = context.auth_context().get(URI_NAMES, [])
        peer = peer_of(uri.decode(errors="replace") for uri in uris)
        if not peer.edge_id:
            raise denied("EDGE_UNKNOWN", "the certificate names no edge")
        if tenant_id not in peer.tenants:
            raise denied("TENANT_NOT_ALLOWED", "the certificate does not name this tenant")
        try:
            return await asyncio.to_thread(self._find, tenant_id)
        except TenantUnknown:
            raise denied("TENANT_UNKNOWN", "this core does not serve that tenant") from None

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._in_flight >= self._max_in_flight:
            raise Refusal(
                grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_TURNS", "too many turns at work", retry_s=RETRY_S
            )
        self._in_flight += 1
        self._metrics.in_flight.inc()
        try:
            yield
        finally:
            self._in_flight -= 1
            self._metrics.in_flight.dec()


def _told(error: Exception, what: str) -> Refusal:
    """What the edge is told; what it is not told stands in the log."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, NearsideError):
        refusal = refusal_of(error)
        LOG.warning(f"{what}_failed", reason=refusal.reason, error=failure(error))
        return refusal
    LOG.error(f"{what}_broke", error=failure(error))
    return Refusal(grpc.StatusCode.INTERNAL, "CORE_FAILED", "the core failed")


async def _first(requests: Requests) -> turn_pb2.ConverseRequest:
    try:
        async with asyncio.timeout(FIRST_MESSAGE_S):
            return await anext(requests)
    except (TimeoutError, StopAsyncIteration):
        raise malformed("the stream brought no `start`") from None


async def _listen(requests: Requests, first: turn_pb2.ConverseRequest) -> None:
    """Returns when the edge has nothing more to say; raises Refusal for `Cancel` and for what is out of order."""
    async for request in requests:
        if (request.tenant_id, request.turn_id) != (first.tenant_id, first.turn_id):
            raise malformed("tenant_id and turn_id must stay the same throughout a stream")
        if request.WhichOneof("event") != "cancel":
            raise malformed("after `start` come only `cancel` and results of tools that were called")
        raise Refusal(grpc.StatusCode.CANCELLED, "CANCELLED", "cancelled by the edge")
