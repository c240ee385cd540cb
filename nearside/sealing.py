"""Keys: each tenant's files are encrypted under a random key of its own, wrapped by the node's key.

The node's key is a 0600 file (32 random bytes, hex). A wrapped key is `nonce ‖ ciphertext` of AES-256-GCM
with `nearside:<node>:<tenant>` as associated data, so it opens for no other tenant and on no other node.
Destroying the wrapped key destroys the tenant's data.
"""

import hmac
import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from nearside.errors import StorageError

KEY_BYTES = 32
NONCE_BYTES = 12
TENANT_KEY = "tenant.key"


class KeyRing:
    """The keys of one node; `node` is the edge's or core's name. Raises StorageError where the node's key is gone."""

    def __init__(self, node_key_file: Path, node: str) -> None:
        self._cipher = AESGCM(_read(node_key_file))
        self._node = node

    def tenant_key(self, folder: Path, tenant_id: str) -> bytes:
        """The 32-byte data key of the tenant whose files lie in `folder`; made on first use."""
        file = folder / TENANT_KEY
        bound = f"nearside:{self._node}:{tenant_id}".encode()
        if not file.exists():
            key, nonce = os.urandom(KEY_BYTES), os.urandom(NONCE_BYTES)
            write_secret(file, nonce + self._cipher.encrypt(nonce, key, bound), keep=True)
        wrapped = file.read_bytes()
        try:
            return self._cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], bound)
        except (InvalidTag, ValueError):
            raise StorageError(
                "the tenant's key does not open",
                where=str(file),
                hint=f"another node key wrapped it, or another name than {self._node}: restore that key or name",
            ) from None


def make_node_key(path: Path, data: Path) -> bool:
    """True if one was made. Raises StorageError where it is gone and `data` holds what only that one opens."""
    if path.exists():
        return False
    if holds_tenants(data):
        raise StorageError(
            "the node's key is gone and nothing else opens the data there is",
            where=str(path),
            hint="restore it from the backup",
        )
    write_secret(path, os.urandom(KEY_BYTES).hex().encode(), keep=True)
    return True


def holds_tenants(data: Path) -> bool:
    return any(data.glob(f"tenants/*/{TENANT_KEY}"))


def derive(key: bytes, purpose: str) -> bytes:
    """A key for one purpose, derived from a tenant's data key (HMAC-SHA256, 32 bytes)."""
    return hmac.new(key, f"nearside:{purpose}".encode(), sha256).digest()


def write_secret(path: Path, content: bytes, *, keep: bool = False) -> None:
    """Write as 0600, whole or not at all, durable on return. With `keep`, a file that is there stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if keep:
            with suppress(FileExistsError):
                os.link(partial, path)
        else:
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes:
    if not path.exists():
        raise StorageError(
            "no node key", where=str(path), hint="restore it from the backup; where there is no data yet, run `init`"
        )
    if path.stat().st_mode & 0o077:
        raise StorageError("the node's key is readable by others", where=str(path), hint=f"chmod 600 {path}")
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise StorageError("the node's key is damaged", where=str(path), hint="restore it from the backup")
    return key
