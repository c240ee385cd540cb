"""The outbox: a reply is committed together with the end of its turn, then sent."""

import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edge_node.messages import Conversation, DeadReason, Event, Reply
from edge_node.storage import inbox, log
from edge_node.storage.records import Ended, Unsent, state_to_json
from nearside.database import Connection

REPLIES = (
    "SELECT c.id, c.channel, c.account, c.thread, c.customer, l.id, l.turn_id, l.body, o.epoch, o.attempts,"
    " o.next_at, o.doubts, o.status = 'doubtful', coalesce(o.since, o.created_at), c.epoch FROM outbox o"
    " JOIN conversations c ON c.id = o.conversation_id JOIN log l ON l.id = o.event_id"
)
TO_SEND = (
    "WHERE o.status NOT IN ('sent', 'dropped') AND o.status IN ('pending', 'sending', 'doubtful') ORDER BY o.event_id"
)


@dataclass(frozen=True, slots=True)
class TurnEnd:
    """How a turn ends; `merged` end with it. `parked`: it goes to the dead list though a reply goes out.

    `body` is the reply's line of the log, `text` the same as JSON.
    """

    turn_id: str
    epoch: int
    reply: Reply
    body: Mapping[str, Any]
    text: str
    merged: Sequence[str] = field(default=())
    parked: DeadReason | None = None


def end_turn(db: Connection, end: TurnEnd, at: float) -> Ended | None:
    row = db.execute(
        "SELECT c.id, c.channel, c.account, c.thread, c.customer, c.owner, c.epoch,"
        " EXISTS (SELECT 1 FROM calls WHERE turn_id = i.turn_id AND status = 'intended') FROM inbox i"
        " JOIN conversations c ON c.id = i.conversation_id WHERE i.turn_id = ? AND i.status IN ('queued', 'deferred')",
        (end.turn_id,),
    ).fetchone()
    if row is None:
        return None
    conversation, (owner, epoch, has_calls) = Conversation(*row[:5]), row[5:]
    if epoch != end.epoch:
        for turn_id in (*end.merged, end.turn_id):
            inbox.close_turn(db, turn_id, "dropped", "agent_owns", at)
        return None
    reply = end.reply
    epoch += reply.owner is not None and reply.owner != owner
    event_id = log.append(db, conversation.id, end.turn_id, "reply", end.text, at)
    if reply.state or reply.owner:
        state = state_to_json(reply.state) if reply.state else None
        db.execute(
            "UPDATE conversations SET state = coalesce(?, state), owner = ?, epoch = ?, updated_at = ? WHERE id = ?",
            (state, reply.owner or owner, epoch, at, conversation.id),
        )
    _close(db, end, at, has_calls=bool(has_calls))
    db.execute(
        "INSERT INTO outbox (event_id, conversation_id, epoch, status, reason, attempts, created_at)"
        " VALUES (?, ?, ?, 'pending', '', 0, ?)",
        (event_id, conversation.id, epoch, at),
    )
    return Ended(conversation, Event(event_id, end.turn_id, "reply", end.body), epoch)


def _close(db: Connection, end: TurnEnd, at: float, *, has_calls: bool) -> None:
    inbox.merge_turns(db, end.merged, end.turn_id, at)
    if end.parked is not None:
        inbox.close_turn(db, end.turn_id, "dead", end.parked.value, at, has_calls=has_calls)
    elif end.reply.final:
        inbox.close_turn(db, end.turn_id, "done", end.reply.reason.value, at, has_calls=has_calls)
    else:
        inbox.defer_turn(db, end.turn_id, end.reply.reason.value)


def record_attempt(db: Connection, event_id: int, at: float) -> None:
    db.execute(
        "UPDATE outbox SET status = 'sending', attempts = attempts + 1, attempted_at = ?"
        " WHERE event_id = ? AND status IN ('pending', 'sending')",
        (at, event_id),
    )


