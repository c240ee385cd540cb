"""A tenant's API keys: only their hashes are kept, in a 0600 file that a running edge reads anew when it changes."""

import hmac
import json
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from nearside.errors import StorageError
from nearside.sealing import write_secret

PREFIX = "nsk_"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """`digest` is the SHA-256 of the key; the key has 256 random bits, so nothing slower is needed."""

    id: str
    name: str
    digest: str
    created_at: str
    revoked_at: str | None = None


class ApiKeys:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._keys: tuple[ApiKey, ...] = ()

    def all(self) -> tuple[ApiKey, ...]:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return ()
        if self._stamp != (found.st_mtime_ns, found.st_ino):
            self._keys = self._read()
            self._stamp = (found.st_mtime_ns, found.st_ino)
        return self._keys

    def add(self, name: str) -> tuple[ApiKey, str]:
        """A new key and its secret, which is shown once and kept nowhere."""
        secret = PREFIX + secrets.token_urlsafe(32)
        key = ApiKey(f"k{secrets.token_hex(4)}", name, _digest(secret), _now())
        self._write((*self.all(), key))
        return key, secret

    def revoke(self, key_id: str) -> ApiKey:
        revoked = [replace(key, revoked_at=_now()) for key in self.all() if key.id == key_id and not key.revoked_at]
        if not revoked:
            raise StorageError(f"no valid key {key_id}", where=str(self._path), hint="see `edge-node apikey list`")
        self._write(tuple(revoked[0] if key.id == key_id else key for key in self.all()))
        return revoked[0]

    def is_valid(self, secret: str) -> bool:
        """Looks at every key, whatever the first ones say: the time tells nothing."""
        digest = _digest(secret)
        matches = [hmac.compare_digest(key.digest, digest) and key.revoked_at is None for key in self.all()]
        return any(matches)

    def _read(self) -> tuple[ApiKey, ...]:
        try:
            return tuple(ApiKey(**entry) for entry in json.loads(self._path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            raise StorageError("the API keys cannot be read", where=str(self._path), hint="restore the file") from None

    def _write(self, keys: tuple[ApiKey, ...]) -> None:
        write_secret(self._path, json.dumps([asdict(key) for key in keys], indent=1).encode())


def _digest(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
