"""What the pipeline needs of one tenant, and a turn made ready to run."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from edge_node.messages import Lang, Tenant, Turn
from edge_node.storage.records import LoadedTurn
from edge_node.storage.store import TenantStore
from edge_node.turns.ladder import Ladder
from nearside.lexical import has_cjk
from nearside.nearest import Match


class Nearest(Protocol):
    def nearest(self, text: str) -> Callable[[], Awaitable[Sequence[Match]]]:
        """A lookup of the approved examples, that runs at the first call and is remembered."""
        ...


@dataclass(frozen=True, slots=True)
class TenantRoom:
    """`interrupts` says whether a text stops a turn that waits for the core."""

    tenant: Tenant
    store: TenantStore
    semantics: Nearest
    ladder: Ladder
    interrupts: Callable[[str], bool]

    async def turn(self, turn_id: str) -> Turn | None:
        """The turn, or None if it has ended."""
        loaded = await self.store.load(turn_id)
        return None if loaded is None else self._ready(turn_id, loaded)

    def _ready(self, turn_id: str, loaded: LoadedTurn) -> Turn:
        return Turn(
            tenant=self.tenant,
            turn_id=turn_id,
            conversation=loaded.conversation,
            text=loaded.text,
            lang=reply_lang(loaded.text, loaded.lang, loaded.state.lang, self.tenant),
            state=loaded.state,
            owner=loaded.owner,
            epoch=loaded.epoch,
            event_id=loaded.event_id,
            received_at=loaded.received_at,
            history=lambda: self.store.history(loaded.conversation.id, loaded.event_id),
            nearest=self.semantics.nearest(loaded.text),
        )


def reply_lang(text: str, asked: Lang | None, remembered: Lang | None, tenant: Tenant) -> Lang:
    """The language of the text itself; a text without letters ("1042") keeps the conversation's.

    Whatever the customer writes, the answer is in one of the tenant's languages.
    """
    lang: Lang = remembered or asked or tenant.default_lang
    if has_cjk(text):
        lang = "zh"
    elif sum(character.isalpha() for character in text) >= 2:
        lang = "en"
    return lang if lang in tenant.languages else tenant.default_lang
