"""What the rooms of the edge hand to each other. Imports nothing of the edge."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Protocol

from pydantic import StringConstraints

from nearside.encoder import Encoding
from nearside.nearest import Match
from nearside.origins import Reason, Source

Lang = Literal["en", "zh"]
Owner = Literal["bot", "agent"]
Role = Literal["customer", "assistant", "agent"]

ACCOUNT = "default"
"""The one account of a channel that has no others."""
TEXT_LIMIT = 8_000
"""Characters of one inbound message."""
Says = Annotated[str, StringConstraints(min_length=1, max_length=TEXT_LIMIT, pattern=r"\S")]
"""What a customer may send: something, and not too much."""


@dataclass(frozen=True, slots=True)
class Branding:
    """How a tenant's chat looks and opens."""

    color: str
    greeting: Mapping[Lang, str]
    suggestions: Mapping[Lang, tuple[str, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Tenant:
    """One company, as handed out at the door. Only `app` makes these; holding one is the only way to its data."""

    id: str
    name: Mapping[Lang, str]
    default_lang: Lang
    branding: Branding
    languages: tuple[Lang, ...] = ("en", "zh")
    """Those it is answered in; `default_lang` is one of them."""
    phone: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Inbound:
    """A message at the door, verified and parsed by its channel. `message_id` is the sender's, unique per account."""

    channel: str
    account: str
    thread: str
    message_id: str
    customer: str
    text: str
    lang: Lang | None = None
    attachments: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Accepted:
    """Committed. `event_id` is the message's place in its conversation's log."""

    message_id: str
    turn_id: str
    conversation_id: str
    event_id: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Conversation:
    id: str
    channel: str
    account: str
    thread: str
    customer: str


@dataclass(frozen=True, slots=True)
class HistoryItem:
    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class FormState:
    """A form under way: the rule it belongs to, what it waits for, and how often it asked for that."""

    rule_id: str
    waits_for: str
    tries: int = 0


@dataclass(frozen=True, slots=True)
class ConversationState:
    """What a conversation remembers between turns, stored as JSON. `verified` maps a subject to how it was proven."""

    lang: Lang | None = None
    slots: Mapping[str, str] = field(default_factory=dict)
    form: FormState | None = None
    verified: Mapping[str, str] = field(default_factory=dict)
    verification_tries: int = 0
    ticket: str = ""
    masks: Mapping[str, str] = field(default_factory=dict)
    """Placeholder → what it stands for; never leaves the edge."""


@dataclass(frozen=True, slots=True)
class Citation:
    title: str
    uri: str
    quote: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back. `state` and `owner` take effect with the reply, in one transaction; None leaves them."""

    text: str
    source: Source
    reason: Reason
    confidence: float = 1.0
    citations: tuple[Citation, ...] = ()
    final: bool = True
    quotes: str | None = None
    knowledge_version: str = ""
    state: ConversationState | None = None
    owner: Owner | None = None
    quick_replies: tuple[str, ...] = ()
    timing_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Draft:
    """One checked sentence of a reply in the making; a higher `revision` replaces the draft so far."""

    turn_id: str
    revision: int
    sequence: int
    text: str


@dataclass(slots=True, eq=False)
class Turn:
    """One inbound message on its way to a reply."""

    tenant: Tenant
    turn_id: str
    conversation: Conversation
    text: str
    lang: Lang
    state: ConversationState
    owner: Owner
    epoch: int
    event_id: int
    received_at: float
    history: Callable[[], Awaitable[tuple[HistoryItem, ...]]]
    """What was said before, oldest first; read only by a step that needs it."""
    nearest: Callable[[], Awaitable[Sequence[Match]]]
    """The approved examples nearest to `text`, best first, one per label; computed once, off the event loop."""
    encoding: Callable[[], Awaitable[Encoding | None]]
    """That of the question in `text`, by the same run of the encoder; None where it could not be had in time."""
    merged: tuple[str, ...] = ()
    """The turns before it whose messages are part of `text`; they end with it."""
    attempts: int = 0
    """Begun, as far as that was recorded: 0 for a turn that runs for the first time."""
    late: bool = False
    """The customer has been told to wait for it: its reply quotes the question."""


@dataclass(frozen=True, slots=True)
class Event:
    """A line of a conversation's log: `kind` is "message" or "reply"; `body` is its outward JSON."""

    id: int
    turn_id: str
    kind: Literal["message", "reply"]
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A committed reply on its way out of a channel; `attempt` counts from 1.

    `key` is the same at every attempt: what a vendor's idempotency key is made of. `doubtful`: an earlier send of
    it may have arrived.
    """

    tenant: Tenant
    conversation: Conversation
    event: Event
    attempt: int
    key: str
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class MaskedTurn:
    """A turn with its personal data replaced by placeholders; only `privacy` makes these, only these leave the edge."""

    tenant_id: str
    turn_id: str
    conversation_ref: str
    text: str
    lang: Lang
    history: tuple[HistoryItem, ...]
    time_left_s: float
    first_s: float | None = None
    """How long its first sentence may take; None: as long as all of it."""
    is_plain: bool = False
    """Nothing personal was found in its text, not even what is allowed to leave."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer of the core under a keyed hash of its question; `turn_id` is that of who asked first.

    `signature` and `words` are keyed hashes too; `vector` is float32, or empty. `answer` is JSON.
    """

    key: bytes
    turn_id: str
    version: str
    signature: bytes
    words: bytes
    vector: bytes
    answer: str
    kept_at: float


class DeadReason(StrEnum):
    """Why something stands in the dead list, where a person decides what becomes of it."""

    TURN_FAILED = "turn_failed"  # every attempt raised
    INTERRUPTED = "interrupted"  # the program ended in the middle of it again and again
    RESTORED = "restored"  # open at the backup: it may have been answered since
    GAVE_UP = "gave_up"  # the channel failed until the time was over
    REFUSED = "refused"  # the channel says it will never take it
    OUTCOME_UNKNOWN = "outcome_unknown"  # a write call of which nobody knows whether it happened


class Accept(Protocol):
    """The door: commits the message, then returns. Raises Refused before anything is stored."""

    async def __call__(self, tenant: Tenant, inbound: Inbound) -> Accepted: ...


def message_body(message: Inbound, at: float) -> dict[str, Any]:
    """A customer's message as it stands in the log and goes out; `at` in seconds since 1970."""
    body: dict[str, Any] = {"id": message.message_id, "text": message.text, "at": timestamp(at)}
    if message.attachments:
        body["attachments"] = [dict(attachment) for attachment in message.attachments]
    return body


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC, with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
