"""A turn made ready to run: its message, those that are answered with it, and its conversation."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge_node.messages import Conversation, Lang
from edge_node.storage.records import LoadedTurn, state_from_json
from nearside.database import Connection


@dataclass(frozen=True, slots=True)
class _Said:
    """One message of the inbox, on its way into a turn."""

    turn_id: str
    event_id: int
    received_at: float
    attempts: int
    lang: Lang | None
    text: str


SAID = (
    "SELECT i.turn_id, i.event_id, i.received_at, i.attempts, i.lang, l.body"
    " FROM log l JOIN inbox i ON i.event_id = l.id AND i.turn_id = l.turn_id"
)


def load(db: Connection, turn_id: str) -> LoadedTurn | None:
    row = db.execute(
        "SELECT i.turn_id, i.event_id, i.received_at, i.attempts, i.lang, l.body, i.reason, c.id, c.channel, c.account,"
        " c.thread, c.customer, c.state, c.owner, c.epoch FROM inbox i"
        " JOIN conversations c ON c.id = i.conversation_id JOIN log l ON l.id = i.event_id"
        " WHERE i.turn_id = ? AND i.status IN ('queued', 'deferred')",
        (turn_id,),
    ).fetchone()
    if row is None:
        return None
    own, reason, conversation = _said(row[:6]), row[6], Conversation(*row[7:12])
    said = [*merged_into(db, turn_id), own] if reason else [own]
    return LoadedTurn(
        turn_id=turn_id,
        conversation=conversation,
        text="\n".join(item.text for item in said),
        lang=own.lang,
        state=state_from_json(row[12]),
        owner=row[13],
        epoch=row[14],
        event_id=said[0].event_id,
        received_at=said[0].received_at,
        attempts=max(item.attempts for item in said),
        merged=tuple(item.turn_id for item in said[:-1]),
        replied=bool(reason) and _has_reply(db, conversation.id, own),
    )


def _said(row: Sequence[Any]) -> _Said:
    turn_id, event_id, received_at, attempts, lang, body = row
    return _Said(turn_id, event_id, received_at, attempts, lang, json.loads(body)["text"])


def _has_reply(db: Connection, conversation_id: str, said: _Said) -> bool:
    query = "SELECT 1 FROM log WHERE conversation_id = ? AND id > ? AND turn_id = ? AND kind = 'reply' LIMIT 1"
    return db.execute(query, (conversation_id, said.event_id, said.turn_id)).fetchone() is not None


def merged_into(db: Connection, turn_id: str) -> list[_Said]:
    """What ended with the turn when it was answered for the time being."""
    rows = db.execute(f"{SAID} WHERE i.answered_by = ? ORDER BY l.id", (turn_id,))
    return [_said(row) for row in rows]


def said_in(db: Connection, turn_id: str) -> str:
    """What the customer said in a turn, whatever became of it: all of it where several messages were one turn."""
    own = db.execute(f"{SAID} WHERE i.turn_id = ?", (turn_id,))
    return "\n".join(item.text for item in (*merged_into(db, turn_id), *map(_said, own)))
