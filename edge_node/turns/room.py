"""What the pipeline needs of one tenant, and a turn made ready to run."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Protocol

from edge_node.messages import Lang, Reply, Tenant, Turn
from edge_node.storage.records import LoadedTurn
from edge_node.storage.store import TenantStore
from edge_node.turns.ladder import Ladder
from edge_node.turns.look_ups import Once
from nearside.encoder import Encoding
from nearside.lexical import has_cjk
from nearside.nearest import Match


class LookUps(Protocol):
    def nearest(self, text: str) -> Callable[[], Awaitable[Sequence[Match]]]:
        """A look-up of the approved examples, that runs at the first call and is remembered."""
        ...

    def encoding(self, text: str) -> Callable[[], Awaitable[Encoding]]:
        """That of the question in `text`, by the same run of the encoder."""
        ...


def _as_it_is(_turn: Turn, reply: Reply) -> Reply:
    return reply


def _nobody_counts(_tenant_id: str, _step: str, _outcome: str) -> None:
    return


@dataclass(frozen=True, slots=True)
class TenantRoom:
    """`interrupts` says whether a text stops a turn that waits for the core.

    `debounce_s`: how long a customer must be quiet before what was written is answered, all at once; 0 answers each
    message by itself.
    """

    tenant: Tenant
    store: TenantStore
    semantics: LookUps
    ladder: Ladder
    interrupts: Callable[[str], bool]
    debounce_s: float = 0.0
    skipped: Callable[[str, str, str], None] = _nobody_counts
    """Is told tenant, name and outcome of a look-up that a turn goes on without."""
    screened: Callable[[Turn, Reply], Reply] = _as_it_is
    """What goes out instead of a reply, whatever its source."""
    may_show: Callable[[str], bool] = lambda _text: True
    """Whether a sentence may be shown before its reply is screened."""

    async def turn(self, turn_ids: Sequence[str], *, late: bool = False) -> Turn | None:
        """Those of the turns that are open, as one; None if all have ended."""
        lines = await self.lines(turn_ids)
        return self._ready(lines, late) if lines else None

    async def lines(self, turn_ids: Sequence[str]) -> list[LoadedTurn]:
        """Those that are open, each by itself."""
        return [line for turn_id in turn_ids if (line := await self.store.load(turn_id)) is not None]

    def _ready(self, lines: Sequence[LoadedTurn], late: bool) -> Turn:
        """Named after the last line; what was said before is what was said before the first."""
        first, last = lines[0], lines[-1]
        text = last.text if first is last else "\n".join(line.text for line in lines)
        return Turn(
            tenant=self.tenant,
            turn_id=last.turn_id,
            conversation=last.conversation,
            text=text,
            lang=reply_lang(text, last.lang, last.state.lang, self.tenant),
            state=last.state,
            owner=last.owner,
            epoch=last.epoch,
            event_id=first.event_id,
            received_at=first.received_at,
            history=lambda: self.store.history(last.conversation.id, first.event_id),
            nearest=self._nearest(text),
            encoding=self._encoding(text),
            merged=last.merged if first is last else _before(lines),
            attempts=last.attempts,
            late=late or last.replied,
        )

    def _nearest(self, text: str) -> Once[Sequence[Match]]:
        return Once(self.semantics.nearest(text), (), partial(self.skipped, self.tenant.id, "nearest"))

    def _encoding(self, text: str) -> Once[Encoding | None]:
        return Once(self.semantics.encoding(text), None, partial(self.skipped, self.tenant.id, "encoding"))


def _before(lines: Sequence[LoadedTurn]) -> tuple[str, ...]:
    """All that ends with the last line."""
    return tuple(turn_id for line in lines for turn_id in (*line.merged, line.turn_id))[:-1]


def reply_lang(text: str, asked: Lang | None, remembered: Lang | None, tenant: Tenant) -> Lang:
    """The language of the text itself; a text without letters ("1042") keeps the conversation's.

    Whatever the customer writes, the answer is in one of the tenant's languages.
    """
    lang: Lang = remembered or asked or tenant.default_lang
    if has_cjk(text):
        lang = "zh"
    elif len(tuple(islice(filter(str.isalpha, text), 2))) == 2:
        lang = "en"
    return lang if lang in tenant.languages else tenant.default_lang
