"""The core's rung: mask, ask, stream the checked sentences, unmask."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from edge_node.messages import Draft, Reply, Turn
from edge_node.privacy.masking import Masker, mask_turn
from edge_node.turns.fair import Fair
from edge_node.uplink.base import Answer, Uplink
from nearside.errors import UplinkError
from nearside.origins import Reason, Source

ShowDraft = Callable[[Turn, Draft], Awaitable[None]]

PLACES = 256
"""Turns at the core at a time."""
REVISIONS = 1000
"""Of one attempt; those of the next one are higher, so that its draft takes the place of what was shown before."""


@dataclass(frozen=True, slots=True)
class CoreStep:
    """`time_s` is the whole turn's deadline; `hash_key` is the tenant's; `places` at the core are all tenants'."""

    uplink: Uplink
    hash_key: bytes
    time_s: float
    places: Fair = field(default_factory=lambda: Fair(PLACES))

    async def is_up(self) -> bool:
        return await self.uplink.is_up()

    async def answer(self, turn: Turn, show: ShowDraft | None) -> Reply:
        """Raises UplinkError. Without `show` nothing is streamed (a late answer)."""
        ends_at = time.monotonic() + self.time_s
        try:
            async with asyncio.timeout(self.time_s):
                await self.places.take(turn.tenant.id)
        except TimeoutError:
            raise UplinkError(Reason.CORE_OVERLOADED, "no place at the core in time") from None
        try:
            return await self._ask(turn, show, ends_at - time.monotonic())
        finally:
            self.places.give_back(turn.tenant.id)

    async def _ask(self, turn: Turn, show: ShowDraft | None, time_left_s: float) -> Reply:
        masker = Masker(turn.state.masks)
        masked = await mask_turn(turn, masker, self.hash_key, time_left_s)
        async with aclosing(self.uplink.answer(masked)) as events:
            async for event in events:
                if isinstance(event, Answer):
                    return _reply(turn, event, masker)
                if show is not None:
                    text = masker.unmask(event.text)
                    revision = turn.attempts * REVISIONS + event.revision
                    await show(turn, Draft(turn.turn_id, revision, event.sequence, text))
        raise AssertionError("an uplink ends with an answer or an error")


def _reply(turn: Turn, answer: Answer, masker: Masker) -> Reply:
    return Reply(
        text=masker.unmask(answer.text),
        source=Source.CORE,
        reason=Reason.GROUNDED if answer.grounded else Reason.NO_EVIDENCE,
        confidence=answer.confidence,
        citations=tuple(masker.unmask_citation(citation) for citation in answer.citations),
        knowledge_version=answer.knowledge_version,
        timing_ms=answer.timing_ms,
        state=replace(turn.state, masks=masker.masks) if masker.masks != turn.state.masks else None,
    )
