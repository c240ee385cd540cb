"""Where a tenant's knowledge is kept: documents collect in a draft and are published as numbered versions."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cloud_core.knowledge.index.postings import Segment
from cloud_core.knowledge.index.snapshot import Snapshot
from cloud_core.messages import Lang

KEPT_VERSIONS = 10
"""So many of the newest versions can be gone back to."""
MOST_GAPS = 2_000
"""So many of the newest questions without an answer are kept."""
MOST_UNKNOWN = 0.1
"""Above it, a vector says nothing about the text: such passages are left out of the dense search."""


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """One state of a document. `added_at` is UTC in ISO 8601; the rest as in `index.snapshot.About`.

    The store counts `passages`, and the bytes of their texts in UTF-8 as `size`.
    """

    document_id: str
    title: str
    uri: str
    lang: Lang
    added_at: str
    tags: tuple[str, ...] = ()
    audience: str = ""
    valid_from: str = ""
    valid_until: str = ""
    passages: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Vector:
    """`values` (d,) of length 1, and the share of the text that the encoder could not read, 0 to 1."""

    values: NDArray[np.float16]
    unknown_share: float


@dataclass(frozen=True, slots=True)
class Entry:
    """A passage to be stored; one without a vector waits for `without_vectors`."""

    passage_id: str
    heading: str
    text: str
    lang: Lang
    vector: Vector | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A document that is in the draft, or else live. `digest` tells whether its file has changed since."""

    digest: str
    document: DocumentInfo


class Kind(StrEnum):
    ADDED = "added"
    UPDATED = "updated"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Change:
    """What publishing the draft does to one document. Passages: live now, and then."""

    document_id: str
    title: str
    kind: Kind
    passages_before: int
    passages_after: int


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """`restored`: the version whose content was brought back. `kept`: it can be gone back to."""

    number: int
    published_at: str
    note: str
    restored: int | None
    documents: int
    passages: int
    kept: bool


@dataclass(frozen=True, slots=True)
class Unembedded:
    """A passage that waits for a vector."""

    number: int
    title: str
    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A question of a customer, masked, that found no answer."""

    turn_id: str
    question: str
    lang: Lang
    noted_at: str


@dataclass(frozen=True, slots=True)
class Measures:
    """Of all versions that are kept, and the draft."""

    index_bytes: int
    index_segments: int
    vector_bytes: int
    vectors: int


class Reading(Snapshot, Protocol):
    """A snapshot that also says whose vectors it searches, and has the whole index, for search to learn from."""

    @property
    def encoder(self) -> str: ...

    def segments(self) -> list[Segment]:
        """May hold passages that are not live. Large."""
        ...


class Store(Protocol):
    """Blocking, thread-safe. Every method raises StorageError where the store cannot be used.

    Each writing method is all or nothing, also when the process is killed in it.
    """

    def close(self) -> None: ...

    def version(self) -> str:
        """The number of the version that is live; "0" before the first."""
        ...

    def versions(self) -> list[VersionInfo]:
        """Newest first."""
        ...

    def encoder(self) -> str:
        """Whose vectors are searched; "" before the first passage."""
        ...

    def documents(self, *, draft: bool = False) -> list[DocumentInfo]:
        """Live ones, or as they were if the draft were published; by id."""
        ...

    def changes(self) -> list[Change]:
        """What `publish` would do, by document."""
        ...

    def known(self, document_id: str) -> Known | None: ...

    def known_vectors(self, encoder: str, passage_ids: Sequence[str]) -> dict[str, Vector]:
        """Of passages of any version that is kept, and of the draft."""
        ...

    def put(self, document: DocumentInfo, digest: str, entries: Sequence[Entry], encoder: str) -> bool:
        """Into the draft, instead of what it has of the document; False if it is new.

        One with the digest of the live one is no change.
        """
        ...

    def drop(self, document_id: str) -> bool:
        """Out of the draft's state; False if it is not there."""
        ...

    def discard(self) -> int:
        """Forget the draft; how many documents it would have changed."""
        ...

    def publish(self, note: str = "") -> str:
        """The draft becomes the next version; its number, or the live one's where there is nothing to publish."""
        ...

    def rollback(self, number: int) -> str:
        """A new version with the content of an old one; its number. The draft stays. Raises NearsideError."""
        ...

    def reading(self, *, draft: bool = False) -> AbstractContextManager[Reading]:
        """The live version as of one moment, or as it were if the draft were published."""
        ...

    def without_vectors(self, encoder: str, limit: int) -> list[Unembedded]: ...

    def count_without_vectors(self, encoder: str) -> int: ...

    def put_vectors(self, encoder: str, vectors: Sequence[tuple[int, Vector]]) -> None:
        """By passage number; numbers that are gone meanwhile are passed over."""
        ...

    def switch_encoder(self, encoder: str) -> bool:
        """Search with this one's vectors from now on, and forget the others'; False while passages lack them."""
        ...

    def note_sources(self, folder: str, document_ids: Sequence[str]) -> None:
        """These documents came from `folder` when they were last added."""
        ...

    def from_source(self, folder: str) -> set[str]: ...

    def learned(self, name: str) -> bytes | None:
        """As a snapshot has it, without opening one."""
        ...

    def keep_learned(self, name: str, blob: bytes) -> None:
        """What search is to know besides the passages; replaces what was kept under this name before."""
        ...

    def publish_learned(self, name: str, blob: bytes, note: str) -> str:
        """As `keep_learned`, with a new version of the same documents, so that no number stands for two states.

        The draft stays; the new version's number.
        """
        ...

    def note_gap(self, gap: Gap) -> None:
        """Once per turn; the oldest beyond MOST_GAPS go."""
        ...

    def gaps(self) -> list[Gap]:
        """Oldest first."""
        ...

    def forget_gaps(self, turn_ids: Sequence[str]) -> None:
        """Gone from the disk too, as far as the store can see to it."""
        ...

    def measure(self) -> Measures: ...
