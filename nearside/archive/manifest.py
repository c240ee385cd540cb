"""What an archive says about itself."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from nearside.errors import StorageError

MANIFEST = "manifest.json"
LARGEST_MANIFEST = 64 << 20


@dataclass(frozen=True, slots=True)
class About:
    """Whose archive it is; `schemas`: the number of the newest migration in its databases, by room."""

    program: str
    name: str
    schemas: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: `path` is relative, `sha256` in hex."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`facts` is what the program that wrote it adds, as JSON: counts, what was left out."""

    about: About
    version: str
    made_at: str
    recovery_key: str
    files: tuple[Entry, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes in its files."""
        return sum(entry.size for entry in self.files)

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), indent=1).encode()


def parse_files(content: bytes) -> tuple[tuple[Entry, ...], Mapping[str, Any]]:
    """The files and facts of a manifest. Raises StorageError where it is none."""
    try:
        found = json.loads(content)
        return tuple(Entry(**entry) for entry in found["files"]), dict(found["facts"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise StorageError("the archive's manifest cannot be read") from None


def is_safe(path: str) -> bool:
    """A relative path that stays below the folder it is unpacked into, and names itself in one way only."""
    parts = path.split("/")
    return (
        len(path.encode("utf-8", "surrogatepass")) <= 1024
        and all(0 < len(part.encode("utf-8", "surrogatepass")) <= 255 for part in parts)
        and not {".", ".."} & set(parts)
        and not re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", path)
    )
