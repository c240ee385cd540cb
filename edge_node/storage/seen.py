"""Messages that are gone, known by a keyed hash of their ids: delivered again, each gets its old acknowledgement."""

import hmac
import json

from edge_node.messages import Accepted
from nearside.database import Connection


class Seen:
    """Asked and fed on the writer's thread. As long as nothing is gone, a fresh message costs nothing here."""

    def __init__(self, secret: bytes, db: Connection) -> None:
        self._secret = secret
        self._is_empty = db.execute("SELECT 1 FROM seen LIMIT 1").fetchone() is None

    def find(self, db: Connection, channel: str, account: str, message_id: str) -> Accepted | None:
        if self._is_empty:
            return None
        row = db.execute(
            "SELECT turn_id, conversation_id, event_id FROM seen WHERE digest = ?",
            (self._digest(channel, account, message_id),),
        ).fetchone()
        if row is None:
            return None
        turn_id, conversation_id, event_id = row
        return Accepted(message_id, turn_id, conversation_id, event_id, duplicate=True)

    def remember(self, db: Connection, channel: str, account: str, known: Accepted, at: float) -> None:
        """A message that goes in the same transaction. Where that is undone, it is looked for in vain from now on."""
        self._is_empty = False
        db.execute(
            "INSERT OR IGNORE INTO seen VALUES (?, ?, ?, ?, ?)",
            (
                self._digest(channel, account, known.message_id),
                known.turn_id,
                known.conversation_id,
                known.event_id,
                at,
            ),
        )

    def _digest(self, channel: str, account: str, message_id: str) -> bytes:
        return hmac.digest(self._secret, json.dumps([channel, account, message_id]).encode(), "sha256")
