"""Rows as values, and the JSON that columns hold."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from edge_node.messages import (
    Conversation,
    ConversationState,
    Event,
    FormState,
    Lang,
    Owner,
    Reply,
    timestamp,
)

CallStatus = Literal["intended", "done", "failed", "unknown", "settled"]


@dataclass(frozen=True, slots=True)
class OpenTurn:
    """A turn of the inbox that has not ended. `doubtful`: open in a restored backup, perhaps answered since."""

    turn_id: str
    conversation_id: str
    received_at: float
    deferred: bool
    attempts: int
    doubtful: bool
    channel: str


@dataclass(frozen=True, slots=True)
class LoadedTurn:
    """All that a turn needs to run.

    `merged` are the turns that end with this one: `text` has all their messages, `event_id` and `received_at` are
    those of the first. `replied`: a reply that was not final went out before.
    """

    turn_id: str
    conversation: Conversation
    text: str
    lang: Lang | None
    state: ConversationState
    owner: Owner
    epoch: int
    event_id: int
    received_at: float
    attempts: int
    merged: tuple[str, ...] = ()
    replied: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """A reply, committed: its event, the conversation it goes to, and the epoch it was written in."""

    conversation: Conversation
    event: Event
    epoch: int


@dataclass(frozen=True, slots=True)
class Unsent:
    """A reply still to be sent, not before `next_at`. `doubts` counts sends of which nobody knows whether they arrived.

    `doubtful`: unsent in a restored backup, perhaps sent since. `since`: from when its time runs, in seconds of 1970.
    """

    ended: Ended
    attempts: int
    next_at: float | None
    doubts: int
    doubtful: bool
    since: float


@dataclass(frozen=True, slots=True)
class KnownCall:
    """A write call in the ledger; `result` is the JSON text it ended with, `kind` that of its failure."""

    call_id: str
    tool: str
    arguments_digest: bytes
    status: CallStatus
    result: str
    kind: str


@dataclass(frozen=True, slots=True)
class DeadItem:
    """What a person has to decide. Ids: a turn's own, `r<event_id>` of a reply, `<turn_id>/<call_id>` of a call."""

    id: str
    kind: Literal["turn", "reply", "call"]
    conversation_id: str
    channel: str
    account: str
    reason: str
    attempts: int
    tool: str
    since: float
    dead_at: float


@dataclass(frozen=True, slots=True)
class DeadDetail:
    """A dead item with what was said: for the eyes of the company's own people only."""

    item: DeadItem
    customer: str
    message: str
    reply: str
    tool: str


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A turn in the inbox or a reply in the outbox, as a list shows it. Ids as those of DeadItem."""

    id: str
    conversation_id: str
    channel: str
    account: str
    status: str
    reason: str
    attempts: int
    doubts: int
    since: float
    next_at: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """How much is under way. `doubts` counts sends of which nobody knows whether they arrived."""

    queued: int
    deferred: int
    oldest_turn_at: float | None
    pending: int
    oldest_reply_at: float | None
    doubts: int
    dead_turns: int
    dead_replies: int
    dead_calls: int
    erasures: int


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many of each were removed."""

    conversations: int
    messages: int
    replies: int
    turns: int
    outbox: int
    calls: int
    slots_and_masks: int


to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
STATE = tuple(field.name for field in fields(ConversationState))


def state_to_json(state: ConversationState) -> str:
    raw = {name: getattr(state, name) for name in STATE}
    return to_json(raw | {"form": asdict(state.form) if state.form else None})


def state_from_json(text: str) -> ConversationState:
    raw = json.loads(text)
    form = raw.pop("form", None)
    return ConversationState(**raw, form=FormState(**form) if form else None)


def reply_body(
    turn_id: str, merged: Sequence[str], reply: Reply, at: float, timing_ms: Mapping[str, float]
) -> dict[str, Any]:
    return {
        "turn_id": turn_id,
        "answers": [*merged, turn_id],
        "text": reply.text,
        "source": reply.source.value,
        "reason": reply.reason.value,
        "confidence": round(reply.confidence, 4),
        "citations": [asdict(citation) for citation in reply.citations],
        "final": reply.final,
        "quotes": reply.quotes,
        "knowledge_version": reply.knowledge_version,
        "quick_replies": list(reply.quick_replies),
        "owner": reply.owner,
        "at": timestamp(at),
        "timing_ms": dict(timing_ms),
    }
