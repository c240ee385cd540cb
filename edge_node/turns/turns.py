"""The turn pipeline: the door, the turns in order, and their end."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, TypedDict

from edge_node.messages import Accepted, Conversation, ConversationState, Draft, Inbound, Reply, Tenant, Turn
from edge_node.turns.deferred import Deferred
from edge_node.turns.metrics import Metrics
from edge_node.turns.room import TenantRoom
from edge_node.turns.sender import Sender
from edge_node.turns.serial import Serial
from edge_node.turns.texts import FAILED
from nearside.errors import Refused, StorageError
from nearside.logs import failure, logger
from nearside.origins import Reason, Source

log = logger("turns")


class Again(TypedDict):
    hint: str
    retry_after_s: int


MOST_ATTEMPTS = 3
RETRY_S = 0.1
AGAIN: Again = {"hint": "retry in 5 s", "retry_after_s": 5}
"""What a sender is told who is turned away for now."""


class DraftTo(Protocol):
    async def __call__(self, tenant: Tenant, conversation: Conversation, draft: Draft) -> None: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """`queued`: turns of one tenant that may wait; `expiry_s`: how long a deferred turn may."""

    parallel: int = 1024
    queued: int = 10_000
    expiry_s: float = 86_400.0


class Turns:
    def __init__(
        self,
        rooms: Mapping[str, TenantRoom],
        sender: Sender,
        draft: DraftTo,
        metrics: Metrics,
        limits: Limits,
    ) -> None:
        self._rooms, self._sender, self._draft, self._metrics = rooms, sender, draft, metrics
        self._limits = limits
        self._serial = Serial(limits.parallel)
        self._interruptible: dict[str, asyncio.Event] = {}
        self._waiting: dict[str, int] = dict.fromkeys(rooms, 0)
        self._accepting: set[asyncio.Task[Accepted]] = set()
        self.deferred = Deferred(self._serial, self._end, limits.expiry_s)

    async def accept(self, tenant: Tenant, inbound: Inbound) -> Accepted:
        """The door: the message is committed before this returns. Raises Refused if it is not taken.

        A caller that goes away meanwhile does not keep a committed message from its turn.
        """
        room = self._rooms[tenant.id]
        if self._waiting[tenant.id] >= self._limits.queued:
            raise Refused(429, "too-many-turns", "too many messages wait for an answer", **AGAIN)
        accepting = asyncio.create_task(self._accept(room, inbound))
        self._accepting.add(accepting)
        accepting.add_done_callback(self._accepting.discard)
        return await asyncio.shield(accepting)

    async def _accept(self, room: TenantRoom, inbound: Inbound) -> Accepted:
        try:
            accepted = await room.store.accept(inbound, time.time())
        except StorageError as error:
            log.error("accept_refused", tenant_id=room.tenant.id, error=failure(error))
            raise Refused(503, "store-unavailable", "the message could not be stored", **AGAIN) from None
        if not accepted.duplicate:
            if (running := self._interruptible.get(accepted.conversation_id)) and room.interrupts(inbound.text):
                running.set()
            self._submit(room, accepted.conversation_id, accepted.turn_id)
        return accepted

    async def resume(self) -> int:
        """Take up what a stop left open; the number of turns."""
        resumed = 0
        for room in self._rooms.values():
            for ended in await room.store.pending_replies():
                self._sender.send(room.tenant, room.store, ended, resent=True)
            for open_turn in await room.store.open_turns():
                resumed += 1
                conversation_id, turn_id = open_turn.conversation_id, open_turn.turn_id
                if open_turn.deferred:
                    self.deferred.add(room, conversation_id, turn_id, open_turn.received_at)
                else:
                    self._submit(room, conversation_id, turn_id)
        return resumed

    async def drain(self, timeout_s: float) -> None:
        """Wait for the turns under way; what is left stays in the inbox for the next start."""
        if not await self._serial.drain(timeout_s):
            log.warning("turns_left_for_next_start")

    def waiting(self, tenant_id: str) -> int:
        """Turns of one tenant accepted and not yet ended; promised answers are counted by `deferred`."""
        return self._waiting[tenant_id]

    def _submit(self, room: TenantRoom, conversation_id: str, turn_id: str) -> None:
        self._waiting[room.tenant.id] += 1
        self._serial.submit((room.tenant.id, conversation_id), lambda: self._run(room, turn_id))

    async def _run(self, room: TenantRoom, turn_id: str) -> None:
        try:
            for attempt in range(1, MOST_ATTEMPTS + 1):
                try:
                    await self._attempt(room, turn_id)
                    return
                except Exception as error:
                    log.error("turn_attempt_failed", turn_id=turn_id, attempt=attempt, error=failure(error))
                    await asyncio.sleep(RETRY_S * attempt)
            await self._give_up(room, turn_id)
        finally:
            self._waiting[room.tenant.id] -= 1

    async def _attempt(self, room: TenantRoom, turn_id: str) -> None:
        started = time.perf_counter()
        turn = await room.turn(turn_id)
        if turn is not None:
            await self._end(room, turn, await self._climb(room, turn), started)

    async def _climb(self, room: TenantRoom, turn: Turn) -> Reply:
        interrupted = self._interruptible[turn.conversation.id] = asyncio.Event()
        try:
            return await room.ladder.climb(turn, self._show, interrupted)
        finally:
            del self._interruptible[turn.conversation.id]

    async def _show(self, turn: Turn, draft: Draft) -> None:
        await self._draft(turn.tenant, turn.conversation, draft)

    async def _end(self, room: TenantRoom, turn: Turn, reply: Reply, started: float) -> None:
        took_ms = (time.perf_counter() - started) * 1000
        waited_ms = max(0.0, (time.time() - turn.received_at) * 1000 - took_ms)
        timing = {"waited": round(waited_ms, 2), "turn": round(took_ms, 2), **reply.timing_ms}
        ended = await room.store.end(
            turn.turn_id, turn.epoch, replace(reply, state=_state_after(turn, reply)), time.time(), timing
        )
        if ended is None:
            log.info("reply_dropped", turn_id=turn.turn_id, reason=Reason.AGENT_OWNS.value)
            return
        self._metrics.ended(room.tenant.id, reply, took_ms / 1000)
        if not reply.final:
            self.deferred.add(room, turn.conversation.id, turn.turn_id, turn.received_at)
        self._sender.send(room.tenant, room.store, ended)

    async def _give_up(self, room: TenantRoom, turn_id: str) -> None:
        """After the last attempt: an honest reply, so that the turn ends and the conversation goes on."""
        try:
            turn = await room.turn(turn_id)
            if turn is not None:
                reply = Reply(FAILED[turn.lang], Source.FALLBACK, Reason.TURN_FAILED, confidence=0.0)
                await self._end(room, turn, reply, time.perf_counter())
        except Exception as error:
            log.error("turn_left_in_inbox", turn_id=turn_id, error=failure(error))


def _state_after(turn: Turn, reply: Reply) -> ConversationState | None:
    state = reply.state or turn.state
    return replace(state, lang=turn.lang) if state.lang != turn.lang else reply.state
