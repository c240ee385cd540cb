"""A company's knowledge on PostgreSQL, published once for all cores."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from cloud_core.database import Connection, TenantDatabase
from cloud_core.database.halves import Half, values_of
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
from cloud_core.knowledge.stores.postgres.connections import Connections
from cloud_core.knowledge.stores.postgres.segments import Segments
from cloud_core.knowledge.stores.postgres.snapshot import DRAFTED, LIVE, Memory, PostgresSnapshot
from nearside.errors import NearsideError

_COLUMNS = "revision, document_id, about, lang, added_at, valid_from, valid_until, passages, size"
_OF_DOCUMENT = f"SELECT digest, {_COLUMNS} FROM revisions WHERE revision = %s"  # noqa: S608  our own names
_LIVE_OF = "SELECT revision FROM spans JOIN revisions USING (revision) WHERE until IS NULL AND document_id = %s"
_DRAFTED_OF = "SELECT revision FROM draft WHERE document_id = %s"
_THEN = "SELECT revision FROM spans WHERE since <= %(then)s AND (until IS NULL OR until > %(then)s)"
_CHANGES = f"""
SELECT d.document_id, old.revision, old.about, old.passages, new.revision, new.about, new.passages FROM draft d
LEFT JOIN revisions new ON new.revision = d.revision
LEFT JOIN revisions old ON old.document_id = d.document_id AND old.revision IN ({LIVE})
ORDER BY d.document_id
"""  # noqa: S608  our own
_NO_CHANGES = f"""
DELETE FROM draft WHERE document_id IN (
  SELECT d.document_id FROM draft d
  LEFT JOIN revisions new ON new.revision = d.revision
  LEFT JOIN revisions old ON old.document_id = d.document_id AND old.revision IN ({LIVE})
  WHERE old.digest IS NOT DISTINCT FROM new.digest)
"""  # noqa: S608  our own
_UNEMBEDDED = """
SELECT p.number, revision, p.position, r.about, p.content FROM passages p JOIN revisions r USING (revision)
WHERE NOT EXISTS (SELECT FROM vectors v WHERE v.number = p.number AND v.encoder = %s) ORDER BY p.number LIMIT %s
"""
_COUNT_UNEMBEDDED = """
SELECT count(*) FROM passages p
WHERE NOT EXISTS (SELECT FROM vectors v WHERE v.number = p.number AND v.encoder = %s)
"""
_KNOWN_VECTORS = """
SELECT passage_id, vector, unknown_share FROM passages JOIN vectors USING (number)
WHERE encoder = %s AND passage_id = ANY(%s)
"""
_PUT_VECTOR = """
INSERT INTO vectors (number, encoder, width, vector, unknown_share)
SELECT number, %s, %s, %s::halfvec, %s FROM passages WHERE number = %s
ON CONFLICT (number, encoder) DO UPDATE
SET width = EXCLUDED.width, vector = EXCLUDED.vector, unknown_share = EXCLUDED.unknown_share
"""
_PUT_REVISION = """
INSERT INTO revisions (revision, document_id, digest, about, lang, valid_from, valid_until, added_at, passages, size,
    indexed)
OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, false)
"""
_PUT_PASSAGE = """
INSERT INTO passages (revision, position, passage_id, content, lang) VALUES (%s, %s, %s, %s, %s) RETURNING number
"""
_REPLACED = """
UPDATE spans SET until = %s WHERE until IS NULL
AND revision IN (SELECT r.revision FROM revisions r JOIN draft USING (document_id))
"""
_FORGET_OTHERS = """
DELETE FROM vectors WHERE ctid = ANY(ARRAY(SELECT ctid FROM vectors WHERE encoder <> %s LIMIT %s))
"""
_MEASURES = """
SELECT (SELECT coalesce(sum(length(postings) + length(term)), 0) FROM postings), (SELECT count(*) FROM segments),
    (SELECT coalesce(sum(2 * width), 0) FROM vectors), (SELECT count(*) FROM vectors)
