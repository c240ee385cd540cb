"""The ladder of one turn: rules, approved answers, the cache, the core, and an honest apology; each with a reason."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, Protocol

from edge_node.messages import Reply, Turn
from edge_node.turns.core_step import REVISIONS, CoreStep
from edge_node.turns.steps import Showing, Step
from edge_node.turns.stops import Patience
from edge_node.turns.texts import STOPPED
from edge_node.turns.within import within
from nearside.errors import UplinkError
from nearside.logs import failure, logger
from nearside.origins import Reason, Source

log = logger("turns")

UNSURE = 0.85
"""Below this confidence of the core's, an approved answer that is likely goes first."""
BEFORE, AFTER = 0, REVISIONS - 100
"""The drafts of steps before the core are replaced by its own, and those by the drafts of steps after it."""

Apologise = Callable[[Turn, Reason], Awaitable[Reply]]


class Approved(Protocol):
    """What the approved answers still have to say once the core has found nothing."""

    async def likely(self, turn: Turn, *, core_was_asked: bool) -> Reply | None: ...

    async def suggest(self, turn: Turn, reply: Reply) -> Reply: ...


class Counting(Protocol):
    def stepped(self, tenant_id: str, step: str, outcome: str, took_s: float | None = None) -> None: ...


class Ladder:
    """The steps of one tenant: those `before` the core in their order, the core, and those `after` it has failed."""

    def __init__(
        self,
        before: Sequence[Step],
        core: CoreStep,
        approved: Approved,
        apologise: Apologise,
        metrics: Counting,
        after: Sequence[Step] = (),
    ) -> None:
        self._before, self.core, self._after = before, core, after
        self._approved, self._apologise, self._metrics = approved, apologise, metrics

    async def climb(self, turn: Turn, show: Showing | None, patience: Patience) -> Reply:
        """Waiting for the core and other slow steps can be stopped; a tool call always runs to its end."""
        for step in self._before:
            if (reply := await self._try(step, turn, show, patience, BEFORE)) is not None:
                return await self._or_likelier(turn, reply) if reply.source is Source.CACHE else reply
        try:
            return await self._ask(turn, show, patience)
        except UplinkError as error:
            log.warning("core_step_failed", turn_id=turn.turn_id, reason=error.reason.value, error=failure(error))
            return _remembering_masks(turn, await self._without_core(turn, show, patience, error.reason))

    async def keep_promise(self, turn: Turn, patience: Patience) -> Reply:
        """What the core says of a turn that was promised an answer. Raises UplinkError."""
        return await self._ask(turn, None, patience)

    async def _try(
        self, step: Step, turn: Turn, show: Showing | None, patience: Patience, revision: int
    ) -> Reply | None:
        """None where it passes the turn on, takes too long or breaks."""
        began, outcome = time.perf_counter(), "failed"
        try:
            if step.is_slow:
                _show_typing(turn, show)
                reply = await _patiently(turn, patience, _in_time(step, turn, show, revision))
            else:
                reply = await _in_time(step, turn, show, revision)
            outcome = "passed" if reply is None else "answered"
            return reply
        except Exception as error:
            if step.is_needed:
                raise
            outcome = self._skipped(turn, step.name, error)
            return None
        finally:
            self._metrics.stepped(turn.tenant.id, step.name, outcome, time.perf_counter() - began)

    async def _ask(self, turn: Turn, show: Showing | None, patience: Patience) -> Reply:
        """Raises UplinkError."""
        began, outcome = time.perf_counter(), "failed"
        _show_typing(turn, show)
        try:
            reply = await _patiently(turn, patience, self._ask_core(turn, show))
            outcome = "answered"
            return reply or stopped(turn)
        finally:
            self._metrics.stepped(turn.tenant.id, "core", outcome, time.perf_counter() - began)

    async def _ask_core(self, turn: Turn, show: Showing | None) -> Reply:
        """Raises UplinkError. Without `show` nothing is streamed: a late answer, or one that may be replaced."""
        likely = await self._from_approved(turn, self._approved.likely(turn, core_was_asked=True))
        reply = await self.core.answer(turn, None if likely or show is None else show.draft)
        if reply.reason is Reason.NO_EVIDENCE and not likely:
            return await self._from_approved(turn, self._approved.suggest(turn, reply)) or reply
        return _better(reply, likely)

    async def _or_likelier(self, turn: Turn, cached: Reply) -> Reply:
        """As if the core had said it now."""
        if cached.confidence >= UNSURE:
            return cached
        likely = await self._from_approved(turn, self._approved.likely(turn, core_was_asked=True))
        return _better(cached, likely)

    async def _from_approved(self, turn: Turn, asking: Awaitable[Reply | None]) -> Reply | None:
        """None also where they break: the core's word, or an apology, is better than a fault."""
        try:
            return await asking
        except Exception as error:
            self._metrics.stepped(turn.tenant.id, "approved", self._skipped(turn, "approved", error))
            return None

    def _skipped(self, turn: Turn, name: str, error: Exception) -> str:
        """As what it counts."""
        outcome = "overran" if isinstance(error, TimeoutError) else "failed"
        log.warning("step_skipped", turn_id=turn.turn_id, step=name, outcome=outcome, error=failure(error))
        return outcome

    async def _without_core(self, turn: Turn, show: Showing | None, patience: Patience, reason: Reason) -> Reply:
        likely = await self._from_approved(turn, self._approved.likely(turn, core_was_asked=False))
        if likely is not None:
            return likely
        for step in self._after:
            if (reply := await self._try(step, turn, show, patience, AFTER)) is not None:
                return reply
        return await self._apologise(turn, reason)


def stopped(turn: Turn) -> Reply:
    return Reply(STOPPED[turn.lang], Source.RULE, Reason.CANCELLED)


def _remembering_masks(turn: Turn, reply: Reply) -> Reply:
    """The core may have taken the turn: its late answer speaks of these placeholders."""
    return replace(reply, state=turn.state) if reply.state is None and turn.state.masks else reply


def _better(reply: Reply, likely: Reply | None) -> Reply:
    is_sure = reply.reason is not Reason.NO_EVIDENCE and reply.confidence >= UNSURE
    return reply if likely is None or is_sure else replace(likely, state=reply.state)


def _show_typing(turn: Turn, show: Showing | None) -> None:
    if show is not None:
        show.typing(turn)


async def _in_time(step: Step, turn: Turn, show: Showing | None, revision: int) -> Reply | None:
    """Raises TimeoutError."""
    answer = step.answer(turn, show.draft if show else None, turn.attempts * REVISIONS + revision)
    return await within(step.within_s, answer)


async def _patiently(turn: Turn, patience: Patience, work: Coroutine[Any, Any, Reply | None]) -> Reply | None:
    """What `work` comes to, unless the customer stops it; others have the slot meanwhile."""
    task = asyncio.create_task(work)
    if await patience.slot.aside(_ended_unless(patience.stop, task)):
        return task.result()
    return stopped(turn)


async def _ended_unless(stop: asyncio.Event, work: "asyncio.Task[Reply | None]") -> bool:
    """False where it was stopped first."""
    waiter = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({work, waiter}, return_when=asyncio.FIRST_COMPLETED)
        return work.done()
    finally:
        waiter.cancel()
        if not work.done():
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
