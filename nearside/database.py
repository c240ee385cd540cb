"""The one door to SQLite: `sqlcipher3` only, because two SQLite libraries on one file corrupt it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import sqlite_utils
from sqlcipher3 import dbapi2 as sqlite

from nearside.errors import StorageError

Connection = sqlite.Connection
Row = tuple[object, ...]
Migration = Callable[[sqlite_utils.Database], None]


def open_database(path: Path, key: bytes, *, read_only: bool = False) -> Connection:
    """A connection in WAL mode with `synchronous=FULL`, usable from any one thread at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        connection = sqlite.connect(str(path), isolation_level=None, check_same_thread=False, timeout=5.0)
        connection.execute("PRAGMA cipher_log_level = NONE")
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        if read_only:
            connection.execute("PRAGMA query_only = ON")
        path.chmod(0o600)
    except sqlite.DatabaseError as error:
        raise StorageError(f"does not open ({error})", where=str(path), hint="wrong key or damaged file: restore a backup") from None
    return connection


def migrate(connection: Connection, migrations: Sequence[Migration], path: Path) -> None:
    """Apply what is new, each migration and its record in one transaction; refuse a newer file."""
    connection.execute("CREATE TABLE IF NOT EXISTS _migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL)")
    applied = connection.execute("SELECT coalesce(max(number), 0) FROM _migrations").fetchone()[0]
    if applied > len(migrations):
        raise StorageError(
            f"schema {applied} is newer than this program's {len(migrations)}", where=str(path), hint="install the newer release again"
        )
    database = sqlite_utils.Database(connection)
    for number, migration in enumerate(migrations[applied:], start=applied + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            migration(database)
            connection.execute(
                "INSERT INTO _migrations VALUES (?, ?, strftime('%Y-%m-%dT%H:%M:%fZ'))", (number, migration.__name__)
            )
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
