"""The recovery key: shown to a person once, opens every archive; the node keeps only its public part.

The human form is 56 characters of Crockford's base32 in groups of four: the X25519 private key and three bytes of
checksum. Reading takes either case, spaces and dashes as they come, O for 0, I and L for 1.
"""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from nearside.errors import NearsideError, StorageError
from nearside.sealing.files import write_secret
from nearside.sealing.wrapping import KEY_BYTES

RECOVERY_FILE = "recovery.pub"
CHECK_BYTES = 3
LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
RFC_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
LENGTH = (KEY_BYTES + CHECK_BYTES) * 8 // 5
GROUP = 4
MEANT = str.maketrans("OIL", "011")
TO_RFC, FROM_RFC = str.maketrans(LETTERS, RFC_LETTERS), str.maketrans(RFC_LETTERS, LETTERS)
FILE_FORM = re.compile(rb"nearside-recovery-1 ([0-9a-f]{64})\s*")


@dataclass(frozen=True, slots=True)
class RecoveryPublic:
    """What archives are sealed to; 32 bytes. Everyone may know it, but whoever changes it reads later archives."""

    raw: bytes

    @property
    def id(self) -> str:
        """A short name by which people tell recovery keys apart, such as `K7QD-02XA`."""
        digest = sha256(b"nearside recovery id " + self.raw).digest()
        return _grouped(_encoded(digest[:5]))

    @property
    def key(self) -> X25519PublicKey:
        return X25519PublicKey.from_public_bytes(self.raw)

    @classmethod
    def read(cls, path: Path, *, program: str) -> Self:
        """Raises StorageError where there is none, or a damaged one; `program` is the one that can make it."""
        hint = f"make a recovery key with `{program} keys recovery`"
        try:
            found = FILE_FORM.fullmatch(path.read_bytes())
        except FileNotFoundError:
            raise StorageError("no recovery key was made yet", where=str(path), hint=hint) from None
        except OSError as error:
            what = f"the recovery key's public part cannot be read ({error.strerror})"
            raise StorageError(what, where=str(path)) from None
        if not found:
            raise StorageError("the recovery key's public part is damaged", where=str(path), hint=f"{hint} --replace")
        return cls(bytes.fromhex(found[1].decode()))

    def write(self, path: Path) -> None:
        write_secret(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """What its file holds."""
        return f"nearside-recovery-1 {self.raw.hex()}\n".encode()


@dataclass(frozen=True, slots=True)
class RecoveryKey:
    raw: bytes = field(repr=False)

    @classmethod
    def make(cls) -> Self:
        return cls(X25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises NearsideError, which says where the typo is if it can, and never quotes the key."""
        letters = re.sub(r"[\s\-\u2010-\u2015\u2212\ufeff\u200b]", "", text).upper().translate(MEANT)
        for place, letter in enumerate(letters):
            if letter not in LETTERS:
                raise _typo(f"group {place // GROUP + 1} has a character that no key has")
        if len(letters) != LENGTH:
            raise _typo(f"it has {len(letters)} characters, not {LENGTH}")
        if (raw := _checked(letters)) is None:
            groups = {place // GROUP + 1 for place, candidate in _near(letters) if _checked(candidate) is not None}
            raise _typo(f"look at group {' or '.join(map(str, sorted(groups)))}" if groups else "compare every group")
        return cls(raw)

    @property
    def text(self) -> str:
        return _grouped(_encoded(self.raw + _check(self.raw)))

    @property
    def key(self) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(self.raw)

    @property
    def public(self) -> RecoveryPublic:
        return RecoveryPublic(self.key.public_key().public_bytes_raw())


def recovery_file(node_key: Path) -> Path:
    """Where a node keeps the public part: beside its own key."""
    return node_key.with_name(RECOVERY_FILE)


def _check(raw: bytes) -> bytes:
    return sha256(b"nearside recovery key 1" + raw).digest()[:CHECK_BYTES]


def _checked(letters: str) -> bytes | None:
    content = base64.b32decode(letters.translate(TO_RFC))
    raw, check = content[:KEY_BYTES], content[KEY_BYTES:]
    return raw if check == _check(raw) else None


def _near(letters: str) -> Iterator[tuple[int, str]]:
    """Every text with one character changed or two neighbours exchanged, and where."""
    for place in range(LENGTH):
        yield from ((place, letters[:place] + other + letters[place + 1 :]) for other in LETTERS)
        pair = letters[place : place + 2]
        yield place, letters[:place] + pair[::-1] + letters[place + 2 :]


def _encoded(content: bytes) -> str:
    return base64.b32encode(content).decode().translate(FROM_RFC)


def _grouped(letters: str) -> str:
    return "-".join(letters[start : start + GROUP] for start in range(0, len(letters), GROUP))


def _typo(where: str) -> NearsideError:
    return NearsideError(
        f"the recovery key has a typo: {where}", hint=f"{LENGTH // GROUP} groups of {GROUP} letters and digits"
    )
