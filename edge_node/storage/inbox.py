"""The inbox: each message is committed once, and its turn stays open until a reply ends it."""

import json
from collections.abc import Container, Sequence
from dataclasses import dataclass
from hashlib import sha256

from edge_node.messages import (
    Accepted,
    Conversation,
    ConversationState,
    DeadReason,
    Inbound,
    message_body,
)
from edge_node.storage import ledger, log
from edge_node.storage.recent import Known, Recent
from edge_node.storage.records import OpenTurn, state_from_json, state_to_json, to_json
from edge_node.storage.seen import Seen
from nearside.database import Connection
from nearside.errors import Refused
from nearside.ids import new_id

NEW_STATE = state_to_json(ConversationState())


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message with all that can be made ready before it is the file's turn; `body` is its line of the log."""

    message: Inbound
    at: float
    turn_id: str
    body: str
    digest: bytes


def arrival(message: Inbound, at: float) -> Arrival:
    return Arrival(message, at, new_id("t"), to_json(message_body(message, at)), body_digest(message))


def body_digest(message: Inbound) -> bytes:
    """Tells one message from another under the same id."""
    said = json.dumps([message.thread, message.customer, message.text, [*map(dict, message.attachments)]])
    return sha256(said.encode()).digest()


def accept(db: Connection, arrival: Arrival, seen: Seen, recent: Recent) -> tuple[Accepted, Known | None]:
    """Its conversation too, where that is not in `recent`. Raises Refused (422)."""
    message = arrival.message
    if (known := _known(db, arrival, seen)) is not None:
        return known, None
    conversation_id, looked_up = recent.conversation_id(message), None
    if conversation_id is None:
        looked_up = _conversation_of(db, message, arrival.at)
        conversation_id = looked_up.conversation.id
    event_id = log.append(db, conversation_id, arrival.turn_id, "message", arrival.body, arrival.at)
    db.execute(
        "INSERT INTO inbox (turn_id, event_id, conversation_id, channel, account, message_id, digest, lang, status,"
        " reason, attempts, received_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'queued', '', 0, ?)",
        (
            arrival.turn_id,
            event_id,
            conversation_id,
            message.channel,
            message.account,
            message.message_id,
            arrival.digest,
            message.lang,
            arrival.at,
        ),
    )
    return Accepted(message.message_id, arrival.turn_id, conversation_id, event_id, duplicate=False), looked_up


def _known(db: Connection, arrival: Arrival, seen: Seen) -> Accepted | None:
    message = arrival.message
    row = db.execute(
        "SELECT turn_id, conversation_id, event_id, digest FROM inbox"
        " WHERE channel = ? AND account = ? AND message_id = ?",
        (message.channel, message.account, message.message_id),
    ).fetchone()
    if row is None:
        return seen.find(db, message.channel, message.account, message.message_id)
    if bytes(row[3]) != arrival.digest:
        raise Refused(
            422,
            "idempotency-mismatch",
            "this message id was used with another body",
            hint="use a new one",
        )
    turn_id, conversation_id, event_id = row[:3]
    return Accepted(message.message_id, turn_id, conversation_id, event_id, duplicate=True)


def _conversation_of(db: Connection, message: Inbound, at: float) -> Known:
    place = (message.channel, message.account, message.thread)
    row = db.execute(
        "SELECT id, customer, state, owner, epoch FROM conversations WHERE channel = ? AND account = ? AND thread = ?",
        place,
    ).fetchone()
    if row is not None:
        conversation_id, customer, state, owner, epoch = row
        return Known(Conversation(conversation_id, *place, customer), state_from_json(state), owner, epoch)
    conversation_id = new_id("c")
    db.execute(
        "INSERT INTO conversations"
        " (id, channel, account, thread, customer, state, owner, epoch, created_at, updated_at)"
        " VALUES (?, ?, ?, ?, ?, ?, 'bot', 0, ?, ?)",
        (conversation_id, *place, message.customer, NEW_STATE, at, at),
    )
    return Known(Conversation(conversation_id, *place, message.customer), ConversationState(), "bot", 0)


def open_turns(db: Connection) -> list[OpenTurn]:
    """In the order of their arrival."""
    rows = db.execute(
        "SELECT turn_id, conversation_id, received_at, status = 'deferred', attempts, status = 'doubtful', channel"
        " FROM inbox WHERE status NOT IN ('done', 'dropped') AND status IN ('queued', 'deferred', 'doubtful')"
        " ORDER BY event_id"
    )
    return [
        OpenTurn(turn_id, conversation_id, at, bool(deferred), attempts, bool(doubtful), channel)
        for turn_id, conversation_id, at, deferred, attempts, doubtful, channel in rows
    ]


def begin_attempt(db: Connection, turn_id: str) -> int:
    """How many there were with this one; 0 where the turn has ended."""
    row = db.execute(
        "UPDATE inbox SET attempts = attempts + 1 WHERE turn_id = ? AND status IN ('queued', 'deferred')"
        " RETURNING attempts",
        (turn_id,),
    ).fetchone()
    return row[0] if row else 0


def close_turn(db: Connection, turn_id: str, status: str, reason: str, at: float, *, has_calls: bool = True) -> None:
    """An open turn ends; of a write call that did not say how it ended nobody will ask any more.

    `has_calls`: False where there is none such for certain.
    """
    db.execute(
        "UPDATE inbox SET status = ?, reason = ?, ended_at = ?"
        " WHERE turn_id = ? AND status IN ('queued', 'deferred', 'doubtful')",
        (status, reason, at, turn_id),
    )
    if has_calls:
        ledger.leave_unknown(db, turn_id, at)


def defer_turn(db: Connection, turn_id: str, reason: str) -> None:
    db.execute("UPDATE inbox SET status = 'deferred', reason = ? WHERE turn_id = ?", (reason, turn_id))


def merge_turns(db: Connection, merged: Sequence[str], into: str, at: float) -> None:
    """They end with the turn `into`; what was merged into one of them before moves on with it."""
    for turn_id in merged:
        close_turn(db, turn_id, "done", "merged", at)
        db.execute(
            "UPDATE inbox SET answered_by = ? WHERE turn_id = ? AND status = 'done' AND reason = 'merged'",
            (into, turn_id),
        )


def settle_doubtful(db: Connection, idempotent: Container[str], at: float) -> int:
    """Turns open in a restored backup run again where a second reply does no harm; the number of the others.

    What may have begun counts as begun, so that no line of after the restore joins it: its calls have its id.
    """
    doubtful = [turn for turn in open_turns(db) if turn.doubtful]
    last = {turn.conversation_id: turn.turn_id for turn in doubtful}.values()
    parked = 0
    for turn in doubtful:
        if turn.channel in idempotent:
            db.execute(
                "UPDATE inbox SET status = 'queued', attempts = max(attempts, ? OR reason != '') WHERE turn_id = ?",
                (turn.turn_id in last, turn.turn_id),
            )
        else:
            close_turn(db, turn.turn_id, "dead", DeadReason.RESTORED, at)
            parked += 1
    return parked
