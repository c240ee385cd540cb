"""The one door to SQLite: `sqlcipher3` only, because two SQLite libraries on one file corrupt it."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import sqlite_utils
from sqlcipher3 import dbapi2 as sqlite

from nearside.errors import StorageError

Connection = sqlite.Connection
SqliteError = sqlite.Error
IntegrityError = sqlite.IntegrityError
Row = tuple[object, ...]
Migration = Callable[[sqlite_utils.Database], None]


def open_database(path: Path, key: bytes, *, read_only: bool = False) -> Connection:
    """A connection in WAL mode with `synchronous=FULL`, usable from any one thread at a time."""
    try:
        with ExitStack() as on_failure:
            _make_private(path)
            connection = sqlite.connect(str(path), isolation_level=None, check_same_thread=False, timeout=5.0)
            on_failure.callback(connection.close)
            connection.execute("PRAGMA cipher_log_level = NONE")
            connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            if read_only:
                connection.execute("PRAGMA query_only = ON")
            on_failure.pop_all()
    except (sqlite.DatabaseError, OSError) as error:
        raise _refusal(error, path) from None
    return connection


def copy_database(source: Path, key: bytes, target: Path, counts: Mapping[str, str] | None = None) -> dict[str, int]:
    """One moment of `source`, sealed with the same key, while others write; whole and durable on return.

    Gives back what the queries `counts` count in the copy, by name. Raises StorageError.
    In one step: a copy in several would start anew after each write meanwhile.
    """
    try:
        with closing(open_database(source, key, read_only=True)) as read, closing(open_database(target, key)) as copied:
            copied.execute("PRAGMA journal_mode = OFF")
            read.backup(copied, pages=-1)
            return {name: int(copied.execute(query).fetchone()[0]) for name, query in (counts or {}).items()}
    except SqliteError as error:
        raise StorageError(f"no copy was made ({error})", where=str(target), hint="look at disk space") from None


def migrate(connection: Connection, migrations: Sequence[Migration], path: Path, *, room: str = "") -> None:
    """Apply what is new, each migration and its record in one transaction; refuse a newer file.

    Rooms that share a file number their migrations apart, each under its own `room` (a plain word).
    Programs that open one file at the same moment may both call this.
    """
    table = f"_migrations_{room}" if room else "_migrations"
    columns = "number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL"
    try:
        connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
        applied = _applied(connection, table)
        for number, migration in enumerate(migrations[applied:], start=applied + 1):
            _apply(connection, migration, number, table)
    except sqlite.DatabaseError as error:
        raise _refusal(error, path) from None
    if applied > len(migrations):
        raise StorageError(
            f"schema {applied} is newer than this program's {len(migrations)}",
            where=str(path),
            hint="install the newer release again",
        )


def _apply(connection: Connection, migration: Migration, number: int, table: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _applied(connection, table) < number:  # else another program was first
            migration(sqlite_utils.Database(connection))
            connection.execute(
                f"INSERT INTO {table} VALUES (?, ?, strftime('%Y-%m-%dT%H:%M:%fZ'))",  # noqa: S608  our own name
                (number, migration.__name__),
            )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _applied(connection: Connection, table: str) -> int:
    query = f"SELECT coalesce(max(number), 0) FROM {table}"  # noqa: S608  our own name
    return int(connection.execute(query).fetchone()[0])


def _make_private(path: Path) -> None:
    """Create it 0600; never open one that exists, for closing it would drop this process's SQLite locks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _refusal(error: Exception, path: Path) -> StorageError:
    if isinstance(error, sqlite.OperationalError | OSError):
        what = error.strerror if isinstance(error, OSError) else str(error)
        return StorageError(
            f"the store refuses ({what})",
            where=str(path),
            hint="look at disk space, owner and other programs",
        )
    return StorageError(f"does not open ({error})", where=str(path), hint="wrong key or damaged file: restore a backup")
