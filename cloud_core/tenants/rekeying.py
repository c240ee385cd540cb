"""A new key for a tenant's file: every page is written anew in one transaction."""

from contextlib import closing
from pathlib import Path

from nearside.database import SqliteError, open_database
from nearside.errors import StorageError


def rekey(path: Path, old: bytes, new: bytes) -> None:
    """Nobody else may have the file open. Raises StorageError; the file is then under `old` or under `new`.

    Leaving the write-ahead log needs the file for oneself, and the lock that is taken then is kept to the end.
    """
    with closing(open_database(path, old)) as connection:
        try:
            if connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0] != "delete":
                raise _in_use(path)
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("COMMIT")
            connection.execute(f"PRAGMA rekey = \"x'{new.hex()}'\"")
        except connection.OperationalError as error:
            if "locked" in str(error):
                raise _in_use(path) from None
            raise StorageError(f"no new key ({error})", where=str(path), hint="look at disk space") from None
        except SqliteError as error:
            raise StorageError(f"no new key ({error})", where=str(path), hint="repeat it") from None
    with closing(open_database(path, new)):  # in WAL mode again; raises where the new key did not take
        pass


def _in_use(path: Path) -> StorageError:
    return StorageError("another program has the file open", where=str(path), hint="wait for its end and repeat")
