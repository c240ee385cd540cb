"""Promises kept: a turn whose reply said "I will answer later" ends with the core's late answer, or a notice."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from edge_node.messages import Reply, Turn
from edge_node.turns.room import TenantRoom
from edge_node.turns.serial import Serial
from edge_node.turns.texts import EXPIRED
from nearside.errors import NearsideError
from nearside.logs import failure, logger
from nearside.origins import Reason, Source

log = logger("deferred")

EVERY_S = 1.0

EndTurn = Callable[[TenantRoom, Turn, Reply, float], Awaitable[None]]


class Deferred:
    """The deferred turns of all tenants, oldest first; each runs in its conversation's own order."""

    def __init__(self, serial: Serial, end: EndTurn, expiry_s: float) -> None:
        self._serial, self._end, self._expiry_s = serial, end, expiry_s
        self._waiting: dict[str, tuple[TenantRoom, str]] = {}
        self._under_way = 0

    @property
    def depth(self) -> int:
        return len(self._waiting) + self._under_way

    def add(self, room: TenantRoom, conversation_id: str, turn_id: str) -> None:
        self._waiting[turn_id] = (room, conversation_id)

    async def run(self) -> None:
        """Forever: look whether the core is back, and answer what waits for it."""
        while True:
            await asyncio.sleep(EVERY_S)
            for turn_id, (room, conversation_id) in list(self._waiting.items()):
                if await self._is_due(room, turn_id):
                    del self._waiting[turn_id]
                    self._submit(room, conversation_id, turn_id)

    def _submit(self, room: TenantRoom, conversation_id: str, turn_id: str) -> None:
        self._under_way += 1
        self._serial.submit((room.tenant.id, conversation_id), lambda: self._answer(room, conversation_id, turn_id))

    async def _is_due(self, room: TenantRoom, turn_id: str) -> bool:
        try:
            turn = await room.turn(turn_id)
            return turn is None or self._is_expired(turn) or turn.owner == "agent" or await room.ladder.core.is_up()
        except NearsideError as error:
            log.warning("deferred_turn_waits", turn_id=turn_id, error=failure(error))
            return False

    async def _answer(self, room: TenantRoom, conversation_id: str, turn_id: str) -> None:
        try:
            turn = await room.turn(turn_id)
            if turn is None:
                return
            if turn.owner == "agent":
                await room.store.drop(turn_id, Reason.AGENT_OWNS.value, time.time())
                return
            started = time.perf_counter()
            await self._end(room, turn, replace(await self._reply(room, turn), quotes=turn.text), started)
        except Exception as error:
            log.warning("late_answer_failed", turn_id=turn_id, error=failure(error))
            self.add(room, conversation_id, turn_id)
        finally:
            self._under_way -= 1

    async def _reply(self, room: TenantRoom, turn: Turn) -> Reply:
        if self._is_expired(turn):
            return Reply(EXPIRED[turn.lang], Source.FALLBACK, Reason.EXPIRED, confidence=0.0)
        return await room.ladder.ask_core(turn, None)

    def _is_expired(self, turn: Turn) -> bool:
        return time.time() - turn.received_at > self._expiry_s
