"""The ladder of one turn: rules, approved answers, the core, and an honest apology; each step with a reason."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol

from edge_node.messages import Reply, Turn
from edge_node.responders.base import Responder
from edge_node.turns.core_step import CoreStep, ShowDraft
from edge_node.turns.stops import Patience
from edge_node.turns.texts import STOPPED
from nearside.errors import UplinkError
from nearside.logs import failure, logger
from nearside.origins import Reason, Source

log = logger("turns")

UNSURE = 0.85
"""Below this confidence of the core's, an approved answer that is likely goes first."""

Apologise = Callable[[Turn, Reason], Awaitable[Reply]]


class Approved(Protocol):
    """What the approved answers still have to say once the core has found nothing."""

    async def likely(self, turn: Turn, *, core_was_asked: bool) -> Reply | None: ...

    async def suggest(self, turn: Turn, reply: Reply) -> Reply: ...


class Ladder:
    """The steps of one tenant, tried in order."""

    def __init__(
        self, responders: Sequence[Responder], core: CoreStep, approved: Approved, apologise: Apologise
    ) -> None:
        self._responders, self.core = responders, core
        self._approved, self._apologise = approved, apologise

    async def climb(self, turn: Turn, show: ShowDraft | None, patience: Patience) -> Reply:
        """Waiting for the core is the one step that can be stopped; a tool call always runs to its end."""
        for responder in self._responders:
            if (reply := await responder.answer(turn)) is not None:
                return reply
        try:
            return await self._ask(turn, show, patience)
        except UplinkError as error:
            log.warning("core_step_failed", turn_id=turn.turn_id, reason=error.reason.value, error=failure(error))
            likely = await self._approved.likely(turn, core_was_asked=False)
            return likely or await self._apologise(turn, error.reason)

    async def keep_promise(self, turn: Turn, patience: Patience) -> Reply:
        """What the core says of a turn that was promised an answer. Raises UplinkError."""
        return await self._ask(turn, None, patience)

    async def _ask(self, turn: Turn, show: ShowDraft | None, patience: Patience) -> Reply:
        asked = asyncio.create_task(self._ask_core(turn, show))
        return await patience.slot.aside(_unless(patience.stop, asked)) or stopped(turn)

    async def _ask_core(self, turn: Turn, show: ShowDraft | None) -> Reply:
        """Raises UplinkError. Without `show` nothing is streamed: a late answer, or one that may be replaced."""
        likely = await self._approved.likely(turn, core_was_asked=True)
        reply = await self.core.answer(turn, None if likely else show)
        if likely and (reply.reason is Reason.NO_EVIDENCE or reply.confidence < UNSURE):
            return replace(likely, state=reply.state)
        return await self._approved.suggest(turn, reply) if reply.reason is Reason.NO_EVIDENCE else reply


def stopped(turn: Turn) -> Reply:
    return Reply(STOPPED[turn.lang], Source.RULE, Reason.CANCELLED)


async def _unless(stop: asyncio.Event, work: "asyncio.Task[Reply]") -> Reply | None:
    """The reply of `work`, or None if it was stopped first."""
    waiter = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({work, waiter}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        return None
    finally:
        waiter.cancel()
        if not work.done():
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
