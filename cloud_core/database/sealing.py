"""Columns that only the core can read: AES-256-GCM under a key derived from the company's own.

A sealed value is `1 ‖ key id ‖ nonce ‖ ciphertext`, bound to company, table, column and row: it opens nowhere else.
What is searched by equality is replaced by a keyed hash instead.
"""

import hmac
import os
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from nearside.errors import StorageError
from nearside.sealing import derive

FORM = b"\x01"
KEY_ID_BYTES = 8
NONCE_BYTES = 12
HEAD_BYTES = len(FORM) + KEY_ID_BYTES + NONCE_BYTES
HASH_BYTES = 16


class Seal:
    """`key`: the company's data key, 32 bytes."""

    def __init__(self, key: bytes, tenant_id: str) -> None:
        self._cipher, self._tenant_id = AESGCM(derive(key, "columns")), tenant_id
        self._hashing = hmac.new(derive(key, "column hashes"), digestmod=sha256)
        self.key_id = derive(key, "key id")[:KEY_ID_BYTES]

    def close(self, table: str, column: str, row: str, content: bytes) -> bytes:
        """Sealed, 37 bytes longer."""
        nonce = os.urandom(NONCE_BYTES)
        return FORM + self.key_id + nonce + self._cipher.encrypt(nonce, content, self._bound(table, column, row))

    def open(self, table: str, column: str, row: str, sealed: bytes) -> bytes:
        """Raises StorageError where it is damaged, from another place, or under another key."""
        place = f"{table}.{column} of {self._tenant_id}"
        if sealed[:1] != FORM or sealed[1 : 1 + KEY_ID_BYTES] != self.key_id:
            raise StorageError("a sealed value is under another key", where=place, hint="restore that key")
        nonce = sealed[1 + KEY_ID_BYTES : HEAD_BYTES]
        try:
            return self._cipher.decrypt(nonce, sealed[HEAD_BYTES:], self._bound(table, column, row))
        except (InvalidTag, ValueError):
            raise StorageError("a sealed value is damaged", where=place, hint="restore a backup") from None

    def hash(self, table: str, column: str, content: str) -> bytes:
        """The same content gives the same 16 bytes in this column of this company, and says nothing elsewhere."""
        hashing = self._hashing.copy()
        hashing.update(_joined(self._tenant_id, table, column, content))
        return hashing.digest()[:HASH_BYTES]

    def _bound(self, table: str, column: str, row: str) -> bytes:
        return self.key_id + _joined(self._tenant_id, table, column, row)


def _joined(*parts: str) -> bytes:
    """No two lists of parts give the same bytes."""
    return b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
