"""One tenant's passages in SQLite: full text, vectors and the version, changed together or not at all."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import numpy as np
import sqlite_utils
from numpy.typing import NDArray

from cloud_core.knowledge.documents import DocumentInfo
from cloud_core.messages import Lang, Passage
from nearside.database import Connection, Migration
from nearside.encoder import DIMENSIONS
from nearside.errors import StorageError
from nearside.lexical import search_terms

COLUMN_WEIGHTS = (2.0, 2.0, 1.0)  # title, heading, text
MOST_UNKNOWN = 0.1  # above it, a vector says nothing about the text


def m001_knowledge(database: sqlite_utils.Database) -> None:
    for statement in (
        "CREATE TABLE documents (document_id TEXT PRIMARY KEY, uri TEXT NOT NULL, title TEXT NOT NULL,"
        " lang TEXT NOT NULL, digest TEXT NOT NULL, encoder TEXT NOT NULL, added_at TEXT NOT NULL) STRICT",
        "CREATE TABLE passages (number INTEGER PRIMARY KEY, passage_id TEXT NOT NULL UNIQUE,"
        " document_id TEXT NOT NULL REFERENCES documents ON DELETE CASCADE, heading TEXT NOT NULL, text TEXT NOT NULL,"
        " lang TEXT NOT NULL, vector BLOB NOT NULL, unknown_share REAL NOT NULL) STRICT",
        "CREATE INDEX passages_of_document ON passages (document_id)",
        "CREATE VIRTUAL TABLE passage_terms USING fts5(title, heading, text, content='', contentless_delete=1,"
        " tokenize=\"ascii tokenchars '.,:'\")",
        "CREATE VIRTUAL TABLE passage_vocabulary USING fts5vocab(passage_terms, 'row')",
        "CREATE TABLE knowledge_version (version INTEGER NOT NULL) STRICT",
        "INSERT INTO knowledge_version VALUES (0)",
    ):
        database.execute(statement)


MIGRATIONS: tuple[Migration, ...] = (m001_knowledge,)


@dataclass(frozen=True, slots=True)
class Entry:
    """A passage to be stored, with its vector (384,) and how much of it the encoder did not know."""

    passage_id: str
    heading: str
    text: str
    lang: Lang
    vector: NDArray[np.float16]
    unknown_share: float


@dataclass(frozen=True, slots=True)
class Vectors:
    """All passages the encoder understands: rows of `matrix` (n, 384) belong to `numbers` (n,)."""

    version: str
    numbers: NDArray[np.int64]
    matrix: NDArray[np.float32]


class Store:
    """The connection must be used by nobody else."""

    def __init__(self, connection: Connection, encoder_fingerprint: str) -> None:
        self._connection = connection
        self._encoder = encoder_fingerprint
        self._lock = threading.RLock()
        self._vectors: Vectors | None = None

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self, *, writing: bool) -> Iterator[None]:
        """One snapshot for what is read inside; all or nothing for what is written."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
                yield
                self._connection.execute("COMMIT")
            except BaseException as error:
                with suppress(self._connection.ProgrammingError):  # closed meanwhile: its tenant was removed
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                if isinstance(error, (self._connection.OperationalError, self._connection.ProgrammingError)):
                    raise StorageError(f"the knowledge base cannot be used now ({error})", hint="try again") from None
                raise

    def version(self) -> str:
        with self._lock:
            return str(self._connection.execute("SELECT version FROM knowledge_version").fetchone()[0])

    def documents(self) -> list[DocumentInfo]:
        query = (
            "SELECT d.document_id, d.title, d.uri, d.lang, count(p.number), d.added_at FROM documents d"
            " LEFT JOIN passages p USING (document_id) GROUP BY d.document_id ORDER BY d.document_id"
        )
        with self._lock:
            return [DocumentInfo(*row) for row in self._connection.execute(query)]

    def added(self, document_id: str) -> tuple[str, int] | None:
        """The file's digest when it was added, and its passages; None if it is new, or was read by another encoder."""
        query = (
            "SELECT digest, (SELECT count(*) FROM passages p WHERE p.document_id = d.document_id) FROM documents d"
            " WHERE document_id = ? AND encoder = ?"
        )
        with self._lock:
            row = self._connection.execute(query, (document_id, self._encoder)).fetchone()
        return (row[0], row[1]) if row else None

    def known_vectors(self, document_id: str) -> dict[str, tuple[NDArray[np.float16], float]]:
        query = (
            "SELECT passage_id, vector, unknown_share FROM passages JOIN documents USING (document_id)"
            " WHERE document_id = ? AND encoder = ?"
        )
        with self._lock:
            rows = self._connection.execute(query, (document_id, self._encoder)).fetchall()
        return {passage_id: (np.frombuffer(blob, np.float16), share) for passage_id, blob, share in rows}

    def replace(self, document: DocumentInfo, digest: str, entries: Sequence[Entry]) -> bool:
        """True if the document was there before."""
        with self.transaction(writing=True):
            existed = self._delete(document.document_id)
            about = (document.document_id, document.uri, document.title, document.lang)
            self._connection.execute(
                "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?)", (*about, digest, self._encoder, document.added_at)
            )
            title = _indexed(document.title)
            for entry in entries:
                self._insert(document.document_id, title, entry)
            self._bump()
        return existed

    def remove(self, document_id: str) -> bool:
        with self.transaction(writing=True):
            existed = self._delete(document_id)
            if existed:
                self._bump()
        return existed

    def _delete(self, document_id: str) -> bool:
        execute = self._connection.execute
        execute(
            "DELETE FROM passage_terms WHERE rowid IN (SELECT number FROM passages WHERE document_id = ?)",
            (document_id,),
        )
        execute("DELETE FROM passages WHERE document_id = ?", (document_id,))
        return bool(execute("DELETE FROM documents WHERE document_id = ?", (document_id,)).rowcount)

    def _insert(self, document_id: str, title: str, entry: Entry) -> None:
        number = self._connection.execute(
            "INSERT INTO passages (passage_id, document_id, heading, text, lang, vector, unknown_share)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                entry.passage_id,
                document_id,
                entry.heading,
                entry.text,
                entry.lang,
                entry.vector.astype(np.float16).tobytes(),
                entry.unknown_share,
            ),
        ).lastrowid
        self._connection.execute(
            "INSERT INTO passage_terms (rowid, title, heading, text) VALUES (?, ?, ?, ?)",
            (number, title, _indexed(entry.heading), _indexed(entry.text)),
        )

    def _bump(self) -> None:
        self._connection.execute("UPDATE knowledge_version SET version = version + 1")

    def count(self) -> int:
        with self._lock:
            return int(self._connection.execute("SELECT count(*) FROM passages").fetchone()[0])

    def frequencies(self, terms: Sequence[str]) -> dict[str, int]:
        """In how many passages each term stands; terms that stand nowhere are left out."""
        query = "SELECT term, doc FROM passage_vocabulary WHERE term IN (SELECT value FROM json_each(?))"
        with self._lock:
            return {
                str(term): int(count) for term, count in self._connection.execute(query, (json.dumps(list(terms)),))
            }

    def lexical(self, terms: Sequence[str], limit: int) -> list[tuple[int, float]]:
        """(passage number, bm25 as a positive score), best first."""
        if not terms:
            return []
        expression = " OR ".join('"' + term.replace('"', '""') + '"' for term in terms)
        query = (
            "SELECT rowid, -bm25(passage_terms, ?, ?, ?) AS score FROM passage_terms"
            " WHERE passage_terms MATCH ? ORDER BY score DESC LIMIT ?"
        )
        with self._lock:
            rows = self._connection.execute(query, (*COLUMN_WEIGHTS, expression, limit)).fetchall()
        return [(int(number), float(score)) for number, score in rows]

    def dense(self, vector: NDArray[np.float32], limit: int) -> list[tuple[int, float]]:
        """(passage number, cosine), best first; exact."""
        known = self._loaded_vectors()
        if not len(known.numbers):
            return []
        scores = known.matrix @ vector
        near = np.argpartition(-scores, limit)[:limit] if len(scores) > limit else np.arange(len(scores))
        best = near[np.argsort(-scores[near])]
        return [(int(known.numbers[row]), float(scores[row])) for row in best]

    def passages(self, numbers: Sequence[int]) -> dict[int, Passage]:
        query = (
            "SELECT p.number, p.passage_id, p.document_id, d.title, d.uri, p.heading, p.text, p.lang"
            " FROM passages p JOIN documents d USING (document_id) WHERE p.number IN (SELECT value FROM json_each(?))"
        )
        with self._lock:
            return {
                int(row[0]): Passage(*row[1:]) for row in self._connection.execute(query, (json.dumps(list(numbers)),))
            }

    def _loaded_vectors(self) -> Vectors:
        with self._lock:
            version = self.version()
            if self._vectors is None or self._vectors.version != version:
                query = (
                    "SELECT number, vector FROM passages JOIN documents USING (document_id)"
                    " WHERE unknown_share <= ? AND encoder = ? ORDER BY number"
                )
                rows = self._connection.execute(query, (MOST_UNKNOWN, self._encoder)).fetchall()
                numbers = np.array([row[0] for row in rows], dtype=np.int64)
                matrix = np.frombuffer(b"".join(row[1] for row in rows), np.float16).astype(np.float32)
                self._vectors = Vectors(version, numbers, matrix.reshape(-1, DIMENSIONS))
            return self._vectors


def _indexed(text: str) -> str:
    return " ".join(search_terms(text))
