"""The ledger of write calls: the intent is committed before the call, so that none is ever repeated unknowingly."""

from dataclasses import dataclass

from edge_node.storage.records import KnownCall
from nearside.database import Connection
from nearside.errors import StorageError

KNOWN = "SELECT call_id, tool, arguments_digest, status, result, kind FROM calls WHERE turn_id = ?"


@dataclass(frozen=True, slots=True)
class Intent:
    turn_id: str
    call_id: str
    conversation_id: str
    tool: str
    arguments_digest: bytes


def intend(db: Connection, intent: Intent, at: float) -> KnownCall | None:
    """None: it is new and now intended; else what is known, which of a restored turn's new call is an intent too.

    Raises StorageError if the conversation was forgotten.
    """
    if (known := _known(db, intent)) is not None:
        return known
    if db.execute("SELECT 1 FROM conversations WHERE id = ?", (intent.conversation_id,)).fetchone() is None:
        raise StorageError("no such conversation", where=intent.conversation_id, hint="it was forgotten: do not call")
    db.execute(
        "INSERT INTO calls (turn_id, call_id, conversation_id, tool, arguments_digest, status, result, kind,"
        " started_at) VALUES (?, ?, ?, ?, ?, 'intended', '', '', ?)",
        (intent.turn_id, intent.call_id, intent.conversation_id, intent.tool, intent.arguments_digest, at),
    )
    restored = db.execute("SELECT restored FROM inbox WHERE turn_id = ?", (intent.turn_id,)).fetchone()
    return _known(db, intent) if restored and restored[0] else None


def _known(db: Connection, intent: Intent) -> KnownCall | None:
    row = db.execute(f"{KNOWN} AND call_id = ?", (intent.turn_id, intent.call_id)).fetchone()
    return KnownCall(*row) if row else None


def settle(db: Connection, turn_id: str, call_id: str, status: str, result: str, kind: str, at: float) -> None:
    db.execute(
        "UPDATE calls SET status = ?, result = ?, kind = ?, ended_at = ? WHERE turn_id = ? AND call_id = ?",
        (status, result, kind, at, turn_id, call_id),
    )


def release(db: Connection, turn_id: str, call_id: str) -> None:
    db.execute("DELETE FROM calls WHERE turn_id = ? AND call_id = ? AND status = 'intended'", (turn_id, call_id))


def calls(db: Connection, turn_id: str) -> list[KnownCall]:
    return [KnownCall(*row) for row in db.execute(f"{KNOWN} ORDER BY started_at, call_id", (turn_id,))]


def leave_unknown(db: Connection, turn_id: str, at: float) -> None:
    db.execute(
        "UPDATE calls SET status = 'unknown', ended_at = ? WHERE turn_id = ? AND status = 'intended'", (at, turn_id)
    )
