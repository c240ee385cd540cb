"""One turn as rules see it, and the replies that change what the conversation remembers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from edge_node.messages import ConversationState, FormState, Lang, Owner, Reply, Turn
from nearside.opening import HoursView
from nearside.origins import Reason, Source
from nearside.rules import Sight
from nearside.rules.schema import ANSWER_LIMIT

CONFIRM, PROOF, OFFER = "@confirm", "@proof", "@offer"
"""What a form may wait for besides a slot: yes or no, a second fact, yes or no to a human."""

_LAST = "last."
_REMEMBERED_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class Scene:
    turn: Turn
    sight: Sight
    look_at_hours: Callable[[Lang], HoursView]
    state: ConversationState
    """As of now in this turn: a proof may have been added."""
    lang: Lang
    message: str
    """What a ticket quotes: the message, or the one before it when this one is only a yes."""
    confidence: float = 1.0

    @property
    def hours(self) -> HoursView:
        return self.look_at_hours(self.lang)

    @property
    def slots(self) -> dict[str, str]:
        """The values of the form under way."""
        return {name: value for name, value in self.state.slots.items() if not name.startswith(_LAST)}

    def last(self, name: str) -> str | None:
        """What the customer last gave for a slot, in a form that has ended."""
        return self.state.slots.get(f"{_LAST}{name}")

    def context(self, slots: Mapping[str, str], result: Any = None) -> dict[str, Any]:
        tenant = self.turn.tenant
        return {
            "slots": slots,
            "result": {} if result is None else result,
            "hours": self.hours,
            "tenant": {
                "name": tenant.name.get(self.lang) or next(iter(tenant.name.values()), ""),
                "phone": tenant.phone,
                "email": tenant.email,
            },
            "lang": self.lang,
            "ticket": self.state.ticket,
        }

    def argument_context(self, slots: Mapping[str, str]) -> dict[str, Any]:
        conversation = self.turn.conversation
        return {
            "slots": slots,
            "lang": self.lang,
            "message": self.message[:ANSWER_LIMIT],
            "conversation": conversation.id,
            "channel": conversation.channel,
        }

    def waiting(self, slots: Mapping[str, str], form: FormState) -> ConversationState:
        return replace(self.state, slots={**_remembered(self.state.slots), **slots}, form=form)

    def settled(self, slots: Mapping[str, str]) -> ConversationState:
        """The form has ended: its values are remembered as suggestions only."""
        ended = {f"{_LAST}{name}": value for name, value in slots.items() if len(value) <= _REMEMBERED_CHARACTERS}
        return replace(self.state, slots={**_remembered(self.state.slots), **ended}, form=None)

    def reply(
        self,
        text: str,
        reason: Reason,
        state: ConversationState,
        *,
        owner: Owner | None = None,
        quick_replies: tuple[str, ...] = (),
    ) -> Reply:
        return Reply(
            text,
            Source.RULE,
            reason,
            self.confidence,
            state=None if state == self.turn.state else state,
            owner=owner,
            quick_replies=quick_replies,
        )


def facts(state: ConversationState) -> dict[str, str]:
    """Slots as conditions see them: the form under way, then what was said before."""
    before = {name.removeprefix(_LAST): value for name, value in _remembered(state.slots).items()}
    return {**before, **{name: value for name, value in state.slots.items() if not name.startswith(_LAST)}}


def _remembered(slots: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in slots.items() if name.startswith(_LAST)}
