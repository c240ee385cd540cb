"""Promises kept: a turn whose reply said "I will answer later" ends with the core's late answer, or a notice."""

import asyncio
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

from edge_node.messages import DeadReason, Reply, Turn
from edge_node.turns.endings import Endings
from edge_node.turns.fair import Slot
from edge_node.turns.jobs import MOST_INTERRUPTED, SUSPECT
from edge_node.turns.room import TenantRoom
from edge_node.turns.serial import Serial
from edge_node.turns.stops import Stops
from edge_node.turns.texts import EXPIRED
from nearside.errors import UplinkError
from nearside.logs import failure, logger
from nearside.origins import Reason, Source

log = logger("deferred")

EVERY_S = 1.0
LONGEST_WAIT_S = 300.0
MOST_UNDER_WAY = 32
"""Of one tenant at a time: who asks now goes before what was promised."""


@dataclass(slots=True, eq=False)
class _Promise:
    """`not_before` in seconds of `time.monotonic()`; `wait_s` doubles with each try that failed.

    `found`: made before the start, and not tried since.
    """

    room: TenantRoom
    conversation_id: str
    turn_id: str
    expires_at: float
    attempts: int
    found: bool
    not_before: float = 0.0
    wait_s: float = EVERY_S

    @property
    def is_expired(self) -> bool:
        return self.expires_at < time.time()


class Deferred:
    """The deferred turns of all tenants, oldest first; each runs in its conversation's own order."""

    def __init__(self, serial: Serial, endings: Endings, stops: Stops, expiry_s: float) -> None:
        self._serial, self._endings, self._stops, self._expiry_s = serial, endings, stops, expiry_s
        self._waiting: dict[str, _Promise] = {}
        self._under_way: dict[str, _Promise] = {}

    def depth(self, tenant_id: str) -> int:
        """Promises of one tenant that are not kept yet."""
        promises = (*self._waiting.values(), *self._under_way.values())
        return sum(promise.room.tenant.id == tenant_id for promise in promises)

    def add(
        self,
        room: TenantRoom,
        conversation_id: str,
        turn_id: str,
        received_at: float,
        *,
        attempts: int = 0,
        found: bool = False,
    ) -> None:
        """`found`: open at the start, after so many `attempts`."""
        expires_at = received_at + self._expiry_s
        self._waiting[turn_id] = _Promise(room, conversation_id, turn_id, expires_at, attempts, found)

    def renew(self, room: TenantRoom) -> None:
        """From now on, what this tenant's customers were promised is answered there."""
        for promise in (*self._waiting.values(), *self._under_way.values()):
            if promise.room.tenant.id == room.tenant.id:
                promise.room = room

    def forget(self, conversation_ids: Collection[str]) -> None:
        """Nothing is owed to these any more; what is under way ends by itself."""
        gone = set(conversation_ids)
        self._waiting = {known.turn_id: known for known in self._waiting.values() if known.conversation_id not in gone}

    async def run(self) -> None:
        """Forever: look whether the core is back, and answer what waits for it."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self._submit_due()

    async def _submit_due(self) -> None:
        under_way = Counter(promise.room.tenant.id for promise in self._under_way.values())
        is_up: dict[str, bool] = {}
        for promise in [known for known in self._waiting.values() if known.not_before <= time.monotonic()]:
            tenant_id = promise.room.tenant.id
            if tenant_id not in is_up:
                is_up[tenant_id] = await promise.room.ladder.core.is_up()
            is_due = is_up[tenant_id] or promise.is_expired
            if is_due and promise.turn_id in self._waiting and under_way[tenant_id] < MOST_UNDER_WAY:
                under_way[tenant_id] += 1
                self._submit(promise)

    def _submit(self, promise: _Promise) -> None:
        self._under_way[promise.turn_id] = self._waiting.pop(promise.turn_id)
        key = (promise.room.tenant.id, promise.conversation_id)
        suspect = promise.found and promise.attempts >= SUSPECT
        self._serial.submit(key, partial(self._answer, promise), suspect=suspect)

    async def _answer(self, promise: _Promise, slot: Slot) -> None:
        try:
            await self._keep(promise, slot)
        except Exception as error:
            is_kept_away = isinstance(error, UplinkError) and error.reason is Reason.CIRCUIT_OPEN
            promise.wait_s = EVERY_S if is_kept_away else min(2 * promise.wait_s, LONGEST_WAIT_S)
            promise.not_before = time.monotonic() + promise.wait_s
            self._waiting[promise.turn_id] = promise
            log.warning("late_answer_failed", turn_id=promise.turn_id, wait_s=promise.wait_s, error=failure(error))
        finally:
            del self._under_way[promise.turn_id]

    async def _keep(self, promise: _Promise, slot: Slot) -> None:
        room, started = promise.room, time.perf_counter()
        if promise.found and not await self._may_begin(promise):
            return
        turn = await room.turn((promise.turn_id,))
        if turn is None:
            return
        if turn.owner == "agent":
            await self._endings.drop(room, turn, Reason.AGENT_OWNS)
            return
        patience = self._stops.begin(promise.conversation_id, slot)
        try:
            reply = _notice(turn) if promise.is_expired else await room.ladder.keep_promise(turn, patience)
            await self._endings.reply(room, turn, room.screened(turn, reply), started)
        finally:
            self._stops.end(promise.conversation_id)

    async def _may_begin(self, promise: _Promise) -> bool:
        """One try of each start is recorded: a turn in which the program ended again and again is parked."""
        store, promise.found = promise.room.store, False
        if await store.begin_attempt(promise.turn_id) <= MOST_INTERRUPTED:
            return True
        await self._endings.park(promise.room, promise.turn_id, DeadReason.INTERRUPTED)
        return False


def _notice(turn: Turn) -> Reply:
    return Reply(EXPIRED[turn.lang], Source.FALLBACK, Reason.EXPIRED, confidence=0.0)
