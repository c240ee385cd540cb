"""Runs a turn until it has ended: again where it failed, into the dead list where it fails again and again."""

import asyncio
import time
from dataclasses import replace

from edge_node.messages import DeadReason, Reply, Turn
from edge_node.turns.deferred import Deferred
from edge_node.turns.endings import STORE_AGAIN_S, STORE_LONGEST_S, Endings
from edge_node.turns.fair import Slot
from edge_node.turns.jobs import MOST_INTERRUPTED, Job
from edge_node.turns.ladder import stopped
from edge_node.turns.room import TenantRoom
from edge_node.turns.screen import Screen
from edge_node.turns.stops import Patience, Stops
from edge_node.turns.texts import FAILED
from nearside.errors import StorageError
from nearside.logs import failure, logger
from nearside.origins import Reason, Source

log = logger("turns")

MOST_ATTEMPTS = 3
RETRY_S = 0.1


class Runner:
    def __init__(self, screen: Screen, endings: Endings, deferred: Deferred, stops: Stops) -> None:
        self._screen = screen
        self._endings, self._deferred, self._stops = endings, deferred, stops

    async def run(self, room: TenantRoom, job: Job, slot: Slot) -> None:
        """Until it has ended or is parked. A store that refuses is waited for: that is no fault of the turn."""
        raised, wait_s = 0, STORE_AGAIN_S
        while raised < MOST_ATTEMPTS:
            try:
                await self._attempt(room, job, slot)
                return
            except StorageError as error:
                log.error("turn_waits_for_store", turn_id=job.turn_ids[-1], error=failure(error))
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, STORE_LONGEST_S)
            except Exception as error:
                raised, job.counted = raised + 1, True
                log.error("turn_attempt_failed", turn_id=job.turn_ids[-1], attempt=raised, error=failure(error))
                await asyncio.sleep(RETRY_S * raised)
        await self._give_up(room, job, DeadReason.TURN_FAILED)

    async def _attempt(self, room: TenantRoom, job: Job, slot: Slot) -> None:
        started = time.perf_counter()
        if job.counted and not await self._may_begin(room, job):
            return
        turn = await room.turn(job.turn_ids, late=job.late)
        if turn is None:
            return
        if turn.late and turn.owner == "agent":
            await self._endings.drop(room, turn, Reason.AGENT_OWNS)
            return
        patience = self._stops.begin(turn.conversation.id, slot)
        try:
            reply = stopped(turn) if job.stopped else await self._climb(room, turn, patience)
            reply = room.screened(turn, reply)
            ended = await self._endings.reply(room, turn, reply, started)
        finally:
            self._stops.end(turn.conversation.id)
        if ended is not None and not reply.final:
            self._deferred.add(room, turn.conversation.id, turn.turn_id, turn.received_at)

    async def _may_begin(self, room: TenantRoom, job: Job) -> bool:
        """Record the attempt; a turn in which the program ended again and again is parked instead."""
        attempts = await room.store.begin_attempt(job.turn_ids[-1])
        if job.found and attempts > MOST_INTERRUPTED:
            silent = attempts > MOST_INTERRUPTED + MOST_ATTEMPTS  # the apology ended the program too
            await self._give_up(room, job, DeadReason.INTERRUPTED, silent=silent)
            return False
        job.found = False
        return True

    async def _climb(self, room: TenantRoom, turn: Turn, patience: Patience) -> Reply:
        """The form that is under way when a late turn runs waits for another message than this one."""
        if not turn.late:
            self._screen.expect(room.tenant, turn.conversation, turn.turn_id)
            return await room.ladder.climb(turn, self._screen, patience)
        form = turn.state.form
        reply = await room.ladder.climb(replace(turn, state=replace(turn.state, form=None)), None, patience)
        if reply.state is None or reply.state.form is not None:
            return reply
        return replace(reply, state=replace(reply.state, form=form))

    async def _give_up(self, room: TenantRoom, job: Job, reason: DeadReason, *, silent: bool = False) -> None:
        """An honest reply where none went out before, and the dead list: the conversation goes on."""
        try:
            if not silent and await self._apologise(room, job, reason):
                return
        except Exception as error:
            log.error("apology_failed", turn_id=job.turn_ids[-1], error=failure(error))
        for turn_id in job.turn_ids:
            try:
                await self._endings.park(room, turn_id, reason)
            except Exception as error:
                log.error("turn_left_in_inbox", turn_id=turn_id, error=failure(error))

    async def _apologise(self, room: TenantRoom, job: Job, reason: DeadReason) -> bool:
        """False where the turn has to be parked without a word."""
        turn = await room.turn(job.turn_ids, late=job.late)
        if turn is None:
            return True
        if turn.late or turn.owner == "agent":
            return False
        reply = Reply(FAILED[turn.lang], Source.FALLBACK, Reason.TURN_FAILED, confidence=0.0, final=False)
        await self._endings.reply(room, turn, reply, time.perf_counter(), parked=reason)
        return True
