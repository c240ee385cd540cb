"""Takes committed replies out through their channels, in order within a conversation, again until it works."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Container, Iterable
from functools import partial

from edge_node.messages import DeadReason, Delivery, Event, Tenant
from edge_node.storage.records import Ended, Unsent
from edge_node.storage.store import TenantStore
from edge_node.turns.backoff import wait_s
from edge_node.turns.lines import Lane, Line, Outlet, Waiting
from edge_node.turns.outbox_metrics import OutboxMetrics
from edge_node.turns.verdicts import DROPPED, SENT, Outcome, Verdict, judge
from nearside.errors import DeliveryError, StorageError
from nearside.logs import failure, logger
from nearside.origins import Reason

log = logger("outbox")

GIVE_UP_S = 86_400.0
SEND_WITHIN_S = 30.0
"""What one send may take; then it is cancelled, and may have arrived."""
STORE_AGAIN_S = 1.0

OutletOf = Callable[[str], Outlet]
BackOff = Callable[[int, float | None], float]
"""Attempts that failed, and what the vendor asks for in seconds → seconds until the next."""


class Sender:
    """A waiting reply holds neither a task nor a place: a timer brings it back."""

    def __init__(
        self,
        outlet_of: OutletOf,
        metrics: OutboxMetrics,
        give_up_s: float = GIVE_UP_S,
        send_within_s: float = SEND_WITHIN_S,
        back_off: BackOff = wait_s,
    ) -> None:
        self._outlet_of, self._metrics = outlet_of, metrics
        self._give_up_s, self._send_within_s, self._back_off = give_up_s, send_within_s, back_off
        self._lines: dict[tuple[str, str], Line] = {}
        self._lanes: defaultdict[tuple[str, str, str], Lane] = defaultdict(Lane)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopped = False
        self.idempotent_channels: Container[str] = _Idempotent(outlet_of)

    def send(self, tenant: Tenant, store: TenantStore, ended: Ended) -> None:
        """A reply that was committed just now."""
        if self._is_shown(tenant, store, ended):
            return
        line = self._line(tenant, store, ended)
        line.add(Waiting(ended, time.time()))
        if line.timer is None:
            self._wake(line)

    def resume(self, tenant: Tenant, store: TenantStore, unsent: Unsent) -> None:
        """A reply found in the outbox, after a restart or because a person wants it tried again."""
        line = self._line(tenant, store, unsent.ended)
        line.replace(
            Waiting(
                unsent.ended,
                since=unsent.since,
                attempts=unsent.attempts,
                not_before=self._clock() + min(self._give_up_s, (unsent.next_at or 0.0) - time.time()),
                doubtful=unsent.doubts > 0 or unsent.doubtful,
            )
        )
        self._wake(line)

    def forget(self, tenant_id: str, conversation_ids: Iterable[str]) -> None:
        """Nothing more goes out to these conversations; what is being sent is cancelled."""
        for conversation_id in conversation_ids:
            if line := self._lines.pop((tenant_id, conversation_id), None):
                line.cancel()

    async def drain(self, timeout_s: float) -> None:
        """Let the sends under way end; what is left stays in the outbox for the next start."""
        self._is_stopped = True
        for line in self._lines.values():
            line.stop_timer()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=timeout_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _is_shown(self, tenant: Tenant, store: TenantStore, ended: Ended) -> bool:
        """A channel that need not wait for anybody needs no line and no task; what fails here is sent as any other."""
        conversation, event = ended.conversation, ended.event
        if self._is_stopped or (tenant.id, conversation.id) in self._lines or not store.may_send(ended):
            return False
        outlet = self._outlet(conversation.channel)
        try:
            if not outlet.show(Delivery(tenant, conversation, event, 1, _key(event))):
                return False
        except Exception as error:
            log.error("not_shown", event_id=event.id, error=failure(error))
            return False
        store.mark_sent(event.id, time.time())
        self._metrics.attempted(tenant.id, conversation.channel, Outcome.SENT)
        return True

    def _line(self, tenant: Tenant, store: TenantStore, ended: Ended) -> Line:
        conversation = ended.conversation
        key = (tenant.id, conversation.id)
        if (line := self._lines.get(key)) is None:
            lane = self._lanes[tenant.id, conversation.channel, conversation.account]
            outlet = self._outlet(conversation.channel)
            line = self._lines[key] = Line(key, tenant, store, conversation.channel, outlet, lane)
        return line

    def _outlet(self, channel: str) -> Outlet:
        try:
            return self._outlet_of(channel)
        except KeyError:
            return _Gone()

    def _wake(self, line: Line) -> None:
        line.stop_timer()
        if line.task is None and not self._is_stopped:
            line.task = asyncio.create_task(self._work(line))
            self._tasks.add(line.task)
            line.task.add_done_callback(self._tasks.discard)

    async def _work(self, line: Line) -> None:
        """Send what is due, one after the other; the first that has to wait keeps the rest behind it."""
        try:
            while line.replies and not self._waits(line):
                reply = line.replies[0]
                if await self._is_done(line, reply):
                    line.remove(reply)
            if not line.replies and self._lines.get(line.key) is line:
                del self._lines[line.key]
        finally:
            line.task = None

    def _waits(self, line: Line) -> bool:
        left_s = line.replies[0].not_before - self._clock()
        if left_s > 0 and not self._is_stopped:
            line.timer = asyncio.get_running_loop().call_later(left_s, self._wake, line)
        return left_s > 0

    async def _is_done(self, line: Line, reply: Waiting) -> bool:
        try:
            return await self._attempt(line, reply)
        except Exception as error:
            log.error("reply_left_in_outbox", event_id=reply.event_id, error=failure(error))
            return True

    async def _attempt(self, line: Line, reply: Waiting) -> bool:
        """True once the reply needs no other attempt."""
        if reply.attempts:
            async with line.lane.repeats, line.lane.places:
                verdict = await self._take_out(line, reply)
        else:
            async with line.lane.places:
                verdict = await self._take_out(line, reply)
        outcome = await self._settle(line, reply, verdict)
        self._metrics.attempted(line.tenant.id, line.channel, outcome)
        return outcome is not Outcome.POSTPONED

    async def _take_out(self, line: Line, reply: Waiting) -> Verdict:
        reply.attempts += 1
        if not line.outlet.idempotent:
            await _recorded(partial(line.store.record_attempt, reply.event_id, time.time()))
        if not line.store.may_send(reply.ended):
            return DROPPED
        try:
            async with asyncio.timeout(self._send_within_s):
                await line.outlet.send(self._delivery(line, reply))
            return SENT
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            return judge(error)
        except Exception as error:
            return judge(error)

    def _delivery(self, line: Line, reply: Waiting) -> Delivery:
        if reply.doubtful and not line.outlet.idempotent:
            self._metrics.sent_in_doubt(line.tenant.id, line.channel)
        conversation, event = reply.ended.conversation, reply.ended.event
        return Delivery(line.tenant, conversation, event, reply.attempts, _key(event), reply.doubtful)

    async def _settle(self, line: Line, reply: Waiting, verdict: Verdict) -> Outcome:
        store, event_id = line.store, reply.event_id
        match verdict.outcome:
            case Outcome.SENT if line.outlet.idempotent:
                store.mark_sent(event_id, time.time())
            case Outcome.SENT:
                await _recorded(partial(store.confirm_sent, event_id, time.time()))
            case Outcome.DROPPED:
                await _recorded(partial(store.mark_dropped, event_id, Reason.AGENT_OWNS.value, time.time()))
            case _:
                return await self._settle_failed(line, reply, verdict)
        return verdict.outcome

    async def _settle_failed(self, line: Line, reply: Waiting, verdict: Verdict) -> Outcome:
        wait = self._back_off(reply.attempts, verdict.retry_after_s)
        outcome, next_at = verdict.outcome, time.time() + wait
        doubt = verdict.may_have_arrived and not line.outlet.idempotent
        if outcome is Outcome.POSTPONED and next_at > reply.since + self._give_up_s:
            outcome = Outcome.GAVE_UP
        log.warning(
            "delivery_failed",
            event_id=reply.event_id,
            attempt=reply.attempts,
            outcome=outcome.value,
            error=verdict.why,
        )
        if outcome is Outcome.POSTPONED:
            reply.not_before = self._clock() + wait
            reply.doubtful = reply.doubtful or verdict.may_have_arrived
            await _recorded(partial(line.store.postpone, reply.event_id, verdict.why, next_at, doubt))
        else:
            reason = DeadReason.REFUSED if outcome is Outcome.REFUSED else DeadReason.GAVE_UP
            await _recorded(partial(line.store.mark_dead, reply.event_id, reason, time.time(), doubt))
        return outcome

    def _clock(self) -> float:
        return asyncio.get_running_loop().time()


def _key(event: Event) -> str:
    return f"{event.turn_id}-{event.id}"


def _is_cancelled() -> bool:
    """Whether it is us who are cancelled, not something that a channel waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _recorded(record: Callable[[], Awaitable[None]]) -> None:
    """Until the store takes it: a full disk is no reason to forget what became of a send, or to send again."""
    is_told = False
    while True:
        try:
            return await record()
        except StorageError as error:
            if not is_told:
                log.error("outbox_waits_for_store", error=failure(error))
            is_told = True
            await asyncio.sleep(STORE_AGAIN_S)


class _Gone:
    """Stands for a channel that this edge has no more: its replies go to the dead list."""

    idempotent = True

    def show(self, delivery: Delivery) -> bool:
        return False

    async def send(self, delivery: Delivery) -> None:
        kind = delivery.conversation.channel
        raise DeliveryError(f"this edge has no channel {kind}", hint="drop the reply", retryable=False)


class _Idempotent(Container[str]):
    """The kinds of channels that keep a repeated send from being a second message."""

    def __init__(self, outlet_of: OutletOf) -> None:
        self._outlet_of = outlet_of

    def __contains__(self, kind: object) -> bool:
        try:
            return self._outlet_of(str(kind)).idempotent
        except KeyError:
            return False
