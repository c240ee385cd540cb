"""One version of the knowledge on PostgreSQL; what is the same for all searches of it stays in memory."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud_core.database import Connection
from cloud_core.database.halves import values_of
from cloud_core.knowledge.index import postings as index
from cloud_core.knowledge.index.postings import Postings, Segment
from cloud_core.knowledge.index.snapshot import LANGS, About, Catalogue
from cloud_core.knowledge.stores.base import MOST_UNKNOWN
from cloud_core.knowledge.stores.matrix import Matrix
from cloud_core.knowledge.stores.postgres import nearest, segments
from cloud_core.knowledge.stores.postgres.connections import Columns
from cloud_core.messages import Passage

MOST_IN_MEMORY = 5_000
"""Passages: up to so many their vectors stay in memory and are searched exactly, beyond that pgvector's index is."""
LIVE = "SELECT revision FROM spans WHERE until IS NULL"
DRAFTED = """
SELECT revision FROM spans JOIN revisions USING (revision)
WHERE until IS NULL AND document_id NOT IN (SELECT document_id FROM draft)
UNION ALL SELECT revision FROM draft WHERE revision IS NOT NULL
"""
_PASSAGES = """
SELECT number, revision, position, passage_id, document_id, about, content, p.lang
FROM passages p JOIN revisions r USING (revision) WHERE number = ANY(%s)
"""
_VECTORS = "SELECT number, vector FROM vectors WHERE encoder = %s AND unknown_share <= %s AND number = ANY(%s)"


@dataclass(frozen=True, slots=True)
class State:
    """`embedding` changes when vectors of live passages do."""

    version: int
    encoder: str
    embedding: int

    @classmethod
    def of(cls, connection: Connection) -> "State":
        row = connection.execute("SELECT version, encoder, embedding FROM knowledge").fetchone()
        return cls(*row) if row else cls(0, "", 0)


class Memory:
    """The live version's catalogue, the vectors of a small one, and what was learned. Thread-safe."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self._lock = threading.Lock()
        self._catalogue: tuple[int, Catalogue] | None = None
        self._matrix: tuple[State, Matrix] | None = None
        self._learned: dict[str, tuple[int, bytes]] = {}

    def catalogue(self, connection: Connection, state: State) -> Catalogue:
        with self._lock:
            if self._catalogue is None or self._catalogue[0] != state.version:
                self._catalogue = state.version, read_catalogue(connection, LIVE, self.columns)
            return self._catalogue[1]

    def matrix(self, connection: Connection, state: State, numbers: NDArray[np.int64]) -> Matrix:
        """Of the live version's passages `numbers`."""
        with self._lock:
            if self._matrix is None or self._matrix[0] != state:
                self._matrix = state, read_matrix(connection, state, numbers)
            return self._matrix[1]

    def learned(self, connection: Connection, name: str) -> bytes | None:
        row = connection.execute("SELECT number FROM learned WHERE name = %s", (name,)).fetchone()
        if row is None:
            return None
        with self._lock:
            if name not in self._learned or self._learned[name][0] != row[0]:
                found = connection.execute("SELECT content FROM learned WHERE name = %s", (name,), binary=True)
                (sealed,) = found.fetchone() or (b"",)
                self._learned[name] = row[0], self.columns.seal.open("learned", "content", name, sealed)
            return self._learned[name][1]


class PostgresSnapshot:
    """To be used inside the transaction it was made in, by one thread."""

    def __init__(self, connection: Connection, memory: Memory, *, draft: bool) -> None:
        self._connection, self._memory, self._draft = connection, memory, draft
        self._columns, self._state = memory.columns, State.of(connection)
        if draft:
            self.catalogue = read_catalogue(connection, DRAFTED, self._columns)
        else:
            self.catalogue = memory.catalogue(connection, self._state)

    @property
    def version(self) -> str:
        return f"{self._state.version}+draft" if self._draft else str(self._state.version)

    @property
    def encoder(self) -> str:
        return self._state.encoder

    def postings(self, terms: Sequence[str]) -> dict[str, Postings]:
        words = {self._columns.term(word): word for word in terms}
        query = "SELECT term, postings FROM postings WHERE term = ANY(%s)"
        parts: dict[str, list[Postings]] = {}
        for term, blob in self._connection.execute(query, (list(words),), binary=True):
            parts.setdefault(words[term], []).append(index.decode(blob))
        return {word: index.joined(found) for word, found in parts.items()}

    def dense(
        self, vector: NDArray[np.float32], limit: int, among: NDArray[np.bool_] | None = None
    ) -> list[tuple[int, float]]:
        counting = self.catalogue.numbers if among is None else self.catalogue.numbers[among]
        if len(self.catalogue) > MOST_IN_MEMORY:
            return nearest.search(self._connection, self._state.encoder, vector, limit, counting)
        if self._draft:
            matrix = read_matrix(self._connection, self._state, self.catalogue.numbers)
        else:
            matrix = self._memory.matrix(self._connection, self._state, self.catalogue.numbers)
        return matrix.nearest(vector, limit, None if among is None else counting)

    def passages(self, numbers: Sequence[int]) -> dict[int, Passage]:
        given = ([int(number) for number in numbers],)
        return dict(self._passage(*row) for row in self._connection.execute(_PASSAGES, given, binary=True))

    def learned(self, name: str) -> bytes | None:
        return self._memory.learned(self._connection, name)

    def segments(self) -> list[Segment]:
        return segments.read(self._connection, self._columns)

    def _passage(
        self, number: int, revision: int, position: int, passage_id: str, document_id: str, *sealed: Any
    ) -> tuple[int, Passage]:
        about, content, lang = sealed
        title, uri, _, _ = self._columns.about(revision, about)
        heading, text = self._columns.content(revision, position, content)
        return number, Passage(passage_id, document_id, title, uri, heading, text, lang)


def read_matrix(connection: Connection, state: State, numbers: NDArray[np.int64]) -> Matrix:
    query, given = _VECTORS + " ORDER BY number", (state.encoder, MOST_UNKNOWN, numbers.tolist())
    rows = connection.execute(query, given, binary=True).fetchall()
    read = Matrix.of([row[0] for row in rows], [values_of(row[1]).tobytes() for row in rows])
    return Matrix.of((), ()).with_these(numbers, read)


def read_catalogue(connection: Connection, revisions: str, columns: Columns) -> Catalogue:
    """`revisions` is a query that gives those of the version."""
    which = f"WHERE revision IN ({revisions})"
    query = f"SELECT revision, document_id, about, valid_from, valid_until FROM revisions {which} ORDER BY revision"  # noqa: S608
    abouts = connection.execute(query.encode(), binary=True).fetchall()
    query = f"SELECT number, revision, position, lang FROM passages {which} ORDER BY number"  # noqa: S608  our own
    rows = connection.execute(query.encode(), binary=True).fetchall()
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
        about=tuple(_about(columns, *row) for row in abouts),
    )


def _about(columns: Columns, revision: int, document_id: str, sealed: bytes, since: str, until: str) -> About:
    _, _, tags, audience = columns.about(revision, sealed)
    return About(document_id, frozenset(tags), audience, since, until)
