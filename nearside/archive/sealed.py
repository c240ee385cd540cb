"""The envelope: a header in clear, then numbered AES-256-GCM chunks to a recovery key."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, BinaryIO, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from nearside import __version__
from nearside.archive.manifest import About
from nearside.errors import NearsideError, StorageError
from nearside.sealing import RecoveryKey, RecoveryPublic

FORMAT = 1
CHUNK_BYTES = 1 << 20
TAG_BYTES = 16
LONGEST_LINE = 64 << 10
MAGIC = re.compile(rb"nearside archive ([0-9]{1,9}) ([0-9a-f]{16})\n")
INSTALL = "install the newer release"
DAMAGED = "take another copy of it"


@dataclass(frozen=True, slots=True)
class Header:
    """What stands in clear. `recovery_key` is the id of the key that opens it."""

    about: About
    version: str
    made_at: str
    recovery_key: str
    ephemeral: bytes
    raw: bytes

    @classmethod
    def make(cls, about: About, public: RecoveryPublic, ephemeral: bytes) -> Self:
        made_at = datetime.now(UTC).isoformat(timespec="seconds")
        fields = {
            "program": about.program,
            "name": about.name,
            "schemas": dict(about.schemas),
            "version": __version__,
            "made_at": made_at,
            "recovery_key": public.id,
            "ephemeral": ephemeral.hex(),
        }
        line = json.dumps(fields).encode() + b"\n"
        raw = b"nearside archive %d %s\n" % (FORMAT, _check(FORMAT, line)) + line
        return cls(about, __version__, made_at, public.id, ephemeral, raw)

    @classmethod
    def read(cls, source: BinaryIO) -> Self:
        """Raises StorageError where it is no archive, a damaged one or one of a newer format."""
        first = source.readline(LONGEST_LINE)
        found = MAGIC.fullmatch(first)
        if not found:
            raise StorageError("not an archive of this program")
        line = source.readline(LONGEST_LINE)
        if _check(int(found[1]), line) != found[2]:
            raise _damaged()
        if int(found[1]) > FORMAT:
            raise StorageError(f"archive format {int(found[1])} is newer than this program's {FORMAT}", hint=INSTALL)
        try:
            return cls._parsed(json.loads(line), first + line)
        except (ValueError, TypeError, KeyError, RecursionError):
            raise _damaged() from None

    def refuse_for(self, program: str, schemas: Mapping[str, int]) -> None:
        """Raises NearsideError where `program`, with these schemas, cannot take the archive over."""
        theirs = self.about
        if theirs.program != program:
            raise NearsideError(
                f"this is an archive of {theirs.program}", hint=f"give it to `{theirs.program} restore`"
            )
        for room, number in theirs.schemas.items():
            if number > schemas.get(room, 0):
                what = f"the archive's data are newer (schema {room} {number}, this program's {schemas.get(room, 0)})"
                raise StorageError(what, hint=f"{INSTALL}, {self.version} or later")

    @classmethod
    def _parsed(cls, fields: Mapping[str, Any], raw: bytes) -> Self:
        schemas = {str(room): int(number) for room, number in fields["schemas"].items()}
        about = About(str(fields["program"]), str(fields["name"]), schemas)
        version, made_at, recovery_key = (str(fields[key]) for key in ("version", "made_at", "recovery_key"))
        return cls(about, version, made_at, recovery_key, bytes.fromhex(fields["ephemeral"]), raw)


class SealedWriter:
    """`write`, then `close`; what comes out goes to `sink`, a chunk at a time."""

    def __init__(self, sink: Callable[[bytes], object], public: RecoveryPublic, about: About) -> None:
        pair = X25519PrivateKey.generate()
        self.header = Header.make(about, public, pair.public_key().public_bytes_raw())
        self._cipher = _cipher(pair.exchange(public.key), self.header, public)
        self._sink, self._buffer, self._number = sink, bytearray(), 0
        sink(self.header.raw)

    def write(self, content: bytes) -> None:
        self._buffer += content
        while len(self._buffer) > CHUNK_BYTES:  # a full one stays, it may be the last
            self._seal(bytes(self._buffer[:CHUNK_BYTES]), last=False)
            del self._buffer[:CHUNK_BYTES]

    def close(self) -> None:
        self._seal(bytes(self._buffer), last=True)
        self._buffer.clear()

    def _seal(self, chunk: bytes, *, last: bool) -> None:
        self._sink(self._cipher.encrypt(_nonce(self._number, last=last), chunk, None))
        self._number += 1


class SealedReader:
    """Hands out what was sealed, in order; raises StorageError at the first thing that is not as it was written."""

    def __init__(self, source: BinaryIO, header: Header, key: RecoveryKey) -> None:
        if header.recovery_key != key.public.id:
            hint = f"it was made for the key {header.recovery_key}, this is {key.public.id}"
            raise StorageError("this recovery key does not open this archive", hint=hint)
        self._cipher = _agreed(header, key)
        self._source, self._number = source, 0
        self._ahead = source.read(CHUNK_BYTES + TAG_BYTES)
        self._opened, self._at = b"", 0
        self._ended = False

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes, fewer only at the end; ask for little at a time."""
        parts = []
        while count:
            if self._at == len(self._opened) and not self._open_next():
                break
            part = self._opened[self._at : self._at + count]
            self._at += len(part)
            count -= len(part)
            parts.append(part)
        return b"".join(parts)

    def _open_next(self) -> bool:
        if self._ended:
            return False
        chunk, self._ahead = self._ahead, self._source.read(CHUNK_BYTES + TAG_BYTES)
        last = not self._ahead
        try:
            self._opened = self._cipher.decrypt(_nonce(self._number, last=last), chunk, None)
        except (InvalidTag, ValueError):
            raise _damaged() from None
        self._at, self._ended = 0, last
        self._number += 1
        return True


def _agreed(header: Header, key: RecoveryKey) -> AESGCM:
    try:
        return _cipher(key.key.exchange(X25519PublicKey.from_public_bytes(header.ephemeral)), header, key.public)
    except ValueError:
        raise _damaged() from None


def _cipher(agreed: bytes, header: Header, public: RecoveryPublic) -> AESGCM:
    salt = sha256(header.raw).digest()
    return AESGCM(HKDF(SHA256(), 32, salt, b"nearside archive" + header.ephemeral + public.raw).derive(agreed))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _check(format: int, line: bytes) -> bytes:
    return sha256(b"%d " % format + line).hexdigest()[:16].encode()


def _damaged() -> StorageError:
    return StorageError("the archive is damaged or cut short", hint=DAMAGED)
