"""What a restored file means for what was open in it."""

from collections.abc import Sequence
from pathlib import Path

from edge_node.storage.files import open_writing
from nearside.database import Connection, SqliteError
from nearside.errors import StorageError

SKIPPED_EVENTS = 1_000_000
"""How far a restored log's numbers jump, so that no client's cursor lies beyond what comes next."""


def mark_restored(path: Path, keys: Sequence[bytes]) -> None:
    """What was open at the backup may have been answered since: it is doubtful until someone settles it."""
    db, _ = open_writing(path, keys)
    try:
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE inbox SET restored = 1 WHERE status NOT IN ('done', 'dropped')")
        db.execute("UPDATE inbox SET status = 'doubtful' WHERE status IN ('queued', 'deferred')")
        db.execute("UPDATE outbox SET status = 'doubtful' WHERE status IN ('pending', 'sending')")
        db.execute("DELETE FROM answers")  # the core may have learnt since what these do not know
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
