"""The node's key: a 0600 file beside the certificates, or a systemd credential, which wins over the file."""

import os
from pathlib import Path

from nearside.errors import StorageError
from nearside.sealing.files import write_secret
from nearside.sealing.wrapping import KEY_BYTES

CREDENTIAL = "nearside-node-key"
NEXT = ".next"
RESTORE = "restore it from the backup"


def credential() -> Path | None:
    """Where systemd handed the key over (`LoadCredential=nearside-node-key:FILE`), if it did."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    file = Path(folder) / CREDENTIAL if folder else None
    return file if file is not None and file.exists() else None


def make_node_key(path: Path, data: Path) -> bool:
    """True if one was made. Raises StorageError where it is gone and `data` holds what only that one opens."""
    if path.exists() or credential() is not None:
        return False
    if holds_tenants(data):
        raise StorageError(
            "the node's key is gone and nothing else opens the data there is", where=str(path), hint=RESTORE
        )
    write_secret(path, os.urandom(KEY_BYTES).hex().encode(), keep=True)
    return True


def holds_tenants(data: Path) -> bool:
    return any(data.glob("tenants/*/tenant.key*"))


def next_file(path: Path) -> Path:
    """Where a rotation keeps the new key until every tenant's key is under it."""
    return path.with_name(path.name + NEXT)


def read_node_keys(path: Path, handed: Path | None) -> tuple[bytes, ...]:
    """The key in force first, then the one that an interrupted rotation left beside it. Raises StorageError."""
    if handed is not None:
        return (_parsed(handed),)
    if not path.exists():
        hint = f"{RESTORE}; where there is no data yet, run `init`"
        raise StorageError("no node key", where=str(path), hint=hint)
    return tuple(_private(file) for file in (path, next_file(path)) if file.exists())


def _private(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        raise StorageError("the node's key is readable by others", where=str(path), hint=f"chmod 600 {path}")
    return _parsed(path)


def _parsed(path: Path) -> bytes:
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError:
        key = b""
    except OSError as error:
        raise StorageError(f"the node's key cannot be read ({error.strerror})", where=str(path)) from None
    if len(key) != KEY_BYTES:
        raise StorageError("the node's key is damaged", where=str(path), hint=RESTORE)
    return key
