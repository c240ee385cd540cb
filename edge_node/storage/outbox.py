"""The outbox: a reply is committed together with the end of its turn, then sent."""

import json
from collections.abc import Mapping

from edge_node.messages import Conversation, Event, Reply
from edge_node.storage import log
from edge_node.storage.records import Ended, reply_body, state_to_json
from nearside.database import Connection


def end_turn(
    db: Connection, turn_id: str, epoch: int, reply: Reply, at: float, timing_ms: Mapping[str, float]
) -> Ended | None:
    row = db.execute(
        "SELECT c.id, c.channel, c.account, c.thread, c.customer, c.epoch FROM inbox i"
        " JOIN conversations c ON c.id = i.conversation_id WHERE i.turn_id = ? AND i.status IN ('queued', 'deferred')",
        (turn_id,),
    ).fetchone()
    if row is None:
        return None
    conversation = Conversation(*row[:5])
    if row[5] != epoch:
        close_turn(db, turn_id, "dropped", "agent_owns", at)
        return None
    body = reply_body(turn_id, reply, at, timing_ms)
    event_id = log.append(db, conversation.id, turn_id, "reply", body, at)
    _update_conversation(db, conversation.id, reply, at)
    close_turn(db, turn_id, "done" if reply.final else "deferred", reply.reason.value, at)
    db.execute(
        "INSERT INTO outbox (event_id, conversation_id, epoch, status, reason, attempts, created_at)"
        " SELECT ?, id, epoch, 'pending', '', 0, ? FROM conversations WHERE id = ?",
        (event_id, at, conversation.id),
    )
    return Ended(conversation, Event(event_id, turn_id, "reply", body))


def _update_conversation(db: Connection, conversation_id: str, reply: Reply, at: float) -> None:
    if reply.state is not None:
        db.execute("UPDATE conversations SET state = ? WHERE id = ?", (state_to_json(reply.state), conversation_id))
    if reply.owner is not None:
        db.execute(
            "UPDATE conversations SET epoch = epoch + 1, owner = ? WHERE id = ? AND owner != ?",
            (reply.owner, conversation_id, reply.owner),
        )
    db.execute("UPDATE conversations SET updated_at = ? WHERE id = ?", (at, conversation_id))


def close_turn(db: Connection, turn_id: str, status: str, reason: str, at: float) -> None:
    ended_at = None if status == "deferred" else at
    db.execute(
        "UPDATE inbox SET status = ?, reason = ?, ended_at = ? WHERE turn_id = ?",
        (status, reason, ended_at, turn_id),
    )


def mark(db: Connection, event_id: int, status: str, reason: str, at: float) -> None:
    db.execute(
        "UPDATE outbox SET status = ?, reason = ?, attempts = attempts + 1, sent_at = ? WHERE event_id = ?",
        (status, reason, at if status == "sent" else None, event_id),
    )


def pending(db: Connection) -> list[Ended]:
    rows = db.execute(
        "SELECT c.id, c.channel, c.account, c.thread, c.customer, l.id, l.turn_id, l.body FROM outbox o"
        " JOIN conversations c ON c.id = o.conversation_id JOIN log l ON l.id = o.event_id"
        " WHERE o.status = 'pending' ORDER BY o.event_id"
    )
    return [Ended(Conversation(*row[:5]), Event(row[5], row[6], "reply", json.loads(row[7]))) for row in rows]


def may_send(db: Connection, event_id: int) -> bool:
    row = db.execute(
        "SELECT o.status = 'pending' AND o.epoch >= c.epoch FROM outbox o"
        " JOIN conversations c ON c.id = o.conversation_id WHERE o.event_id = ?",
        (event_id,),
    ).fetchone()
    return bool(row and row[0])
