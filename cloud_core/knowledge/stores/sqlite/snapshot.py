"""One version of the knowledge in SQLite; what is the same for all searches of it stays in memory."""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloud_core.knowledge.index import postings as index
from cloud_core.knowledge.index.postings import Postings, Segment
from cloud_core.knowledge.index.snapshot import LANGS, About, Catalogue
from cloud_core.knowledge.stores.base import MOST_UNKNOWN
from cloud_core.knowledge.stores.matrix import Matrix
from cloud_core.knowledge.stores.sqlite import segments
from cloud_core.messages import Passage
from nearside.database import Connection

LIVE = "SELECT revision FROM spans WHERE until IS NULL"
DRAFTED = """
SELECT revision FROM spans JOIN revisions USING (revision)
WHERE until IS NULL AND document_id NOT IN (SELECT document_id FROM draft)
UNION ALL SELECT revision FROM draft WHERE revision IS NOT NULL
"""
_POSTINGS = """
SELECT term, postings FROM postings
WHERE segment IN (SELECT segment FROM segments) AND term IN (SELECT value FROM json_each(?))
"""
_PASSAGES = """
SELECT number, passage_id, document_id, title, uri, heading, text, p.lang
FROM passages p JOIN revisions USING (revision)
WHERE number IN (SELECT value FROM json_each(?))
"""
_VECTORS = """
SELECT number, vector FROM vectors
WHERE encoder = ? AND unknown_share <= ? AND number IN (SELECT value FROM json_each(?)) ORDER BY number
"""


@dataclass(frozen=True, slots=True)
class State:
    """`embedding` changes when vectors of live passages do."""

    version: int
    encoder: str
    embedding: int

    @classmethod
    def of(cls, connection: Connection) -> "State":
        return cls(*connection.execute("SELECT version, encoder, embedding FROM knowledge").fetchone())


class Memory:
    """The live version's catalogue and vectors, and what was learned. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._catalogue: tuple[int, Catalogue] | None = None
        self._matrix: tuple[State, Matrix] | None = None
        self._loaded: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._learned: dict[str, tuple[int, bytes]] = {}

    def catalogue(self, connection: Connection, state: State) -> Catalogue:
        with self._lock:
            if self._catalogue is None or self._catalogue[0] != state.version:
                self._catalogue = state.version, read_catalogue(connection, LIVE)
            return self._catalogue[1]

    def matrix(self, connection: Connection, state: State, numbers: NDArray[np.int64]) -> Matrix:
        """Of the live version's passages `numbers`."""
        with self._lock:
            if self._matrix is None or self._matrix[0] != state:
                self._matrix = state, self._read(connection, state, numbers)
                self._loaded = numbers
            return self._matrix[1]

    def learned(self, connection: Connection, name: str) -> bytes | None:
        row = connection.execute("SELECT number FROM learned WHERE name = ?", (name,)).fetchone()
        if row is None:
            return None
        with self._lock:
            if name not in self._learned or self._learned[name][0] != row[0]:
                (blob,) = connection.execute("SELECT blob FROM learned WHERE name = ?", (name,)).fetchone()
                self._learned[name] = row[0], blob
            return self._learned[name][1]

    def drafted(self, connection: Connection, state: State, numbers: NDArray[np.int64]) -> Matrix:
        with self._lock:
            return self._read(connection, state, numbers)

    def _read(self, connection: Connection, state: State, numbers: NDArray[np.int64]) -> Matrix:
        """Only what is not there yet."""
        known, loaded = Matrix.of((), ()), self._loaded[:0]
        if self._matrix and (self._matrix[0].encoder, self._matrix[0].embedding) == (state.encoder, state.embedding):
            known, loaded = self._matrix[1], self._loaded
        new = numbers[~np.isin(numbers, loaded, assume_unique=True)]
        rows = connection.execute(_VECTORS, (state.encoder, MOST_UNKNOWN, json.dumps(new.tolist()))).fetchall()
        return known.with_these(numbers, Matrix.of([row[0] for row in rows], [row[1] for row in rows]))


class SqliteSnapshot:
    """To be used inside the transaction it was made in, by one thread."""

    def __init__(self, connection: Connection, memory: Memory, *, draft: bool) -> None:
        self._connection, self._memory, self._draft = connection, memory, draft
        self._state = State.of(connection)
        self.catalogue = read_catalogue(connection, DRAFTED) if draft else memory.catalogue(connection, self._state)

    @property
    def version(self) -> str:
        return f"{self._state.version}+draft" if self._draft else str(self._state.version)

    @property
    def encoder(self) -> str:
        return self._state.encoder

    def postings(self, terms: Sequence[str]) -> dict[str, Postings]:
        parts: dict[str, list[Postings]] = {}
        for term, blob in self._connection.execute(_POSTINGS, (json.dumps(list(terms)),)):
            parts.setdefault(term, []).append(index.decode(blob))
        return {term: index.joined(found) for term, found in parts.items()}

    def dense(
        self, vector: NDArray[np.float32], limit: int, among: NDArray[np.bool_] | None = None
    ) -> list[tuple[int, float]]:
        read = self._memory.drafted if self._draft else self._memory.matrix
        matrix = read(self._connection, self._state, self.catalogue.numbers)
        return matrix.nearest(vector, limit, None if among is None else self.catalogue.numbers[among])

    def passages(self, numbers: Sequence[int]) -> dict[int, Passage]:
        rows = self._connection.execute(_PASSAGES, (json.dumps([int(number) for number in numbers]),))
        return {int(row[0]): Passage(*row[1:]) for row in rows}

    def learned(self, name: str) -> bytes | None:
        return self._memory.learned(self._connection, name)

    def segments(self) -> list[Segment]:
        return segments.read(self._connection)


def read_catalogue(connection: Connection, revisions: str) -> Catalogue:
    """`revisions` is a query that gives those of the version."""
    abouts = connection.execute(
        "SELECT revision, document_id, tags, audience, valid_from, valid_until FROM revisions"  # noqa: S608  our own
        f" WHERE revision IN ({revisions}) ORDER BY revision"
    ).fetchall()
    rows = connection.execute(
        f"SELECT number, revision, position, lang FROM passages WHERE revision IN ({revisions}) ORDER BY number"  # noqa: S608
    ).fetchall()
    numbers, held, positions, langs = zip(*rows, strict=True) if rows else ((), (), (), ())
    codes = {lang: code for code, lang in enumerate(LANGS)}
    places = {row[0]: place for place, row in enumerate(abouts)}
    ordered = np.array(numbers, dtype=np.int64)
    return Catalogue(
        numbers=ordered,
        lengths=segments.lengths_of(connection, ordered),
        langs=np.fromiter((codes[lang] for lang in langs), dtype=np.uint8, count=len(rows)),
        documents=np.fromiter((places[revision] for revision in held), dtype=np.int32, count=len(rows)),
        positions=np.array(positions, dtype=np.int32),
        about=tuple(About(row[1], frozenset(json.loads(row[2])), *row[3:]) for row in abouts),
    )
