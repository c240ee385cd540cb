"""How much is under way, and the queues as lists."""

from edge_node.storage.records import Figures, QueueRow
from nearside.database import Connection

FIGURES = """
WITH turns AS (SELECT status, event_id FROM inbox WHERE status NOT IN ('done', 'dropped')),
  replies AS (SELECT status, event_id FROM outbox WHERE status NOT IN ('sent', 'dropped'))
SELECT
  (SELECT count(*) FROM turns WHERE status IN ('queued', 'doubtful')),
  (SELECT count(*) FROM turns WHERE status = 'deferred'),
  (SELECT created_at FROM log WHERE id =
    (SELECT min(event_id) FROM turns WHERE status IN ('queued', 'deferred', 'doubtful'))),
  (SELECT count(*) FROM replies WHERE status IN ('pending', 'sending', 'doubtful')),
  (SELECT created_at FROM log WHERE id =
    (SELECT min(event_id) FROM replies WHERE status IN ('pending', 'sending', 'doubtful'))),
  (SELECT coalesce(sum(doubts), 0) FROM outbox WHERE doubts > 0),
  (SELECT count(*) FROM turns WHERE status = 'dead'),
  (SELECT count(*) FROM replies WHERE status = 'dead'),
  (SELECT count(*) FROM calls WHERE status = 'unknown'),
  (SELECT count(*) FROM erasures)
"""
"""In the order of Figures."""


def figures(db: Connection) -> Figures:
    return Figures(*db.execute(FIGURES).fetchone())


def inbox_rows(db: Connection, limit: int) -> list[QueueRow]:
    """Open turns, the oldest first."""
    rows = db.execute(
        "SELECT turn_id, conversation_id, channel, account, status, reason, attempts, 0, received_at, NULL"
        " FROM inbox WHERE status NOT IN ('done', 'dropped') AND status IN ('queued', 'deferred', 'doubtful')"
        " ORDER BY event_id LIMIT ?",
        (limit,),
    )
    return [QueueRow(*row) for row in rows]


def outbox_rows(db: Connection, limit: int) -> list[QueueRow]:
    """Unsent replies, the oldest first."""
    rows = db.execute(
        "SELECT 'r' || o.event_id, c.id, c.channel, c.account, o.status, o.reason, o.attempts, o.doubts, o.created_at,"
        " o.next_at FROM outbox o JOIN conversations c ON c.id = o.conversation_id"
        " WHERE o.status NOT IN ('sent', 'dropped') AND o.status IN ('pending', 'sending', 'doubtful')"
        " ORDER BY o.event_id LIMIT ?",
        (limit,),
    )
    return [QueueRow(*row) for row in rows]
