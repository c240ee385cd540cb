"""A tenant's knowledge in its SQLite file."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from cloud_core.knowledge.stores.base import (
    KEPT_VERSIONS,
    MOST_GAPS,
    Change,
    DocumentInfo,
    Entry,
    Gap,
    Kind,
    Known,
    Measures,
    Reading,
    Unembedded,
    Vector,
    VersionInfo,
)
from cloud_core.knowledge.stores.sqlite.connections import Connections
from cloud_core.knowledge.stores.sqlite.segments import Segments
from cloud_core.knowledge.stores.sqlite.snapshot import DRAFTED, LIVE, Memory, SqliteSnapshot
from nearside.database import Connection
from nearside.errors import NearsideError

_COLUMNS = "document_id, title, uri, lang, added_at, tags, audience, valid_from, valid_until, passages, size"
_OF_DOCUMENT = f"SELECT revision, digest, {_COLUMNS} FROM revisions WHERE revision = ?"  # noqa: S608  our own names
_LIVE_OF = "SELECT revision FROM spans JOIN revisions USING (revision) WHERE until IS NULL AND document_id = ?"
_THEN = "SELECT revision FROM spans WHERE since <= ? AND (until IS NULL OR until > ?)"
_CHANGES = f"""
SELECT d.document_id, coalesce(new.title, old.title), old.passages, new.passages FROM draft d
LEFT JOIN revisions new ON new.revision = d.revision
LEFT JOIN revisions old ON old.document_id = d.document_id AND old.revision IN ({LIVE})
ORDER BY d.document_id
"""  # noqa: S608  our own
_NO_CHANGES = f"""
DELETE FROM draft WHERE document_id IN (
  SELECT d.document_id FROM draft d
  LEFT JOIN revisions new ON new.revision = d.revision
  LEFT JOIN revisions old ON old.document_id = d.document_id AND old.revision IN ({LIVE})
  WHERE old.digest IS new.digest)
