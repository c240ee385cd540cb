"""One key under another: AES-256-GCM, `nonce ‖ ciphertext`."""

import os
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12


def wrap(key: bytes, under: bytes, bound: bytes) -> bytes:
    """`bound` must be said again to open it."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(under).encrypt(nonce, key, bound)


def unwrap(wrapped: bytes, under: Iterable[bytes], bound: bytes) -> bytes | None:
    """The key, with the first of `under` that opens it; None where none does."""
    for candidate in under:
        try:
            return AESGCM(candidate).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], bound)
        except (InvalidTag, ValueError):
            continue
    return None
