"""What a backup says it holds: written into its manifest, shown by `backup` and `restore`."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from nearside.archive import Manifest
from nearside.database import open_database
from nearside.errors import StorageError

MOST_LEFT_OUT = 1_000
QUERIES: Mapping[str, str] = {
    "conversations": "SELECT count(*) FROM conversations",
    "messages": "SELECT count(*) FROM log WHERE kind = 'message'",
    "open_turns": "SELECT count(*) FROM inbox WHERE status IN ('queued', 'deferred', 'doubtful')",
    "unsent_replies": "SELECT count(*) FROM outbox WHERE status IN ('pending', 'sending', 'doubtful')",
}


class Counts(BaseModel):
    """Of one tenant."""

    model_config = ConfigDict(frozen=True)

    conversations: int = 0
    messages: int = 0
    open_turns: int = 0
    unsent_replies: int = 0

    @classmethod
    def of(cls, file: Path, key: bytes) -> Self:
        """Raises StorageError where the key does not open the file."""
        with closing(open_database(file, key, read_only=True)) as db:
            return cls(**{name: db.execute(query).fetchone()[0] for name, query in QUERIES.items()})


class Holdings(BaseModel):
    """`left_out`: what stands in no backup and why, a line each."""

    model_config = ConfigDict(frozen=True)

    tenants: dict[str, Counts]
    left_out: list[str]

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        try:
            return cls.model_validate(manifest.facts)
        except ValidationError:
            raise StorageError("the archive's manifest says nothing of its tenants") from None

    @property
    def open(self) -> int:
        """Turns and replies that were under way."""
        return sum(counts.open_turns + counts.unsent_replies for counts in self.tenants.values())
