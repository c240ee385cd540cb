"""Retention: what has ended and is too old goes, a bounded number of lines at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from edge_node.messages import Accepted
from edge_node.storage.seen import Seen
from nearside.database import Connection

NOT_OVER = (
    "SELECT l.turn_id FROM outbox o JOIN log l ON l.id = o.event_id WHERE o.status NOT IN ('sent', 'dropped')"
    " UNION ALL SELECT turn_id FROM calls WHERE status = 'unknown'"
)
"""Turns that have ended and still want something: a reply unsent or dead, a call of unknown outcome."""
LINES = (
    "SELECT l.id, l.conversation_id, l.turn_id, l.kind, l.created_at, i.status, a.status, i.ended_at"
    " FROM log l LEFT JOIN inbox i ON i.turn_id = l.turn_id LEFT JOIN inbox a ON a.turn_id = i.answered_by"
    " ORDER BY l.id"
)
OVER = {"done", "dropped", None}


@dataclass(frozen=True, slots=True)
class _Line:
    id: int
    conversation_id: str
    turn_id: str
    kind: str


def sweep(db: Connection, before: float, at: float, limit: int, seen: Seen) -> int:
    """The number of rows removed. Open turns, unsent replies and all that is dead stay, however old."""
    lines = list(islice(_removable(db, before, at), limit))
    removed = 0
    for line in lines:
        if line.kind == "message":
            removed += _remove_turn(db, line.turn_id, seen, at)
        removed += db.execute("DELETE FROM outbox WHERE event_id = ?", (line.id,)).rowcount
        removed += db.execute("DELETE FROM log WHERE id = ?", (line.id,)).rowcount
    return removed + sum(_remove_if_empty(db, touched) for touched in {line.conversation_id for line in lines})


def _removable(db: Connection, before: float, at: float) -> Iterator[_Line]:
    """In order of arrival up to the first that is too young; what a wrong clock dated into the future is passed by."""
    not_over = {row[0] for row in db.execute(NOT_OVER)}
    for *line, created_at, status, answering, ended_at in db.execute(LINES):
        if before <= created_at <= at:
            break
        ended = OVER.issuperset((status, answering)) and (ended_at or created_at) < before
        if ended and created_at < before and line[2] not in not_over:
            yield _Line(*line)


def _remove_turn(db: Connection, turn_id: str, seen: Seen, at: float) -> int:
    row = db.execute(
        "SELECT channel, account, message_id, conversation_id, event_id FROM inbox WHERE turn_id = ?", (turn_id,)
    ).fetchone()
    if row is None:
        return 0
    channel, account, message_id, conversation_id, event_id = row
    seen.remember(db, channel, account, Accepted(message_id, turn_id, conversation_id, event_id, duplicate=True), at)
    calls = db.execute("DELETE FROM calls WHERE turn_id = ?", (turn_id,)).rowcount
    return calls + db.execute("DELETE FROM inbox WHERE turn_id = ?", (turn_id,)).rowcount


def _remove_if_empty(db: Connection, conversation_id: str) -> int:
    return db.execute(
        "DELETE FROM conversations WHERE id = ? AND NOT EXISTS (SELECT 1 FROM log WHERE conversation_id = ?)",
        (conversation_id, conversation_id),
    ).rowcount