def mark_sent(db: Connection, event_id: int, at: float) -> None:
    """Whatever was decided meanwhile: it did go out."""
    db.execute(
        "UPDATE outbox SET attempts = attempts + (status != 'sending'), status = 'sent', reason = '', ended_at = ?"
        " WHERE event_id = ? AND status != 'sent'",
        (at, event_id),
    )


def postpone(db: Connection, event_id: int, reason: str, next_at: float, doubt: bool) -> None:
    db.execute(
        "UPDATE outbox SET attempts = attempts + (status != 'sending'), doubts = doubts + ?, status = 'pending',"
        " reason = ?, next_at = ? WHERE event_id = ? AND status IN ('pending', 'sending')",
        (doubt, reason, next_at, event_id),
    )


def hasten(db: Connection, event_id: int) -> None:
    db.execute("UPDATE outbox SET next_at = NULL WHERE event_id = ? AND status = 'pending'", (event_id,))


def mark_dead(db: Connection, event_id: int, reason: str, at: float, doubt: bool) -> None:
    db.execute(
        "UPDATE outbox SET attempts = attempts + (status != 'sending'), doubts = doubts + ?, status = 'dead',"
        " reason = ?, ended_at = ? WHERE event_id = ? AND status IN ('pending', 'sending', 'doubtful')",
        (doubt, reason, at, event_id),
    )


def mark_dropped(db: Connection, event_id: int, reason: str, at: float) -> None:
    db.execute(
        "UPDATE outbox SET status = 'dropped', reason = ?, ended_at = ?"
        " WHERE event_id = ? AND status IN ('pending', 'sending', 'doubtful')",
        (reason, at, event_id),
    )


def take_up(db: Connection, idempotent: Container[str], at: float) -> list[Unsent]:
    """What a stop left unsent, in event order, after each row has been given the state that the stop means.

    What was never tried, or comes from a backup, has all its time before it.
    """
    db.execute(
        "UPDATE outbox SET status = 'pending', doubts = doubts + 1"
        " WHERE status NOT IN ('sent', 'dropped') AND status = 'sending'"
    )
    db.execute(
        "UPDATE outbox SET since = ? WHERE status NOT IN ('sent', 'dropped')"
        " AND (status = 'doubtful' OR status = 'pending' AND attempts = 0)",
        (at,),
    )
    taken = []
    for unsent, current_epoch in _unsent(db, TO_SEND):
        event_id, channel = unsent.ended.event.id, unsent.ended.conversation.channel
        if unsent.ended.epoch < current_epoch:
            mark_dropped(db, event_id, "agent_owns", at)
        elif unsent.doubtful and channel not in idempotent:
            db.execute(
                "UPDATE outbox SET status = 'dead', reason = ?, ended_at = ? WHERE event_id = ?",
                (DeadReason.RESTORED.value, at, event_id),
            )
        else:
            db.execute("UPDATE outbox SET status = 'pending' WHERE event_id = ? AND status = 'doubtful'", (event_id,))
            taken.append(unsent)
    return taken


def pending(db: Connection, event_id: int) -> tuple[Unsent, int] | None:
    """A reply that waits to be sent, and the epoch its conversation is in."""
    found = _unsent(db, "WHERE o.event_id = ? AND o.status = 'pending'", event_id)
    return next(iter(found), None)


def _unsent(db: Connection, condition: str, *values: object) -> list[tuple[Unsent, int]]:
    rows = db.execute(f"{REPLIES} {condition}", values).fetchall()
    return [(_as_unsent(row), row[14]) for row in rows]


def _as_unsent(row: Sequence[Any]) -> Unsent:
    event_id, turn_id, body, epoch, attempts, next_at, doubts, doubtful, since = row[5:14]
    ended = Ended(Conversation(*row[:5]), Event(event_id, turn_id, "reply", json.loads(body)), epoch)
    return Unsent(ended, attempts, next_at, doubts, bool(doubtful), since)
