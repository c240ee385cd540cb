"""A copy of a tenant's file while it is written, and what a restored one means for what was open in it."""

from collections.abc import Sequence
from pathlib import Path

from edge_node.storage.files import open_writing
from nearside.database import Connection, SqliteError, open_database
from nearside.errors import StorageError

SKIPPED_EVENTS = 1_000_000
"""How far a restored log's numbers jump, so that no client's cursor lies beyond what comes next."""


def copy(source: Path, key: bytes, target: Path) -> None:
    """One moment of `source`, sealed with the same key; whole and durable on return.

    In one step: a copy in several would start anew after each write meanwhile.
    """
    reading = open_database(source, key, read_only=True)
    try:
        writing = open_database(target, key)
        try:
            writing.execute("PRAGMA journal_mode = OFF")
            reading.backup(writing, pages=-1)
        finally:
            writing.close()
    except SqliteError as error:
        raise StorageError(f"no copy was made: {error}", where=str(target), hint="free space there") from None
    finally:
        reading.close()


def mark_restored(path: Path, keys: Sequence[bytes]) -> None:
    """What was open at the backup may have been answered since: it is doubtful until someone settles it."""
    db, _ = open_writing(path, keys)
    try:
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE inbox SET status = 'doubtful' WHERE status IN ('queued', 'deferred')")
        db.execute("UPDATE outbox SET status = 'doubtful' WHERE status IN ('pending', 'sending')")
        _skip_events(db)
        db.execute("COMMIT")
    except SqliteError as error:
        raise StorageError(f"the store refuses: {error}", where=str(path), hint="look at the disk's space") from None
    finally:
        db.close()


def _skip_events(db: Connection) -> None:
    """A reply's number in the outbox is that of its line in the log."""
    last = db.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'log'").fetchone()[0]
    db.execute("DELETE FROM sqlite_sequence WHERE name = 'log'")
    db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('log', ?)", (last + SKIPPED_EVENTS,))
