"""Promises kept: a turn whose reply said "I will answer later" ends with the core's late answer, or a notice."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from edge_node.messages import Reply, Turn
from edge_node.turns.room import TenantRoom
from edge_node.turns.serial import Serial
from edge_node.turns.texts import EXPIRED
from nearside.logs import failure, logger
from nearside.origins import Reason, Source

log = logger("deferred")

EVERY_S = 1.0
LONGEST_WAIT_S = 300.0

EndTurn = Callable[[TenantRoom, Turn, Reply, float], Awaitable[None]]


@dataclass(slots=True)
class _Promise:
    """`not_before` in seconds of `time.monotonic()`; `wait_s` doubles with each try that failed."""

    room: TenantRoom
    conversation_id: str
    turn_id: str
    expires_at: float
    not_before: float = 0.0
    wait_s: float = EVERY_S

    @property
    def is_expired(self) -> bool:
        return self.expires_at < time.time()


class Deferred:
    """The deferred turns of all tenants, oldest first; each runs in its conversation's own order."""

    def __init__(self, serial: Serial, end: EndTurn, expiry_s: float) -> None:
        self._serial, self._end, self._expiry_s = serial, end, expiry_s
        self._waiting: dict[str, _Promise] = {}
        self._under_way: dict[str, _Promise] = {}

    def depth(self, tenant_id: str) -> int:
        """Promises of one tenant that are not kept yet."""
        promises = (*self._waiting.values(), *self._under_way.values())
        return sum(promise.room.tenant.id == tenant_id for promise in promises)

    def add(self, room: TenantRoom, conversation_id: str, turn_id: str, received_at: float) -> None:
        self._waiting[turn_id] = _Promise(room, conversation_id, turn_id, received_at + self._expiry_s)

    async def run(self) -> None:
        """Forever: look whether the core is back, and answer what waits for it."""
        while True:
            await asyncio.sleep(EVERY_S)
            is_up: dict[str, bool] = {}
            for promise in [known for known in self._waiting.values() if known.not_before <= time.monotonic()]:
                tenant_id = promise.room.tenant.id
                if tenant_id not in is_up:
                    is_up[tenant_id] = await promise.room.ladder.core.is_up()
                if is_up[tenant_id] or promise.is_expired:
                    self._submit(promise)

    def _submit(self, promise: _Promise) -> None:
        self._under_way[promise.turn_id] = self._waiting.pop(promise.turn_id)
        key = (promise.room.tenant.id, promise.conversation_id)
        self._serial.submit(key, lambda: self._answer(promise))

    async def _answer(self, promise: _Promise) -> None:
        try:
            await self._keep(promise)
        except Exception as error:
            promise.wait_s = min(2 * promise.wait_s, LONGEST_WAIT_S)
            promise.not_before = time.monotonic() + promise.wait_s
            self._waiting[promise.turn_id] = promise
            log.warning("late_answer_failed", turn_id=promise.turn_id, wait_s=promise.wait_s, error=failure(error))
        finally:
            del self._under_way[promise.turn_id]

    async def _keep(self, promise: _Promise) -> None:
        room = promise.room
        turn = await room.turn(promise.turn_id)
        if turn is None:
            return
        if turn.owner == "agent":
            await room.store.drop(turn.turn_id, Reason.AGENT_OWNS.value, time.time())
            return
        started = time.perf_counter()
        reply = _notice(turn) if promise.is_expired else await room.ladder.ask_core(turn, None)
        await self._end(room, turn, replace(reply, quotes=turn.text), started)


def _notice(turn: Turn) -> Reply:
    return Reply(EXPIRED[turn.lang], Source.FALLBACK, Reason.EXPIRED, confidence=0.0)