"""
_OLDEST_GAPS = """
DELETE FROM gaps WHERE turn_id IN (SELECT turn_id FROM gaps ORDER BY noted_at DESC, turn_id DESC OFFSET %s)
"""
_OTHERS_AT_ONCE = 5_000


class PostgresStore:
    """As `Store`. The tables are those of `schema.MIGRATIONS`."""

    def __init__(self, database: TenantDatabase) -> None:
        self._connections = Connections(database)
        self._columns = self._connections.columns
        self._segments = Segments(self._connections)
        self._memory = Memory(self._columns)

    def close(self) -> None:
        self._connections.close()

    def version(self) -> str:
        return str(self._ask("SELECT version FROM knowledge")[0][0])

    def encoder(self) -> str:
        return str(self._ask("SELECT encoder FROM knowledge")[0][0])

    def versions(self) -> list[VersionInfo]:
        query = (
            "SELECT number, published_at, note, restored, documents, passages, number > version - %s"
            " FROM versions, knowledge ORDER BY number DESC"
        )
        rows = self._ask(query, KEPT_VERSIONS)
        return [
            VersionInfo(number, at, self._columns.text("versions", "note", str(number), note), *others)
            for number, at, note, *others in rows
        ]

    def documents(self, *, draft: bool = False) -> list[DocumentInfo]:
        which = DRAFTED if draft else LIVE
        query = f"SELECT {_COLUMNS} FROM revisions WHERE revision IN ({which}) ORDER BY document_id"  # noqa: S608  our own
        return [self._info(*row) for row in self._ask(query)]

    def changes(self) -> list[Change]:
        return [self._change(*row) for row in self._ask(_CHANGES)]

    def known(self, document_id: str) -> Known | None:
        with self._connections.reading() as connection:
            revision = _drafted_of(connection, document_id)
            row = connection.execute(_OF_DOCUMENT, (revision,), binary=True).fetchone()
        return Known(row[0], self._info(*row[1:])) if row else None

    def known_vectors(self, encoder: str, passage_ids: Sequence[str]) -> dict[str, Vector]:
        rows = self._ask(_KNOWN_VECTORS, encoder, list(passage_ids))
        return {passage_id: Vector(values_of(sent), share) for passage_id, sent, share in rows}

    def put(self, document: DocumentInfo, digest: str, entries: Sequence[Entry], encoder: str) -> bool:
        with self._connections.writing() as connection:
            existed = _drafted_of(connection, document.document_id) is not None
            _undraft(connection, document.document_id)
            live = connection.execute(_LIVE_OF, (document.document_id,)).fetchone()
            known = connection.execute(_OF_DOCUMENT, live).fetchone() if live else None
            if known and known[0] == digest:
                return existed
            revision = self._insert(connection, document, digest, entries)
            self._insert_passages(connection, revision, entries, encoder)
            connection.execute("INSERT INTO draft VALUES (%s, %s)", (document.document_id, revision))
            connection.execute("UPDATE knowledge SET encoder = %s WHERE encoder = ''", (encoder,))
        return existed

    def drop(self, document_id: str) -> bool:
        with self._connections.writing() as connection:
            existed = _drafted_of(connection, document_id) is not None
            _undraft(connection, document_id)
            if connection.execute(_LIVE_OF, (document_id,)).fetchone():
                connection.execute("INSERT INTO draft VALUES (%s, NULL)", (document_id,))
        return existed

    def discard(self) -> int:
        with self._connections.writing() as connection:
            changes = connection.execute("DELETE FROM draft").rowcount
        self._segments.tidy()
        return changes

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
            end = f"UPDATE spans SET until = %(next)s WHERE until IS NULL AND revision NOT IN ({_THEN})"  # noqa: S608
            begin = f"INSERT INTO spans SELECT revision, %(next)s, NULL FROM ({_THEN}) AS old WHERE revision NOT IN ({LIVE})"  # noqa: S608, E501
            values = {"then": number, "next": version + 1}
            connection.execute(end.encode(), values)
            connection.execute(begin.encode(), values)
            self._record(connection, version + 1, "", number)
            connection.execute(_NO_CHANGES.encode())
        self._segments.tidy()
        return str(version + 1)

    @contextmanager
    def reading(self, *, draft: bool = False) -> Iterator[Reading]:
        if draft:
            self._segments.take_in()
        with self._connections.reading() as connection:
            yield PostgresSnapshot(connection, self._memory, draft=draft)

    def without_vectors(self, encoder: str, limit: int) -> list[Unembedded]:
        return [self._unembedded(*row) for row in self._ask(_UNEMBEDDED, encoder, limit)]

    def count_without_vectors(self, encoder: str) -> int:
        return int(self._ask(_COUNT_UNEMBEDDED, encoder)[0][0])

    def put_vectors(self, encoder: str, vectors: Sequence[tuple[int, Vector]]) -> None:
        rows = [
            (encoder, len(vector.values), Half(vector.values), vector.unknown_share, number)
            for number, vector in vectors
        ]
        with self._connections.writing() as connection:
            connection.cursor().executemany(_PUT_VECTOR, rows)
            connection.execute("UPDATE knowledge SET embedding = embedding + 1 WHERE encoder = %s", (encoder,))

    def switch_encoder(self, encoder: str) -> bool:
        with self._connections.writing() as connection:
            if connection.execute(_UNEMBEDDED, (encoder, 1)).fetchone():
                return False
            connection.execute("UPDATE knowledge SET encoder = %s, embedding = embedding + 1", (encoder,))
        while self._forget_others(encoder):
            pass
        return True

    def note_sources(self, folder: str, document_ids: Sequence[str]) -> None:
        put = "INSERT INTO sources VALUES (%s, %s) ON CONFLICT (document_id) DO UPDATE SET folder = EXCLUDED.folder"
        with self._connections.writing() as connection:
            connection.cursor().executemany(put, [(document_id, folder) for document_id in document_ids])

    def from_source(self, folder: str) -> set[str]:
        return {row[0] for row in self._ask("SELECT document_id FROM sources WHERE folder = %s", folder)}

    def learned(self, name: str) -> bytes | None:
        with self._connections.reading() as connection:
            return self._memory.learned(connection, name)

    def keep_learned(self, name: str, blob: bytes) -> None:
        with self._connections.writing() as connection:
            self._keep_learned(connection, name, blob)

    def publish_learned(self, name: str, blob: bytes, note: str) -> str:
        with self._connections.writing() as connection:
            version = _version(connection) + 1
            self._keep_learned(connection, name, blob)
            self._record(connection, version, note, None)
        self._segments.tidy()
        return str(version)

    def note_gap(self, gap: Gap) -> None:
        sealed = self._columns.close_text("gaps", "question", gap.turn_id, gap.question)
        with self._connections.writing() as connection:
            put = "INSERT INTO gaps VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"
            connection.execute(put, (gap.turn_id, sealed, gap.lang, gap.noted_at))
            connection.execute(_OLDEST_GAPS, (MOST_GAPS,))

    def gaps(self) -> list[Gap]:
        rows = self._ask("SELECT turn_id, question, lang, noted_at FROM gaps ORDER BY noted_at, turn_id")
        return [
            Gap(turn_id, self._columns.text("gaps", "question", turn_id, question), lang, noted_at)
            for turn_id, question, lang, noted_at in rows
        ]

    def forget_gaps(self, turn_ids: Sequence[str]) -> None:
        with self._connections.writing() as connection:
            connection.execute("DELETE FROM gaps WHERE turn_id = ANY(%s)", (list(turn_ids),))

    def measure(self) -> Measures:
        return Measures(*map(int, self._ask(_MEASURES)[0]))

    def _ask(self, query: str, *values: object) -> list[Any]:
        with self._connections.reading() as connection:
            return connection.execute(query.encode(), values, binary=True).fetchall()

    def _publish(self, note: str) -> int | None:
        """None while passages of the draft are not yet indexed."""
        with self._connections.writing() as connection:
            version = _version(connection)
            if not connection.execute("SELECT FROM draft LIMIT 1").rowcount:
                return version
            if connection.execute("SELECT FROM revisions WHERE NOT indexed LIMIT 1").rowcount:
                return None
            connection.execute(_REPLACED, (version + 1,))
            begin = "INSERT INTO spans SELECT revision, %s, NULL FROM draft WHERE revision IS NOT NULL"
            connection.execute(begin, (version + 1,))
            connection.execute("DELETE FROM draft")
            self._record(connection, version + 1, note, None)
        return version + 1

    def _keep_learned(self, connection: Connection, name: str, blob: bytes) -> None:
        sealed = self._columns.seal.close("learned", "content", name, blob)
        connection.execute("DELETE FROM learned WHERE name = %s", (name,))
        connection.execute("INSERT INTO learned (name, content) VALUES (%s, %s)", (name, sealed))

    def _forget_others(self, encoder: str) -> int:
        with self._connections.writing() as connection:
            return connection.execute(_FORGET_OTHERS, (encoder, _OTHERS_AT_ONCE)).rowcount

    def _insert(self, connection: Connection, document: DocumentInfo, digest: str, entries: Sequence[Entry]) -> int:
        revision = int(_one(connection, "SELECT nextval(pg_get_serial_sequence('revisions', 'revision'))"))
        about = self._columns.close_about(revision, document.title, document.uri, document.tags, document.audience)
        dates = (document.valid_from, document.valid_until, document.added_at)
        size = sum(len(entry.text.encode()) for entry in entries)
        values = (revision, document.document_id, digest, about, document.lang, *dates, len(entries), size)
        connection.execute(_PUT_REVISION, values)
        return revision

    def _insert_passages(self, connection: Connection, revision: int, entries: Sequence[Entry], encoder: str) -> None:
        close = self._columns.close_content
        rows = [
            (revision, at, entry.passage_id, close(revision, at, entry.heading, entry.text), entry.lang)
            for at, entry in enumerate(entries)
        ]
        connection.cursor().executemany(_PUT_PASSAGE, rows)
        query = "SELECT number FROM passages WHERE revision = %s ORDER BY position"
        numbers = [number for (number,) in connection.execute(query, (revision,))]
        vectors = [
            (encoder, len(entry.vector.values), Half(entry.vector.values), entry.vector.unknown_share, number)
            for number, entry in zip(numbers, entries, strict=True)
            if entry.vector is not None
        ]
        connection.cursor().executemany(_PUT_VECTOR, vectors)

    def _record(self, connection: Connection, version: int, note: str, restored: int | None) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        sealed = self._columns.close_text("versions", "note", str(version), note)
        put = (
            "INSERT INTO versions SELECT %s, %s, %s, %s, count(*), coalesce(sum(passages), 0) FROM revisions"  # noqa: S608
            f" WHERE revision IN ({LIVE})"
        )
        connection.execute(put.encode(), (version, now, sealed, restored))
        connection.execute("UPDATE knowledge SET version = %s", (version,))

    def _info(
        self, revision: int, document_id: str, about: bytes, lang: Any, added_at: str, *others: Any
    ) -> DocumentInfo:
        title, uri, tags, audience = self._columns.about(revision, about)
        return DocumentInfo(document_id, title, uri, lang, added_at, tags, audience, *others)

    def _change(self, document_id: str, *both: Any) -> Change:
        before, after = (None if part[0] is None else part for part in (both[:3], both[3:]))
        revision, about, _ = after or before or (0, b"", 0)
        title = self._columns.about(revision, about)[0] if revision else ""
        kind = Kind.REMOVED if after is None else Kind.ADDED if before is None else Kind.UPDATED
        return Change(document_id, title, kind, before[2] if before else 0, after[2] if after else 0)

    def _unembedded(self, number: int, revision: int, position: int, about: bytes, content: bytes) -> Unembedded:
        title = self._columns.about(revision, about)[0]
        return Unembedded(number, title, *self._columns.content(revision, position, content))


def _one(connection: Connection, query: str) -> Any:
    return (connection.execute(query.encode()).fetchone() or (None,))[0]


def _version(connection: Connection) -> int:
    return int(_one(connection, "SELECT version FROM knowledge"))


def _drafted_of(connection: Connection, document_id: str) -> int | None:
    """The document's revision if the draft were published."""
    row = connection.execute(_DRAFTED_OF, (document_id,)).fetchone()
    row = row or connection.execute(_LIVE_OF, (document_id,)).fetchone()
    return row[0] if row else None


def _undraft(connection: Connection, document_id: str) -> None:
    row = connection.execute(_DRAFTED_OF, (document_id,)).fetchone()
    connection.execute("DELETE FROM draft WHERE document_id = %s", (document_id,))
    if row:
        connection.execute("DELETE FROM revisions WHERE revision = %s", row)
