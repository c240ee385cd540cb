"""Stores with many answered conversations, written by SQL: what an edge looks like after months."""

from pathlib import Path

from edge_node.storage.files import open_writing

MESSAGES_EACH = 10
"""Messages of one conversation, each with its reply: of the log's lines every second one is the customer's."""
AT_ONCE = 100_000

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last)"
TURN = "printf('t_%012x%020x', i, i)"
CONVERSATION = f"printf('c_%012x%020x', i / {MESSAGES_EACH}, i / {MESSAGES_EACH})"
STATEMENTS = (
    f"{NUMBERS} INSERT OR IGNORE INTO conversations"
    " (id, channel, account, thread, customer, state, owner, epoch, created_at, updated_at)"
    f" SELECT {CONVERSATION}, 'api', 'default', 'thread-' || i / {MESSAGES_EACH}, 'customer-' || i / {MESSAGES_EACH},"
    " '{}', 'bot', 0, 1700000000.0 + i, 1700000000.0 + i FROM n",
    f"{NUMBERS} INSERT INTO log (id, conversation_id, turn_id, kind, body, created_at)"
    f" SELECT 2 * i + 1, {CONVERSATION}, {TURN}, 'message',"
    " json_object('id', 'm' || i, 'text', 'When does my order arrive, and can I still change the address of it?',"
    " 'at', '2026-01-01T00:00:00.000Z'), 1700000000.0 + i FROM n",
    f"{NUMBERS} INSERT INTO log (id, conversation_id, turn_id, kind, body, created_at)"
    f" SELECT 2 * i + 2, {CONVERSATION}, {TURN}, 'reply',"
    " json_object('turn_id', 't', 'text', 'It left the warehouse on Tuesday and arrives within three working days.',"
    " 'source', 'rule', 'reason', 'tool_result', 'confidence', 1.0, 'citations', json('[]'), 'final', json('true'),"
    " 'at', '2026-01-01T00:00:01.000Z', 'timing_ms', json('{}')), 1700000000.5 + i FROM n",
    f"{NUMBERS} INSERT INTO inbox (turn_id, event_id, conversation_id, channel, account, message_id, digest, lang,"
    f" status, reason, attempts, received_at, ended_at) SELECT {TURN}, 2 * i + 1, {CONVERSATION}, 'api', 'default',"
    " lower(hex(randomblob(16))), randomblob(32), NULL, 'done', 'tool_result', 0, 1700000000.0 + i, 1700000000.5 + i"
    " FROM n",
    f"{NUMBERS} INSERT INTO outbox (event_id, conversation_id, epoch, status, reason, attempts, created_at, ended_at)"
    f" SELECT 2 * i + 2, {CONVERSATION}, 0, 'sent', '', 1, 1700000000.5 + i, 1700000000.6 + i FROM n",
)


def fill(path: Path, key: bytes, messages: int) -> None:
    """Add so many, answered and sent. Nobody else may have the file open."""
    connection, _ = open_writing(path, (key,))
    try:
        first = connection.execute("SELECT coalesce(max(id), 0) / 2 + 1 FROM log").fetchone()[0]
        end = first + messages
        for start in range(first, end, AT_ONCE):
            bounds = {"first": start, "last": min(start + AT_ONCE, end) - 1}
            connection.execute("BEGIN IMMEDIATE")
            for statement in STATEMENTS:
                connection.execute(statement, bounds)
            connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
