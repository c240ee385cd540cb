"""A new key for a tenant's file: every page is written anew in one transaction."""

from pathlib import Path

from edge_node.storage.files import open_writing
from nearside.database import Connection, SqliteError
from nearside.errors import StorageError
from nearside.sealing import KEY_BYTES


def rekey(connection: Connection, path: Path, old: bytes, new: bytes) -> tuple[Connection, bytes]:
    """The connection to go on with, and the key that now opens the file: the old one where the new did not take.

    There must be no other connection. What the re-keyed one believes of its key after a failure is not relied on.
    Raises StorageError for anything but 32 bytes, which SQLCipher would take for a passphrase.
    """
    if len(new) != KEY_BYTES:
        raise StorageError(f"a key has {KEY_BYTES} bytes", where=str(path), hint="make it anew")
    try:
        connection.execute(f"PRAGMA rekey = \"x'{new.hex()}'\"")
    except SqliteError:
        pass
    opened = open_writing(path, (new, old))
    connection.close()
    return opened
