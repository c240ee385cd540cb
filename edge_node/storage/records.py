"""Rows as values, and the JSON that columns hold."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

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


@dataclass(frozen=True, slots=True)
class OpenTurn:
    """A turn of the inbox that has not ended."""

    turn_id: str
    conversation_id: str
    received_at: float
    deferred: bool


@dataclass(frozen=True, slots=True)
class LoadedTurn:
    """All that a turn needs to run."""

    conversation: Conversation
    text: str
    lang: Lang | None
    state: ConversationState
    owner: Owner
    epoch: int
    event_id: int
    received_at: float


@dataclass(frozen=True, slots=True)
class Ended:
    """A reply, committed: its event, and the conversation it goes to."""

    conversation: Conversation
    event: Event


def state_to_json(state: ConversationState) -> str:
    return json.dumps(asdict(state), ensure_ascii=False, separators=(",", ":"))


def state_from_json(text: str) -> ConversationState:
    raw = json.loads(text)
    form = raw.pop("form", None)
    return ConversationState(**raw, form=FormState(**form) if form else None)


def reply_body(turn_id: str, reply: Reply, at: float, timing_ms: Mapping[str, float]) -> dict[str, Any]:
    return {
        "turn_id": turn_id,
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
