"""Keys: each tenant's files are encrypted under a random key of its own, wrapped by the node's key.

The node's key is a 0600 file (32 random bytes, hex) or a systemd credential. A wrapped key is `nonce ‖ ciphertext`
of AES-256-GCM with `nearside:<node>:<tenant>` as associated data, so it opens for no other tenant and on no other
node. Destroying the wrapped key destroys the tenant's data. A recovery key, which the node does not keep, opens
its archives.
"""

import hmac
from hashlib import sha256

from nearside.sealing.files import shred, sync_folder, write_secret
from nearside.sealing.node import CREDENTIAL, credential, holds_tenants, make_node_key
from nearside.sealing.recovery import RecoveryKey, RecoveryPublic, recovery_file
from nearside.sealing.ring import TENANT_KEY, KeyRing, Rewrap
from nearside.sealing.wrapping import KEY_BYTES

__all__ = [
    "CREDENTIAL",
    "KEY_BYTES",
    "TENANT_KEY",
    "KeyRing",
    "RecoveryKey",
    "RecoveryPublic",
    "Rewrap",
    "credential",
    "derive",
    "holds_tenants",
    "make_node_key",
    "recovery_file",
    "shred",
    "sync_folder",
    "write_secret",
]


def derive(key: bytes, purpose: str) -> bytes:
    """A key for one purpose, derived from a tenant's data key (HMAC-SHA256, 32 bytes)."""
    return hmac.new(key, f"nearside:{purpose}".encode(), sha256).digest()
