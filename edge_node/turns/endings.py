"""How a turn ends: its reply is committed with its end, or it ends without one, for a reason that is kept."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from edge_node.messages import DeadReason, Reply, Turn
from edge_node.storage.records import Ended
from edge_node.turns.metrics import Metrics
from edge_node.turns.room import TenantRoom
from edge_node.turns.sender import Sender
from edge_node.turns.stops import Stops
from nearside.errors import StorageError
from nearside.logs import failure, logger
from nearside.origins import Reason

log = logger("turns")

T = TypeVar("T")
FORGOTTEN = "forgotten"
STORE_AGAIN_S = 0.25
STORE_LONGEST_S = 5.0


async def stored(write: Callable[[], Awaitable[T]], turn_id: str) -> T:
    """What `write` returns, as soon as the store takes it: what a turn has come to is not lost to a full disk."""
    wait_s = STORE_AGAIN_S
    while True:
        try:
            return await write()
        except StorageError as error:
            if wait_s == STORE_AGAIN_S:
                log.error("turn_waits_for_store", turn_id=turn_id, error=failure(error))
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, STORE_LONGEST_S)


class Endings:
    def __init__(self, sender: Sender, metrics: Metrics, stops: Stops) -> None:
        self._sender, self._metrics, self._stops = sender, metrics, stops

    async def reply(
        self, room: TenantRoom, turn: Turn, reply: Reply, started: float, parked: DeadReason | None = None
    ) -> Ended | None:
        """Commit the reply and hand it to the sender. None if the turn had ended or its conversation changed owner.

        `parked`: the turn goes to the dead list all the same. `started` in seconds of `time.perf_counter()`.
        """
        took_ms = (time.perf_counter() - started) * 1000
        waited_ms = max(0.0, (time.time() - turn.received_at) * 1000 - took_ms)
        timing = {"waited": round(waited_ms, 2), "turn": round(took_ms, 2), **reply.timing_ms}
        said = _as_said(turn, reply)
        ended = await stored(
            lambda: room.store.end(
                turn.turn_id, turn.epoch, said, time.time(), timing, merged=turn.merged, parked=parked
            ),
            turn.turn_id,
        )
        if ended is None:
            self._was_dropped(turn)
            return None
        self._metrics.ended(room.tenant.id, reply, took_ms / 1000)
        if parked is not None:
            self._was_parked(room, turn.turn_id, parked)
        self._sender.send(room.tenant, room.store, ended)
        return ended

    async def drop(self, room: TenantRoom, turn: Turn, reason: Reason) -> None:
        """Without a reply."""
        for turn_id in (*turn.merged, turn.turn_id):
            await stored(partial(room.store.drop, turn_id, reason.value, time.time()), turn_id)
        self._log_dropped(turn, reason.value)

    async def park(self, room: TenantRoom, turn_id: str, reason: DeadReason) -> None:
        """Into the dead list, without a reply."""
        await stored(partial(room.store.park, turn_id, reason, time.time()), turn_id)
        self._was_parked(room, turn_id, reason)

    def _was_parked(self, room: TenantRoom, turn_id: str, reason: DeadReason) -> None:
        self._metrics.parked(room.tenant.id, reason)
        log.error("turn_parked", turn_id=turn_id, reason=reason.value)

    def _was_dropped(self, turn: Turn) -> None:
        forgotten = self._stops.was_forgotten(turn.conversation.id)
        self._log_dropped(turn, FORGOTTEN if forgotten else Reason.AGENT_OWNS.value)

    def _log_dropped(self, turn: Turn, reason: str) -> None:
        self._metrics.dropped(turn.tenant.id, reason)
        log.info("reply_dropped", turn_id=turn.turn_id, reason=reason)


def _as_said(turn: Turn, reply: Reply) -> Reply:
    """A late answer quotes its question, and leaves the conversation's language as it is by now."""
    if turn.late:
        return replace(reply, quotes=turn.text)
    state = reply.state or turn.state
    return reply if state.lang == turn.lang else replace(reply, state=replace(state, lang=turn.lang))
