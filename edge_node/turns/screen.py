"""What a customer sees before the reply: drafts, and within half a second that somebody is at work."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from edge_node.messages import Conversation, Draft, Event, Tenant, Turn
from edge_node.storage.records import Ended
from edge_node.turns.room import TenantRoom
from nearside.logs import failure, logger

log = logger("turns")


class DraftTo(Protocol):
    async def __call__(self, tenant: Tenant, conversation: Conversation, draft: Draft) -> None: ...


class TypingTo(Protocol):
    async def __call__(self, tenant: Tenant, conversation: Conversation, turn_id: str) -> None: ...


async def nobody_sees(tenant: Tenant, conversation: Conversation, turn_id: str) -> None:
    """For channels that show nothing."""


@dataclass(frozen=True, slots=True)
class _Awaited:
    """`due_at` in seconds of the loop's clock."""

    tenant: Tenant
    conversation: Conversation
    due_at: float


class Screen:
    """A channel that fails to show something is no reason for a turn to fail, nor to wait."""

    def __init__(self, rooms: Mapping[str, TenantRoom], draft: DraftTo, typing: TypingTo, within_s: float) -> None:
        self._rooms, self._draft, self._typing, self._within_s = rooms, draft, typing, within_s
        self._awaited: dict[str, _Awaited] = {}
        """By turn, in the order in which they are due."""
        self._shown: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._showing: set[asyncio.Task[None]] = set()

    def expect(self, tenant: Tenant, conversation: Conversation, turn_id: str) -> None:
        """The customer waits from now on; harmless to repeat."""
        if turn_id not in self._awaited and turn_id not in self._shown:
            due_at = asyncio.get_running_loop().time() + self._within_s
            self._awaited[turn_id] = _Awaited(tenant, conversation, due_at)
            self._set_timer()

    def typing(self, turn: Turn) -> None:
        """At once, for what comes next takes a while; once for each turn."""
        self.expect(turn.tenant, turn.conversation, turn.turn_id)
        self._show_typing(turn.turn_id)

    async def draft(self, turn: Turn, draft: Draft) -> None:
        """Unless an agent has taken over meanwhile: then the reply will not go out either."""
        made = Ended(turn.conversation, Event(turn.event_id, turn.turn_id, "reply", {}), turn.epoch)
        room = self._rooms[turn.tenant.id]
        if not room.store.may_send(made) or not room.may_show(draft.text):
            return
        try:
            await self._draft(turn.tenant, turn.conversation, draft)
        except Exception as error:
            log.warning("draft_not_shown", turn_id=turn.turn_id, error=failure(error))

    def ended(self, turn_ids: Iterable[str]) -> None:
        """Nobody looks at them any more, until what was promised comes."""
        for turn_id in turn_ids:
            self._awaited.pop(turn_id, None)
            self._shown.discard(turn_id)

    def _set_timer(self) -> None:
        """One for all: it wakes for the first, which has often been answered by then."""
        if self._timer is None and (first := self._first()) is not None:
            self._timer = asyncio.get_running_loop().call_at(self._awaited[first].due_at, self._show_due)

    def _show_due(self) -> None:
        self._timer, now = None, asyncio.get_running_loop().time()
        while (first := self._first()) is not None and self._awaited[first].due_at <= now:
            self._show_typing(first)
        self._set_timer()

    def _first(self) -> str | None:
        return next(iter(self._awaited), None)

    def _show_typing(self, turn_id: str) -> None:
        if (awaited := self._awaited.pop(turn_id, None)) is not None:
            self._shown.add(turn_id)
            task = asyncio.create_task(self._tell(turn_id, awaited))
            self._showing.add(task)
            task.add_done_callback(self._showing.discard)

    async def _tell(self, turn_id: str, awaited: _Awaited) -> None:
        try:
            await self._typing(awaited.tenant, awaited.conversation, turn_id)
        except Exception as error:
            log.warning("typing_not_shown", turn_id=turn_id, error=failure(error))