"""  # noqa: S608  our own
_UNEMBEDDED = """
SELECT number, title, heading, text FROM passages p JOIN revisions USING (revision)
WHERE NOT EXISTS (SELECT 1 FROM vectors v WHERE v.number = p.number AND v.encoder = ?) ORDER BY number LIMIT ?
"""
_COUNT_UNEMBEDDED = """
SELECT count(*) FROM passages p
WHERE NOT EXISTS (SELECT 1 FROM vectors v WHERE v.number = p.number AND v.encoder = ?)
"""
_KNOWN_VECTORS = """
SELECT passage_id, vector, unknown_share FROM passages JOIN vectors USING (number)
WHERE encoder = ? AND passage_id IN (SELECT value FROM json_each(?))
"""
_KEEP_LEARNED = "INSERT OR REPLACE INTO learned (name, blob) VALUES (?, ?)"
_OLDEST_GAPS = """
DELETE FROM gaps WHERE turn_id IN (SELECT turn_id FROM gaps ORDER BY noted_at DESC, turn_id DESC LIMIT -1 OFFSET ?)
"""
_OTHERS_AT_ONCE = 5_000


class SqliteStore:
    """As `Store`. `connect` opens another connection to the tenant's file, with `schema.MIGRATIONS` applied."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connections = Connections(connect)
        self._segments = Segments(self._connections)
        self._memory = Memory()

    def close(self) -> None:
        self._connections.close()

    def version(self) -> str:
        return str(self._ask("SELECT version FROM knowledge")[0][0])

    def encoder(self) -> str:
        return str(self._ask("SELECT encoder FROM knowledge")[0][0])

    def versions(self) -> list[VersionInfo]:
        query = (
            "SELECT number, published_at, note, restored, documents, passages, number > version - ?"
            " FROM versions, knowledge ORDER BY number DESC"
        )
        return [VersionInfo(*(*row[:-1], bool(row[-1]))) for row in self._ask(query, KEPT_VERSIONS)]

    def documents(self, *, draft: bool = False) -> list[DocumentInfo]:
        which = DRAFTED if draft else LIVE
        query = f"SELECT {_COLUMNS} FROM revisions WHERE revision IN ({which}) ORDER BY document_id"  # noqa: S608  our own
        return [_info(row) for row in self._ask(query)]

    def changes(self) -> list[Change]:
        return [_change(*row) for row in self._ask(_CHANGES)]

    def known(self, document_id: str) -> Known | None:
        with self._connections.reading() as connection:
            revision = _drafted_of(connection, document_id)
            row = connection.execute(_OF_DOCUMENT, (revision,)).fetchone()
        return Known(row[1], _info(row[2:])) if row else None

    def known_vectors(self, encoder: str, passage_ids: Sequence[str]) -> dict[str, Vector]:
        rows = self._ask(_KNOWN_VECTORS, encoder, json.dumps(list(passage_ids)))
        return {passage_id: Vector(np.frombuffer(blob, np.float16), share) for passage_id, blob, share in rows}

    def put(self, document: DocumentInfo, digest: str, entries: Sequence[Entry], encoder: str) -> bool:
        with self._connections.writing() as connection:
            existed = _drafted_of(connection, document.document_id) is not None
            _undraft(connection, document.document_id)
            live = connection.execute(_LIVE_OF, (document.document_id,)).fetchone()
            if live and connection.execute(_OF_DOCUMENT, live).fetchone()[1] == digest:
                return existed
            revision = _insert(connection, document, digest, entries)
            _insert_passages(connection, revision, entries, encoder)
            connection.execute("INSERT INTO draft VALUES (?, ?)", (document.document_id, revision))
            connection.execute("UPDATE knowledge SET encoder = ? WHERE encoder = ''", (encoder,))
        return existed

    def drop(self, document_id: str) -> bool:
        with self._connections.writing() as connection:
            existed = _drafted_of(connection, document_id) is not None
            _undraft(connection, document_id)
            if connection.execute(_LIVE_OF, (document_id,)).fetchone():
                connection.execute("INSERT INTO draft VALUES (?, NULL)", (document_id,))
        return existed

    def discard(self) -> int:
        with self._connections.writing() as connection:
            changes = connection.execute("DELETE FROM draft").rowcount
        self._segments.tidy()
        return int(changes)

    def publish(self, note: str = "") -> str:
        while (number := self._publish(note)) is None:
            self._segments.take_in()
        self._segments.tidy()
        return str(number)

    def rollback(self, number: int) -> str:
        with self._connections.writing() as connection:
            version = _version(connection)
            if number == version:
                raise NearsideError(f"version {number} is live already")
            if not max(version - KEPT_VERSIONS, 0) < number < version:
                raise NearsideError(f"there is no version {number} to go back to", hint="see `kb versions`")
            end = f"UPDATE spans SET until = ? WHERE until IS NULL AND revision NOT IN ({_THEN})"  # noqa: S608  our own
            begin = f"INSERT INTO spans SELECT revision, ?, NULL FROM ({_THEN}) WHERE revision NOT IN ({LIVE})"  # noqa: S608
            connection.execute(end, (version + 1, number, number))
            connection.execute(begin, (version + 1, number, number))
            _record(connection, version + 1, "", number)
            connection.execute(_NO_CHANGES)
        self._segments.tidy()
        return str(version + 1)

    @contextmanager
    def reading(self, *, draft: bool = False) -> Iterator[Reading]:
        if draft:
            self._segments.take_in()
        with self._connections.reading() as connection:
            yield SqliteSnapshot(connection, self._memory, draft=draft)

    def without_vectors(self, encoder: str, limit: int) -> list[Unembedded]:
        return [Unembedded(*row) for row in self._ask(_UNEMBEDDED, encoder, limit)]

    def count_without_vectors(self, encoder: str) -> int:
        return int(self._ask(_COUNT_UNEMBEDDED, encoder)[0][0])

    def put_vectors(self, encoder: str, vectors: Sequence[tuple[int, Vector]]) -> None:
        there = (
            "INSERT OR REPLACE INTO vectors SELECT ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM passages WHERE number = ?)"
        )
        with self._connections.writing() as connection:
            for number, vector in vectors:
                connection.execute(there, (number, encoder, _blob(vector), vector.unknown_share, number))
            connection.execute("UPDATE knowledge SET embedding = embedding + 1 WHERE encoder = ?", (encoder,))

    def switch_encoder(self, encoder: str) -> bool:
        with self._connections.writing() as connection:
            if connection.execute(_UNEMBEDDED, (encoder, 1)).fetchone():
                return False
            connection.execute("UPDATE knowledge SET encoder = ?, embedding = embedding + 1", (encoder,))
        while self._forget_others(encoder):
            pass
        return True

    def note_sources(self, folder: str, document_ids: Sequence[str]) -> None:
        with self._connections.writing() as connection:
            rows = ((document_id, folder) for document_id in document_ids)
            connection.executemany("INSERT OR REPLACE INTO sources VALUES (?, ?)", rows)

    def from_source(self, folder: str) -> set[str]:
        return {row[0] for row in self._ask("SELECT document_id FROM sources WHERE folder = ?", folder)}

    def learned(self, name: str) -> bytes | None:
        with self._connections.reading() as connection:
            return self._memory.learned(connection, name)

    def keep_learned(self, name: str, blob: bytes) -> None:
        with self._connections.writing() as connection:
            connection.execute(_KEEP_LEARNED, (name, blob))

    def publish_learned(self, name: str, blob: bytes, note: str) -> str:
        with self._connections.writing() as connection:
            version = _version(connection) + 1
            connection.execute(_KEEP_LEARNED, (name, blob))
            _record(connection, version, note, None)
        self._segments.tidy()
        return str(version)

    def note_gap(self, gap: Gap) -> None:
        with self._connections.writing() as connection:
            row = (gap.turn_id, gap.question, gap.lang, gap.noted_at)
            connection.execute("INSERT OR IGNORE INTO gaps VALUES (?, ?, ?, ?)", row)
            connection.execute(_OLDEST_GAPS, (MOST_GAPS,))

    def gaps(self) -> list[Gap]:
        rows = self._ask("SELECT turn_id, question, lang, noted_at FROM gaps ORDER BY noted_at, turn_id")
        return [Gap(*row) for row in rows]

    def forget_gaps(self, turn_ids: Sequence[str]) -> None:
        with self._connections.writing() as connection:
            forget = "DELETE FROM gaps WHERE turn_id IN (SELECT value FROM json_each(?))"
            forgotten = connection.execute(forget, (json.dumps(list(turn_ids)),)).rowcount
        if forgotten:
            self._connections.empty_log()

    def measure(self) -> Measures:
        return Measures(
            index_bytes=self._ask("SELECT coalesce(sum(length(postings) + length(term)), 0) FROM postings")[0][0],
            index_segments=self._ask("SELECT count(*) FROM segments")[0][0],
            vector_bytes=self._ask("SELECT coalesce(sum(length(vector)), 0) FROM vectors")[0][0],
            vectors=self._ask("SELECT count(*) FROM vectors")[0][0],
        )

    def _ask(self, query: str, *values: object) -> list[Any]:
        with self._connections.reading() as connection:
            return connection.execute(query, values).fetchall()

    def _publish(self, note: str) -> int | None:
        """None while passages of the draft are not yet indexed."""
        with self._connections.writing() as connection:
            version = _version(connection)
            if not connection.execute("SELECT 1 FROM draft").fetchone():
                return version
            if connection.execute("SELECT 1 FROM revisions WHERE indexed = 0").fetchone():
                return None
            replaced = (
                "UPDATE spans SET until = ? WHERE until IS NULL AND revision IN"
                " (SELECT r.revision FROM revisions r JOIN draft USING (document_id))"
            )
            connection.execute(replaced, (version + 1,))
            begin = "INSERT INTO spans SELECT revision, ?, NULL FROM draft WHERE revision IS NOT NULL"
            connection.execute(begin, (version + 1,))
            connection.execute("DELETE FROM draft")
            _record(connection, version + 1, note, None)
        return version + 1

    def _forget_others(self, encoder: str) -> int:
        some = "DELETE FROM vectors WHERE rowid IN (SELECT rowid FROM vectors WHERE encoder != ? LIMIT ?)"
        with self._connections.writing() as connection:
            return int(connection.execute(some, (encoder, _OTHERS_AT_ONCE)).rowcount)


