"""What the core answered, kept for whoever asks the same: all of one version of its knowledge."""

from collections.abc import Sequence
from dataclasses import astuple

from edge_node.messages import KeptAnswer
from nearside.database import Connection

COLUMNS = "key, turn_id, version, signature, words, vector, answer, kept_at"


def keep(db: Connection, kept: KeptAnswer, before: float) -> None:
    """In place of all of other versions, and of those kept `before`; not where its customer was forgotten meanwhile."""
    db.execute("DELETE FROM answers WHERE version != ? OR kept_at < ?", (kept.version, before))
    db.execute(
        f"INSERT OR REPLACE INTO answers ({COLUMNS}) SELECT ?, ?, ?, ?, ?, ?, ?, ?"  # noqa: S608  our own names
        " WHERE EXISTS (SELECT 1 FROM inbox WHERE turn_id = ?)",
        (*astuple(kept), kept.turn_id),
    )


def find(db: Connection, key: bytes) -> KeptAnswer | None:
    row = db.execute(f"SELECT {COLUMNS} FROM answers WHERE key = ?", (key,)).fetchone()  # noqa: S608  our own names
    return KeptAnswer(*row) if row else None


def every(db: Connection) -> list[KeptAnswer]:
    """The oldest first."""
    return [KeptAnswer(*row) for row in db.execute(f"SELECT {COLUMNS} FROM answers ORDER BY kept_at")]  # noqa: S608


def drop(db: Connection, keys: Sequence[bytes]) -> None:
    db.executemany("DELETE FROM answers WHERE key = ?", [(key,) for key in keys])


def drop_all(db: Connection) -> None:
    db.execute("DELETE FROM answers")
