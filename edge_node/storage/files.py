"""Opening a tenant's file, under whichever of its keys fits, and the secrets that lie in it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from edge_node.storage.schema import MIGRATIONS
from nearside.database import Connection, SqliteError, migrate, open_database
from nearside.errors import StorageError
from nearside.sealing import derive

SECRETS = ("conversation-token", "conversation-ref", "seen-message")
"""Each made once from the key the file had then, and kept in the file: a new key changes none of them."""


def open_writing(path: Path, keys: Sequence[bytes]) -> tuple[Connection, bytes]:
    """The migrated file and the key that opened it. Several keys: a re-keying may have been cut short between two."""
    connection, key = _open_with_any(path, keys)
    try:
        connection.execute("PRAGMA secure_delete = ON")
        migrate(connection, MIGRATIONS, path)
        _fill_secrets(connection, key)
    except BaseException as error:
        connection.close()
        if not isinstance(error, SqliteError):
            raise
        raise StorageError(
            f"the store refuses ({error})", where=str(path), hint="look at disk space, owner and other programs"
        ) from None
    return connection, key


def secrets(db: Connection) -> Mapping[str, bytes]:
    return {purpose: bytes(value) for purpose, value in db.execute("SELECT purpose, value FROM secrets")}


def _open_with_any(path: Path, keys: Sequence[bytes]) -> tuple[Connection, bytes]:
    refusals: list[StorageError] = []
    for key in keys:
        try:
            return open_database(path, key), key
        except StorageError as error:
            refusals.append(error)
    raise next((error for error in refusals if "key" not in error.hint), refusals[0])


def _fill_secrets(db: Connection, key: bytes) -> None:
    known = secrets(db)
    for purpose in SECRETS:
        if purpose not in known:
            db.execute("INSERT OR IGNORE INTO secrets VALUES (?, ?)", (purpose, derive(key, purpose)))