def _version(connection: Connection) -> int:
    return int(connection.execute("SELECT version FROM knowledge").fetchone()[0])


def _drafted_of(connection: Connection, document_id: str) -> int | None:
    """The document's revision if the draft were published."""
    row = connection.execute("SELECT revision FROM draft WHERE document_id = ?", (document_id,)).fetchone()
    row = row or connection.execute(_LIVE_OF, (document_id,)).fetchone()
    return row[0] if row else None


def _undraft(connection: Connection, document_id: str) -> None:
    row = connection.execute("SELECT revision FROM draft WHERE document_id = ?", (document_id,)).fetchone()
    connection.execute("DELETE FROM draft WHERE document_id = ?", (document_id,))
    if row:
        connection.execute("DELETE FROM revisions WHERE revision = ?", row)


def _insert(connection: Connection, document: DocumentInfo, digest: str, entries: Sequence[Entry]) -> int:
    tags = json.dumps(document.tags, ensure_ascii=False)
    values = (
        *(document.document_id, digest, document.title, document.uri, document.lang, tags, document.audience),
        *(document.valid_from, document.valid_until, document.added_at, len(entries)),
        sum(len(entry.text.encode()) for entry in entries),
    )
    marks = ", ".join("?" * len(values))
    query = f"INSERT INTO revisions VALUES (NULL, {marks}, 0) RETURNING revision"  # noqa: S608  our own names
    return int(connection.execute(query, values).fetchone()[0])


