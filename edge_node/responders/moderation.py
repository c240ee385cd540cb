"""A company's moderation lists: what is not taken from customers, and what no reply may say."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from edge_node.messages import Reply, Turn
from edge_node.responders.base import Responder
from nearside.moderation import Moderation
from nearside.origins import Reason, Source

HandOver = Callable[[Turn], Awaitable[Reply]]


class Moderator:
    """Of one tenant. An agent who has the conversation sees everything and deals with it."""

    def __init__(self, lists: Moderation) -> None:
        self._lists = lists

    @property
    def watches_the_door(self) -> bool:
        return bool(self._lists.incoming)

    def at_the_door(self, hand_over: HandOver) -> Responder:
        """The first step of the ladder. `hand_over` gives a conversation to an agent."""
        return _Door(self._lists, hand_over)

    def screened(self, turn: Turn, reply: Reply) -> Reply:
        """What goes out instead of `reply`; what the reply changes is changed all the same."""
        if not self._lists.may_say(reply.text):
            said = self._lists.instead.in_lang(turn.lang)
            blank = Reply(said, Source.RULE, Reason.MODERATION, state=reply.state, owner=reply.owner)
            return replace(blank, timing_ms=reply.timing_ms)
        if turn.owner == "agent" or turn.late or (listed := self._lists.of(turn.text)) is None:
            return reply
        return (
            replace(reply, text=f"{listed.said.in_lang(turn.lang)}\n{reply.text}") if listed.action == "warn" else reply
        )


@dataclass(frozen=True, slots=True)
class _Door:
    lists: Moderation
    hand_over: HandOver

    async def answer(self, turn: Turn) -> Reply | None:
        listed = None if turn.owner == "agent" else self.lists.of(turn.text)
        if listed is None or listed.action == "warn":
            return None
        if listed.action == "handoff":
            return replace(await self.hand_over(turn), reason=Reason.HANDOFF)
        return Reply(listed.said.in_lang(turn.lang), Source.RULE, Reason.MODERATION)
