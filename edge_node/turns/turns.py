"""The turn pipeline: the door, and the turns in order."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypedDict

from edge_node.messages import Accepted, Conversation, Inbound, Tenant
from edge_node.storage.records import OpenTurn
from edge_node.turns.deferred import Deferred
from edge_node.turns.endings import STORE_AGAIN_S, STORE_LONGEST_S, Endings
from edge_node.turns.fair import Slot
from edge_node.turns.jobs import SUSPECT, Job, begun, together
from edge_node.turns.metrics import Metrics
from edge_node.turns.room import TenantRoom
from edge_node.turns.runner import Runner
from edge_node.turns.screen import DraftTo, Screen, TypingTo, nobody_sees
from edge_node.turns.sender import Sender
from edge_node.turns.serial import Key, Serial
from edge_node.turns.stops import Stops
from edge_node.turns.windows import Windows
from nearside.errors import Refused, StorageError
from nearside.logs import failure, logger

log = logger("turns")


class Again(TypedDict):
    hint: str
    retry_after_s: int


AGAIN: Again = {"hint": "retry in 5 s", "retry_after_s": 5}
"""What a sender is told who is turned away for now."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`queued`: turns of one tenant that may wait; `expiry_s`: how long a deferred turn may.

    `reaction_s`: how long a customer waits until it is seen that somebody is at work.
    """

    parallel: int = 1024
    queued: int = 10_000
    expiry_s: float = 86_400.0
    reaction_s: float = 0.5


class Turns:
    def __init__(
        self,
        rooms: Mapping[str, TenantRoom],
        sender: Sender,
        draft: DraftTo,
        metrics: Metrics,
        limits: Limits,
        typing: TypingTo = nobody_sees,
    ) -> None:
        self._rooms, self._sender, self._limits = rooms, sender, limits
        self._serial, self._windows, self._stops = Serial(limits.parallel), Windows(), Stops()
        self._waiting: defaultdict[str, int] = defaultdict(int)
        self._unresumed: dict[str, asyncio.Task[None]] = {}
        self._is_stopped = False
        endings = Endings(sender, metrics, self._stops)
        self.deferred = Deferred(self._serial, endings, self._stops, limits.expiry_s)
        self._screen = Screen(rooms, draft, typing, limits.reaction_s)
        self._runner = Runner(self._screen, endings, self.deferred, self._stops)

    async def accept(self, tenant: Tenant, inbound: Inbound) -> Accepted:
        """The door: the message is committed before this returns. Raises Refused if it is not taken.

        A caller that goes away meanwhile does not keep a committed message from its turn.
        """
        room = self._rooms[tenant.id]
        if tenant.id in self._unresumed:
            raise Refused(503, "store-unavailable", "the message could not be stored", **AGAIN)
        if self._waiting[tenant.id] >= self._limits.queued:
            raise Refused(429, "too-many-turns", "too many messages wait for an answer", **AGAIN)
        self._waiting[tenant.id] += 1
        try:
            return await room.store.accept(inbound, time.time(), partial(self._settled, room, inbound))
        except StorageError as error:
            log.error("accept_refused", tenant_id=tenant.id, error=failure(error))
            raise Refused(503, "store-unavailable", "the message could not be stored", **AGAIN) from None

    def _settled(self, room: TenantRoom, inbound: Inbound, accepted: Accepted | None) -> None:
        """At once, before a reply of the same commit is on its way: whoever looks sees them in the log's order."""
        if accepted is None or accepted.duplicate:
            self._waiting[room.tenant.id] -= 1
            return
        self._screen.expect(room.tenant, _conversation(accepted, inbound), accepted.turn_id)
        self._take(room, accepted, inbound.text)

    def _take(self, room: TenantRoom, accepted: Accepted, text: str) -> None:
        conversation_id, turn_id = accepted.conversation_id, accepted.turn_id
        if not room.debounce_s:
            if self._stops.is_running(conversation_id) and room.interrupts(text):
                self._stops.stop(conversation_id)
            self._submit(room, conversation_id, Job((turn_id,)))
            return
        if is_interrupt := room.interrupts(text):
            self._stops.stop(conversation_id)
        self._hold(room, conversation_id, turn_id, is_last=is_interrupt)

    async def resume(self) -> int:
        """Take up what a stop left open, in the order of its arrival; the number of turns.

        A tenant whose store refuses is taken up as soon as it doesn't; until then its new messages are refused, for
        they would go before the older ones.
        """
        resumed = 0
        for room in self._rooms.values():
            try:
                resumed += await self._resume(room)
            except StorageError as error:
                log.error("resume_waits_for_store", tenant_id=room.tenant.id, error=failure(error))
                self.adopt(room)
        return resumed

    def adopt(self, room: TenantRoom) -> None:
        """A tenant whose file opened only now: what a stop left open there goes before its new messages."""
        self._unresumed[room.tenant.id] = asyncio.create_task(self._keep_resuming(room))

    async def _keep_resuming(self, room: TenantRoom) -> None:
        wait_s = STORE_AGAIN_S
        while room.tenant.id in self._unresumed:
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, STORE_LONGEST_S)
            try:
                resumed = await self._resume(room)
            except Exception as error:  # the task must live on
                log.error("resume_waits_for_store", tenant_id=room.tenant.id, error=failure(error))
            else:
                log.info("resumed", tenant_id=room.tenant.id, turns=resumed)
                del self._unresumed[room.tenant.id]

    async def _resume(self, room: TenantRoom) -> int:
        """Nothing is begun before all of it is known."""
        idempotent = self._sender.idempotent_channels
        if parked := await room.store.settle_doubtful_turns(idempotent):
            log.warning("restored_turns_parked", tenant_id=room.tenant.id, turns=parked)
        replies = await room.store.unsent(idempotent)
        open_turns = await room.store.open_turns()
        for unsent in replies:
            self._sender.resume(room.tenant, room.store, unsent)
        self._take_up(room, open_turns)
        return len(open_turns)

    async def retry(self, tenant_id: str, turn_id: str) -> None:
        """Run a turn that a person brought back from the dead list (`TenantStore.revive`)."""
        room = self._rooms[tenant_id]
        for line in await room.lines((turn_id,)):
            self._waiting[tenant_id] += 1
            self._submit(room, line.conversation.id, Job((turn_id,), counted=True, late=True))

    def forgotten(self, conversation_ids: Collection[str]) -> None:
        """These conversations are no longer there: what runs for them stops, what is owed to them is dropped."""
        self.deferred.forget(conversation_ids)
        for conversation_id in conversation_ids:
            self._stops.forget(conversation_id)

    async def drain(self, timeout_s: float) -> None:
        """Wait for the turns under way; what is left stays in the inbox for the next start."""
        self._is_stopped = True
        for task in self._unresumed.values():
            task.cancel()
        self._windows.close_all()
        if not await self._serial.drain(timeout_s):
            log.warning("turns_left_for_next_start")

    def waiting(self, tenant_id: str) -> int:
        """Turns of one tenant accepted and not yet ended; promised answers are counted by `deferred`."""
        return self._waiting[tenant_id]

    def _take_up(self, room: TenantRoom, open_turns: Sequence[OpenTurn]) -> None:
        held: defaultdict[str, list[OpenTurn]] = defaultdict(list)
        for turn in open_turns:
            if turn.deferred:
                self.deferred.add(
                    room, turn.conversation_id, turn.turn_id, turn.received_at, attempts=turn.attempts, found=True
                )
                continue
            self._waiting[room.tenant.id] += 1
            if room.debounce_s:
                held[turn.conversation_id].append(turn)
            else:
                self._submit_found(room, [turn])
        for turns in held.values():
            fresh, groups = begun(turns)
            for group in groups:
                self._submit_found(room, group)
            for turn in fresh:
                self._hold(room, turn.conversation_id, turn.turn_id)

    def _submit_found(self, room: TenantRoom, turns: Sequence[OpenTurn]) -> None:
        last = turns[-1]
        job = Job(tuple(turn.turn_id for turn in turns), counted=True, found=True)
        self._submit(room, last.conversation_id, job, suspect=last.attempts >= SUSPECT)

    def _submit(self, room: TenantRoom, conversation_id: str, job: Job, *, suspect: bool = False) -> None:
        if not self._is_stopped:
            self._serial.submit((room.tenant.id, conversation_id), partial(self._run, room, job), suspect=suspect)

    def _hold(self, room: TenantRoom, conversation_id: str, turn_id: str, *, is_last: bool = False) -> None:
        """Until the customer has been quiet for a while."""
        key = (room.tenant.id, conversation_id)
        if self._windows.add(key, turn_id, room.debounce_s, is_last=is_last) and not self._is_stopped:
            self._serial.submit(key, partial(self._run_window, room, key), ready=partial(self._windows.closed, key))

    async def _run_window(self, room: TenantRoom, key: Key, slot: Slot) -> None:
        turn_ids = self._windows.take(key)
        jobs = await self._jobs(room, turn_ids)
        self._waiting[room.tenant.id] -= len(turn_ids) - sum(len(job.turn_ids) for job in jobs)  # ended meanwhile
        for job in jobs:
            await self._run(room, job, slot)
        self._screen.ended(turn_ids)

    async def _jobs(self, room: TenantRoom, turn_ids: Sequence[str]) -> list[Job]:
        if len(turn_ids) == 1:
            return [Job((turn_ids[0],), counted=True)]
        try:
            return together(await room.lines(turn_ids), room.interrupts)
        except Exception as error:
            log.error("lines_not_joined", turn_id=turn_ids[-1], error=failure(error))
            return [Job((turn_id,), counted=True) for turn_id in turn_ids]

    async def _run(self, room: TenantRoom, job: Job, slot: Slot) -> None:
        room = self._rooms[room.tenant.id]  # it may have been renewed since the turn was accepted
        try:
            await self._runner.run(room, job, slot)
        finally:
            self._waiting[room.tenant.id] -= len(job.turn_ids)
            self._screen.ended(job.turn_ids)


def _conversation(accepted: Accepted, inbound: Inbound) -> Conversation:
    return Conversation(accepted.conversation_id, inbound.channel, inbound.account, inbound.thread, inbound.customer)
