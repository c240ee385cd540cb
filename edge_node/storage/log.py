"""The log of a conversation: what came in and what went out, in order."""

import json
from collections.abc import Mapping
from typing import Any, cast

from edge_node.messages import Conversation, Event, HistoryItem, Owner
from nearside.database import Connection

HISTORY_ITEMS = 20


def append(db: Connection, conversation_id: str, turn_id: str, kind: str, body: str, at: float) -> int:
    """`body` is JSON. The line's id."""
    cursor = db.execute(
        "INSERT INTO log (conversation_id, turn_id, kind, body, created_at) VALUES (?, ?, ?, ?, ?)",
        (conversation_id, turn_id, kind, body, at),
    )
    return cast(int, cursor.lastrowid)


def events(db: Connection, conversation_id: str, after: int, limit: int) -> list[Event]:
    rows = db.execute(
        "SELECT id, turn_id, kind, body FROM log WHERE conversation_id = ? AND id > ? ORDER BY id LIMIT ?",
        (conversation_id, after, limit),
    )
    return [Event(id, turn_id, kind, json.loads(body)) for id, turn_id, kind, body in rows]


def reply_to(db: Connection, turn_id: str) -> Event | None:
    """The newest reply of the turn, or of the one it was merged into."""
    row = db.execute(
        "SELECT log.id, kind, body FROM inbox JOIN log USING (conversation_id)"
        " WHERE inbox.turn_id = ? AND log.turn_id = inbox.turn_id AND kind = 'reply' ORDER BY log.id DESC LIMIT 1",
        (turn_id,),
    ).fetchone()
    if row is not None:
        return Event(row[0], turn_id, row[1], json.loads(row[2]))
    merged = db.execute("SELECT answered_by FROM inbox WHERE turn_id = ?", (turn_id,)).fetchone()
    return reply_to(db, merged[0]) if merged and merged[0] else None


def history(db: Connection, conversation_id: str, before: int) -> tuple[HistoryItem, ...]:
    """What was said before the event `before`, oldest first."""
    rows = db.execute(
        "SELECT kind, body FROM log WHERE conversation_id = ? AND id < ? ORDER BY id DESC LIMIT ?",
        (conversation_id, before, HISTORY_ITEMS),
    ).fetchall()
    return tuple(_history_item(kind, json.loads(body)) for kind, body in reversed(rows))


def _history_item(kind: str, body: Mapping[str, Any]) -> HistoryItem:
    if kind == "message":
        return HistoryItem("customer", body["text"])
    return HistoryItem("agent" if body["source"] == "agent" else "assistant", body["text"])


def conversation(db: Connection, channel: str, account: str, thread: str) -> tuple[Conversation, Owner] | None:
    row = db.execute(
        "SELECT id, customer, owner FROM conversations WHERE channel = ? AND account = ? AND thread = ?",
        (channel, account, thread),
    ).fetchone()
    return (Conversation(row[0], channel, account, thread, row[1]), row[2]) if row else None
