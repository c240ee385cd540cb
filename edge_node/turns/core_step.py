"""The core's rung: mask, ask, stream the checked sentences, unmask."""

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Protocol

from edge_node.messages import ConversationState, Draft, Reply, Turn
from edge_node.privacy.masking import Blocked, Masker, mask_turn
from edge_node.privacy.policy import Privacy
from edge_node.turns.fair import Fair
from edge_node.turns.steps import ShowDraft
from edge_node.turns.texts import blocked
from edge_node.uplink.base import Answer, Uplink
from nearside.errors import UplinkError
from nearside.logs import failure, logger
from nearside.origins import Reason, Source

log = logger("turns")

PLACES = 256
"""Turns at the core at a time."""
REVISIONS = 1000
"""Of one attempt; those of the next one are higher, so that its draft takes the place of what was shown before."""


class Memory(Protocol):
    """Keeps what the core says, for whoever asks the same."""

    def as_of(self) -> int:
        """To be noted when the core is asked."""
        ...

    async def learn(self, turn: Turn, answer: Answer, as_of: int, *, is_plain: bool) -> None:
        """`is_plain`: no personal data was found in the question."""
        ...


@dataclass(frozen=True, slots=True)
class CoreStep:
    """`time_s` is the whole turn's deadline, `first_s` that of its first sentence, while the customer waits for it.

    `hash_key` and `privacy` are the tenant's; `places` at the core are all tenants'.
    """

    uplink: Uplink
    hash_key: bytes
    time_s: float
    places: Fair = field(default_factory=lambda: Fair(PLACES))
    memory: Memory | None = None
    first_s: float | None = None
    privacy: Privacy = field(default_factory=Privacy)

    async def is_up(self) -> bool:
        return await self.uplink.is_up()

    async def answer(self, turn: Turn, show: ShowDraft | None) -> Reply:
        """Raises UplinkError. Without `show` nothing is streamed (a late answer).

        The turn remembers what was masked, whether or not an answer comes: a repeated turn gets its first answer.
        """
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
        known = turn.state.masks
        masker = Masker(known, self.privacy)
        try:
            masked = await mask_turn(turn, masker, self.privacy, self.hash_key, time_left_s)
        except Blocked as error:
            return Reply(blocked(turn.lang, error.kinds), Source.FALLBACK, Reason.PRIVACY_BLOCKED, confidence=0.0)
        turn.state = replace(turn.state, masks=masker.masks)
        masked = replace(masked, first_s=None if turn.late else self.first_s)
        as_of = self.memory.as_of() if self.memory is not None else 0
        async with aclosing(self.uplink.answer(masked)) as events:
            async for event in events:
                if isinstance(event, Answer):
                    await self._learn(turn, event, as_of, is_plain=masked.is_plain)
                    return _reply(event, masker, turn.state if masker.masks != known else None)
                if show is not None:
                    text = masker.unmask(event.text)
                    revision = turn.attempts * REVISIONS + event.revision
                    await show(turn, Draft(turn.turn_id, revision, event.sequence, text))
        raise AssertionError("an uplink ends with an answer or an error")

    async def _learn(self, turn: Turn, answer: Answer, as_of: int, *, is_plain: bool) -> None:
        """An answer that cannot be kept is still one."""
        try:
            if self.memory is not None:
                await self.memory.learn(turn, answer, as_of, is_plain=is_plain)
        except Exception as error:
            log.warning("answer_not_kept", turn_id=turn.turn_id, error=failure(error))


def _reply(answer: Answer, masker: Masker, state: ConversationState | None) -> Reply:
    return Reply(
        text=masker.unmask(answer.text),
        source=Source.CORE,
        reason=Reason.GROUNDED if answer.grounded else Reason.NO_EVIDENCE,
        confidence=answer.confidence,
        citations=tuple(masker.unmask_citation(citation) for citation in answer.citations),
        knowledge_version=answer.knowledge_version,
        timing_ms=answer.timing_ms,
        state=state,
    )
