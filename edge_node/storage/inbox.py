"""The inbox: each message is committed once, and its turn stays open until a reply ends it."""

import json

from edge_node.messages import Accepted, Conversation, ConversationState, Inbound, message_body
from edge_node.storage import log
from edge_node.storage.records import LoadedTurn, OpenTurn, state_from_json, state_to_json
from nearside.database import Connection
from nearside.errors import Refused
from nearside.ids import new_id

NEW_STATE = state_to_json(ConversationState())


def accept(db: Connection, message: Inbound, digest: bytes, at: float) -> Accepted:
    known = db.execute(
        "SELECT turn_id, conversation_id, event_id, digest FROM inbox"
        " WHERE channel = ? AND account = ? AND message_id = ?",
        (message.channel, message.account, message.message_id),
    ).fetchone()
    if known:
        turn_id, conversation_id, event_id, first_digest = known
        if bytes(first_digest) != digest:
            raise Refused(
                422,
                "idempotency-mismatch",
                "this message id was used with another body",
                hint="use a new one",
            )
        return Accepted(message.message_id, turn_id, conversation_id, event_id, duplicate=True)
    conversation_id, turn_id = _conversation_of(db, message, at), new_id("t")
    event_id = log.append(db, conversation_id, turn_id, "message", message_body(message, at), at)
    db.execute(
        "INSERT INTO inbox (turn_id, event_id, conversation_id, channel, account, message_id, digest, lang, status,"
        " reason, attempts, received_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'queued', '', 0, ?)",
        (
            turn_id,
            event_id,
            conversation_id,
            message.channel,
            message.account,
            message.message_id,
            digest,
            message.lang,
            at,
        ),
    )
    return Accepted(message.message_id, turn_id, conversation_id, event_id, duplicate=False)


def _conversation_of(db: Connection, message: Inbound, at: float) -> str:
    known = log.conversation(db, message.channel, message.account, message.thread)
    if known:
        return known[0].id
    conversation_id = new_id("c")
    db.execute(
        "INSERT INTO conversations"
        " (id, channel, account, thread, customer, state, owner, epoch, created_at, updated_at)"
        " VALUES (?, ?, ?, ?, ?, ?, 'bot', 0, ?, ?)",
        (
            conversation_id,
            message.channel,
            message.account,
            message.thread,
            message.customer,
            NEW_STATE,
            at,
            at,
        ),
    )
    return conversation_id


def load(db: Connection, turn_id: str) -> LoadedTurn | None:
    row = db.execute(
        "SELECT c.id, c.channel, c.account, c.thread, c.customer, c.state, c.owner, c.epoch, i.lang, i.event_id,"
        " i.received_at, l.body"
        " FROM inbox i JOIN conversations c ON c.id = i.conversation_id JOIN log l ON l.id = i.event_id"
        " WHERE i.turn_id = ? AND i.status IN ('queued', 'deferred')",
        (turn_id,),
    ).fetchone()
    if row is None:
        return None
    (
        conversation_id,
        channel,
        account,
        thread,
        customer,
        state,
        owner,
        epoch,
        lang,
        event_id,
        received_at,
        body,
    ) = row
    return LoadedTurn(
        conversation=Conversation(conversation_id, channel, account, thread, customer),
        text=json.loads(body)["text"],
        lang=lang,
        state=state_from_json(state),
        owner=owner,
        epoch=epoch,
        event_id=event_id,
        received_at=received_at,
    )


def open_turns(db: Connection) -> list[OpenTurn]:
    """In the order of their arrival."""
    rows = db.execute(
        "SELECT turn_id, conversation_id, received_at, status = 'deferred' FROM inbox"
        " WHERE status IN ('queued', 'deferred') ORDER BY event_id"
    )
    return [OpenTurn(turn_id, conversation, at, bool(deferred)) for turn_id, conversation, at, deferred in rows]
