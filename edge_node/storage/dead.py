"""The dead list: what a person decides, one by one, and what becomes of it."""

import json
import re
from typing import Any, Literal

from edge_node.messages import DeadReason
from edge_node.storage import loading
from edge_node.storage.records import DeadDetail, DeadItem
from nearside.database import Connection

Kind = Literal["turn", "reply", "call"]

TURNS = (
    "SELECT i.turn_id, i.conversation_id, i.channel, i.account, i.reason, i.attempts, '', i.received_at, i.ended_at"
    " FROM inbox i WHERE i.status NOT IN ('done', 'dropped') AND i.status = 'dead'"
)
REPLIES = (
    "SELECT 'r' || o.event_id, c.id, c.channel, c.account, o.reason, o.attempts, '', o.created_at, o.ended_at"
    " FROM outbox o JOIN conversations c ON c.id = o.conversation_id"
    " WHERE o.status NOT IN ('sent', 'dropped') AND o.status = 'dead'"
)
CALLS = (
    "SELECT k.turn_id || '/' || k.call_id, c.id, c.channel, c.account, 'outcome_unknown', 1, k.tool, k.started_at,"
    " k.ended_at FROM calls k JOIN conversations c ON c.id = k.conversation_id WHERE k.status = 'unknown'"
)
ONE = {
    "turn": f"{TURNS} AND i.turn_id = ?",
    "reply": f"{REPLIES} AND o.event_id = ?",
    "call": f"{CALLS} AND k.turn_id = ? AND k.call_id = ?",
}
REVIVE = {
    "turn": "UPDATE inbox SET status = 'queued', reason = 'revived', attempts = 0, ended_at = NULL"
    " WHERE status = 'dead' AND turn_id = ?",
    "reply": "UPDATE outbox SET status = 'pending', reason = '', next_at = NULL, ended_at = NULL, since = ?"
    " WHERE status = 'dead' AND event_id = ?",
}
DISCARD = {
    "turn": "UPDATE inbox SET status = 'dropped', reason = 'discarded', ended_at = ?"
    " WHERE status = 'dead' AND turn_id = ?",
    "reply": "UPDATE outbox SET status = 'dropped', reason = 'discarded', ended_at = ?"
    " WHERE status = 'dead' AND event_id = ?",
    "call": "UPDATE calls SET status = 'settled', ended_at = ?"
    " WHERE status = 'unknown' AND turn_id = ? AND call_id = ?",
}


def dead(db: Connection, limit: int, reason: DeadReason | None) -> list[DeadItem]:
    """The newest first."""
    found = [
        *_items(db, "turn", TURNS, reason, limit, "i.reason"),
        *_items(db, "reply", REPLIES, reason, limit, "o.reason"),
        *_items(db, "call", CALLS, reason, limit, "'outcome_unknown'"),
    ]
    return sorted(found, key=lambda item: item.dead_at, reverse=True)[:limit]


def _items(
    db: Connection, kind: Kind, query: str, reason: DeadReason | None, limit: int, reason_column: str
) -> list[DeadItem]:
    query = f"{query} AND ifnull({reason_column} = ?, true) ORDER BY 9 DESC LIMIT ?"
    return [_item(kind, row) for row in db.execute(query, (reason and reason.value, limit))]


def _item(kind: Kind, row: tuple[Any, ...]) -> DeadItem:
    item_id, conversation_id, channel, account, reason, attempts, tool, since, dead_at = row
    return DeadItem(item_id, kind, conversation_id, channel, account, reason, attempts, tool, since, dead_at)


def find(db: Connection, item_id: str) -> DeadItem | None:
    kind, key = _parsed(item_id)
    row = db.execute(ONE[kind], key).fetchone()
    return _item(kind, row) if row else None


def revive(db: Connection, item_id: str, at: float) -> DeadItem | None:
    """The item as it was, now open again; None where there is none or it cannot be tried again."""
    kind, key = _parsed(item_id)
    item = find(db, item_id)
    if item is None or kind == "call":
        return None
    db.execute(REVIVE[kind], key if kind == "turn" else (at, *key))
    return item


def discard(db: Connection, item_id: str, at: float) -> DeadItem | None:
    kind, key = _parsed(item_id)
    item = find(db, item_id)
    if item is not None:
        db.execute(DISCARD[kind], (at, *key))
    return item


def detail(db: Connection, item_id: str) -> DeadDetail | None:
    item = find(db, item_id)
    if item is None:
        return None
    kind, key = _parsed(item_id)
    turn_id, reply = str(key[0]), ""
    if kind == "reply":
        turn_id, body = db.execute("SELECT turn_id, body FROM log WHERE id = ?", key).fetchone()
        reply = json.loads(body)["text"]
    message = loading.said_in(db, turn_id)
    customer = db.execute("SELECT customer FROM conversations WHERE id = ?", (item.conversation_id,)).fetchone()[0]
    return DeadDetail(item, customer, message, reply, item.tool)


def reply_event(item_id: str) -> int | None:
    """The event of a reply's id."""
    return int(item_id[1:]) if re.fullmatch("r[0-9]{1,18}", item_id) else None


def _parsed(item_id: str) -> tuple[Kind, tuple[object, ...]]:
    if (event_id := reply_event(item_id)) is not None:
        return "reply", (event_id,)
    turn_id, is_call, call_id = item_id.partition("/")
    return ("call", (turn_id, call_id)) if is_call else ("turn", (turn_id,))