def _insert_passages(connection: Connection, revision: int, entries: Sequence[Entry], encoder: str) -> None:
    passage = "INSERT INTO passages (revision, position, passage_id, heading, text, lang) VALUES (?, ?, ?, ?, ?, ?)"
    for position, entry in enumerate(entries):
        row = (revision, position, entry.passage_id, entry.heading, entry.text, entry.lang)
        number = connection.execute(passage, row).lastrowid
        if (vector := entry.vector) is not None:
            values = (number, encoder, _blob(vector), vector.unknown_share)
            connection.execute("INSERT INTO vectors VALUES (?, ?, ?, ?)", values)


def _record(connection: Connection, version: int, note: str, restored: int | None) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    counts = f"SELECT count(*), coalesce(sum(passages), 0) FROM revisions WHERE revision IN ({LIVE})"  # noqa: S608  our own
    documents, passages = connection.execute(counts).fetchone()
    row = (version, now, note, restored, documents, passages)
    connection.execute("INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?)", row)
    connection.execute("UPDATE knowledge SET version = ?", (version,))


def _info(row: Sequence[Any]) -> DocumentInfo:
    info = DocumentInfo(*row)
    return replace(info, tags=tuple(json.loads(row[5])))


def _change(document_id: str, title: str, before: int | None, after: int | None) -> Change:
    kind = Kind.REMOVED if after is None else Kind.ADDED if before is None else Kind.UPDATED
    return Change(document_id, title, kind, before or 0, after or 0)


def _blob(vector: Vector) -> bytes:
    return vector.values.astype(np.float16).tobytes()
