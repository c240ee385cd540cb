"""Forgetting a customer: every trace goes in one transaction, but for a hash that knows a message if it comes again."""

import json
from collections.abc import Sequence

from edge_node.messages import Accepted
from edge_node.storage.records import Forgotten
from edge_node.storage.seen import Seen
from nearside.database import Connection

PERSONAL = ("slots", "masks")


def conversations_of(db: Connection, customer: str, channel: str | None) -> list[str]:
    query = "SELECT id FROM conversations WHERE customer = ? AND channel = coalesce(?, channel)"
    return [row[0] for row in db.execute(query, (customer, channel))]


def forget(db: Connection, conversation_ids: Sequence[str], seen: Seen, at: float) -> Forgotten:
    counted = [_forget_one(db, conversation_id, seen, at) for conversation_id in conversation_ids]
    messages, replies, turns, outbox, calls, personal = map(sum, zip(*counted, strict=True)) if counted else [0] * 6
    return Forgotten(len(counted), messages, replies, turns, outbox, calls, personal)


def _forget_one(db: Connection, conversation_id: str, seen: Seen, at: float) -> tuple[int, ...]:
    which = (conversation_id,)
    state = json.loads(db.execute("SELECT state FROM conversations WHERE id = ?", which).fetchone()[0])
    turns = db.execute(
        "SELECT i.channel, i.account, i.message_id, i.turn_id, i.event_id FROM log l"
        " JOIN inbox i ON i.turn_id = l.turn_id AND i.event_id = l.id WHERE l.conversation_id = ?",
        which,
    ).fetchall()
    for channel, account, message_id, turn_id, event_id in turns:
        known = Accepted(message_id, turn_id, conversation_id, event_id, duplicate=True)
        seen.remember(db, channel, account, known, at)
        db.execute("INSERT OR IGNORE INTO erasures VALUES (?, ?)", (turn_id, at))
    outbox = db.execute(
        "DELETE FROM outbox WHERE event_id IN (SELECT id FROM log WHERE conversation_id = ?)", which
    ).rowcount
    calls = db.execute(
        "DELETE FROM calls WHERE turn_id IN (SELECT turn_id FROM log WHERE conversation_id = ?)", which
    ).rowcount
    db.execute("DELETE FROM answers WHERE turn_id IN (SELECT turn_id FROM log WHERE conversation_id = ?)", which)
    db.execute("DELETE FROM inbox WHERE turn_id IN (SELECT turn_id FROM log WHERE conversation_id = ?)", which)
    replies = db.execute("DELETE FROM log WHERE conversation_id = ? AND kind != 'message'", which).rowcount
    messages = db.execute("DELETE FROM log WHERE conversation_id = ?", which).rowcount
    db.execute("DELETE FROM conversations WHERE id = ?", which)
    return messages, replies, len(turns), outbox, calls, sum(len(state.get(kind) or ()) for kind in PERSONAL)


def erasures(db: Connection, limit: int) -> list[str]:
    rows = db.execute("SELECT turn_id FROM erasures ORDER BY turn_id LIMIT ?", (limit,))
    return [row[0] for row in rows]


def erased(db: Connection, turn_ids: Sequence[str]) -> None:
    db.executemany("DELETE FROM erasures WHERE turn_id = ?", [(turn_id,) for turn_id in turn_ids])


def truncate_wal(db: Connection) -> bool:
    """Old pages leave the write-ahead log too; False while another connection still reads them."""
    return int(db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]) == 0
