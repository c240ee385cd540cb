"""A core's companies out of their files into PostgreSQL, with turns and knowledge, under the keys they have.

The files stay as they are. What a company has becomes visible there all at once, in the last step; a repeat goes on
where an interrupted one stopped, and takes over what has changed in the file since.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from psycopg import sql

from cloud_core.database import Connection as PostgresConnection
from cloud_core.database import TenantDatabase
from cloud_core.database.halves import Half
from cloud_core.knowledge.base import KnowledgeBase
from cloud_core.knowledge.stores.base import Store
from cloud_core.knowledge.stores.postgres.connections import Columns
from cloud_core.knowledge.stores.postgres.segments import note_words
from cloud_core.tenants import Tenant
from nearside.database import Connection
from nearside.errors import StorageError
from nearside.lexical import language_of

AT_ONCE = 500
SAMPLE, BEGINNING, FOUND = 20, 80, 5
Progress = Callable[[str, int, int], None]
Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Copied:
    """A table whose rows never change: `read` gives those after a key, by growing key, as they are in the file.

    `write` puts one; `made` makes its values of a row that was read.
    """

    table: str
    key: str
    read: str
    write: str
    made: Callable[[Columns, Values], Values]


def _revision(columns: Columns, row: Values) -> Values:
    revision, document_id, digest, title, uri, lang, tags, audience, *others = row
    about = columns.close_about(revision, title, uri, json.loads(tags), audience)
    return (revision, document_id, digest, about, lang, *others)


def _passage(columns: Columns, row: Values) -> Values:
    number, revision, position, passage_id, heading, text, lang = row
    content = columns.close_content(revision, position, heading, text)
    return (number, revision, position, passage_id, content, lang)


def _vector(columns: Columns, row: Values) -> Values:
    number, encoder, blob, unknown_share = row
    values = np.frombuffer(blob, np.float16)
    return (number, encoder, len(values), Half(values), unknown_share)


COPIED = (
    Copied(
        "revisions",
        "revision",
        "SELECT revision, document_id, digest, title, uri, lang, tags, audience, valid_from, valid_until, added_at,"
        " passages, size FROM revisions WHERE revision > ? ORDER BY revision",
        "INSERT INTO revisions (revision, document_id, digest, about, lang, valid_from, valid_until, added_at,"
        " passages, size, indexed) OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, false)",
        _revision,
    ),
    Copied(
        "passages",
        "number",
        "SELECT number, revision, position, passage_id, heading, text, lang FROM passages WHERE number > ?"
        " ORDER BY number",
        "INSERT INTO passages (number, revision, position, passage_id, content, lang) OVERRIDING SYSTEM VALUE"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        _passage,
    ),
)
VECTORS = "SELECT number, encoder, vector, unknown_share FROM vectors WHERE number > ? ORDER BY number, encoder"
PUT_VECTOR = (
    "INSERT INTO vectors (number, encoder, width, vector, unknown_share) VALUES (%s, %s, %s, %s::halfvec, %s)"
    " ON CONFLICT (number, encoder) DO UPDATE"
    " SET width = EXCLUDED.width, vector = EXCLUDED.vector, unknown_share = EXCLUDED.unknown_share"
)
TURNS = "SELECT turn_id, holder, claimed_at, lease_until, answer, forgotten_at FROM turn_claims ORDER BY turn_id"
PUT_TURN = """
INSERT INTO nearside.turn_claims (tenant_id, turn_id, holder, claimed_at, lease_until, answer, forgotten_at)
VALUES (current_setting('nearside.tenant'), %s, %s, %s, %s, %s, %s)
ON CONFLICT (tenant_id, turn_id) DO UPDATE SET holder = EXCLUDED.holder, claimed_at = EXCLUDED.claimed_at,
    lease_until = EXCLUDED.lease_until, answer = EXCLUDED.answer, forgotten_at = EXCLUDED.forgotten_at
"""
COUNTED = ("revisions", "passages", "vectors", "segments", "postings", "versions", "spans", "draft", "sources", "gaps")


def move(tenant: Tenant, target: TenantDatabase, progress: Progress | None = None) -> dict[str, int]:
    """How many rows of each table there are now, here and there. `target`: as the tables' owner; nobody else writes.

    Raises StorageError, also where the numbers differ; what is there already stays for a repeat.
    """
    moving = _Moving(target, Columns(target.seal), progress or (lambda what, done, total: None))
    with closing(tenant.connect(read_only=True)) as source:
        source.execute("BEGIN")
        moving.forget_what_is_gone(source)
        for table in COPIED:
            moving.copy(source, table)
        moving.copy_vectors(source)
        moving.copy_turns(source)
        moving.finish(source)
        return moving.compare(source)


@dataclass(frozen=True, slots=True)
class _Moving:
    target: TenantDatabase
    columns: Columns
    progress: Progress

    def forget_what_is_gone(self, source: Connection) -> None:
        """From an earlier attempt: what the file does not have any more."""
        there = [revision for (revision,) in source.execute("SELECT revision FROM revisions")]
        with self.target.transaction() as connection:
            connection.execute("UPDATE knowledge SET version = 0")
            for table in ("draft", "spans"):
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
            connection.execute("DELETE FROM revisions WHERE revision <> ALL(%s)", (there,))

    def copy(self, source: Connection, table: Copied) -> None:
        """What comes after the last one that is there."""
        last = self._last(table.table, table.key)
        done, total = _count(source, f"{table.table} WHERE {table.key} <= {last}"), _count(source, table.table)
        for rows in _batches(source, table.read, last):
            with self.target.transaction() as connection:
                connection.cursor().executemany(table.write, [table.made(self.columns, row) for row in rows])
            done += len(rows)
            self.progress(f"{self.target.tenant_id}: {table.table}", done, total)
        with self.target.transaction() as connection:
            number = "SELECT setval(pg_get_serial_sequence(%s, %s), greatest(%s, 1))"
            connection.execute(number, (table.table, table.key, self._highest(source, table)))

    def copy_vectors(self, source: Connection) -> None:
        """Those of the last passage again: another encoder's may be missing."""
        last = self._last("vectors", "number") - 1
        done, total = _count(source, f"vectors WHERE number <= {last}"), _count(source, "vectors")
        for rows in _batches(source, VECTORS, last):
            with self.target.transaction() as connection:
                connection.cursor().executemany(PUT_VECTOR, [_vector(self.columns, row) for row in rows])
            done += len(rows)
            self.progress(f"{self.target.tenant_id}: vectors", done, total)

    def copy_turns(self, source: Connection) -> None:
        done, total = 0, _count(source, "turn_claims")
        for rows in _batches(source, TURNS):
            with self.target.transaction() as connection:
                connection.cursor().executemany(PUT_TURN, [self._turn(*row) for row in rows])
            done += len(rows)
            self.progress(f"{self.target.tenant_id}: turns", done, total)

    def finish(self, source: Connection) -> None:
        """The index and all that is small, anew; from then on it is searched."""
        with self.target.transaction() as connection:
            self._put_index(source, connection)
            self._put_small(source, connection)
            version, encoder, embedding = source.execute("SELECT version, encoder, embedding FROM knowledge").fetchone()
            state = "UPDATE knowledge SET version = %s, encoder = %s, embedding = %s"
            connection.execute(state, (version, encoder, embedding))

    def compare(self, source: Connection) -> dict[str, int]:
        """Raises StorageError where a table has not as many rows as the file's."""
        counts: dict[str, int] = {}
        with self.target.transaction(snapshot=True) as connection:
            for table in COUNTED:
                counts[table] = _count(source, table)
                row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
                if row != (counts[table],):
                    what = f"{table} has {row and row[0]} rows instead of {counts[table]}"
                    raise StorageError(what, where=self.target.where, hint="repeat it")
        return counts | {"turns": _count(source, "turn_claims")}

    def _put_index(self, source: Connection, connection: PostgresConnection) -> None:
        connection.execute("SELECT set_config('statement_timeout', '30min', true)")
        connection.execute("DELETE FROM segments")
        connection.execute("DELETE FROM terms")
        words: dict[bytes, str] = {}
        for segment, numbers, lengths in source.execute("SELECT segment, numbers, lengths FROM segments"):
            put = "INSERT INTO segments (segment, numbers, lengths) OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s)"
            connection.execute(put, (segment, numbers, lengths))
            with connection.cursor().copy("COPY postings (term, segment, postings) FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(["bytea", "int8", "bytea"])
                for word, blob in source.execute("SELECT term, postings FROM postings WHERE segment = ?", (segment,)):
                    term = self.columns.term(word)
                    words[term] = word
                    copy.write_row((term, segment, blob))
        note_words(connection, self.columns, words.items())
        highest = (
            "SELECT setval(pg_get_serial_sequence('segments', 'segment'), coalesce(max(segment), 1)) FROM segments"
        )
        connection.execute(highest)

    def _put_small(self, source: Connection, connection: PostgresConnection) -> None:
        for table in ("versions", "sources", "learned", "gaps"):
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
        indexed = [revision for (revision,) in source.execute("SELECT revision FROM revisions WHERE indexed = 1")]
        connection.execute("UPDATE revisions SET indexed = revision = ANY(%s)", (indexed,))
        for query, put, made in self._small():
            rows = [made(row) for row in source.execute(query)]
            connection.cursor().executemany(put, rows)

    def _small(self) -> Iterator[tuple[str, str, Callable[[Values], Values]]]:
        close, seal = self.columns.close_text, self.columns.seal.close
        yield "SELECT revision, since, until FROM spans", "INSERT INTO spans VALUES (%s, %s, %s)", tuple
        yield "SELECT document_id, revision FROM draft", "INSERT INTO draft VALUES (%s, %s)", tuple
        yield "SELECT document_id, folder FROM sources", "INSERT INTO sources VALUES (%s, %s)", tuple
        yield (
            "SELECT number, published_at, note, restored, documents, passages FROM versions",
            "INSERT INTO versions VALUES (%s, %s, %s, %s, %s, %s)",
            lambda row: (*row[:2], close("versions", "note", str(row[0]), row[2]), *row[3:]),
        )
        yield (
            "SELECT name, blob FROM learned",
            "INSERT INTO learned (name, content) VALUES (%s, %s)",
            lambda row: (row[0], seal("learned", "content", row[0], row[1])),
        )
        yield (
            "SELECT turn_id, question, lang, noted_at FROM gaps",
            "INSERT INTO gaps VALUES (%s, %s, %s, %s)",
            lambda row: (row[0], close("gaps", "question", row[0], row[1]), *row[2:]),
        )

    def _turn(
        self, turn_id: str, holder: str, claimed_at: float, lease_until: float, answer: str | None, *forgotten: Any
    ) -> Values:
        sealed = self.columns.close_text("turn_claims", "answer", turn_id, answer) if answer is not None else None
        return (turn_id, holder, claimed_at, lease_until, sealed, *forgotten)

    def _last(self, table: str, key: str) -> int:
        query = sql.SQL("SELECT coalesce(max({}), 0) FROM {}").format(sql.Identifier(key), sql.Identifier(table))
        with self.target.transaction(snapshot=True) as connection:
            row = connection.execute(query).fetchone()
        return int(row[0]) if row else 0

    def _highest(self, source: Connection, table: Copied) -> int:
        """Ever given: numbers of what was deleted are not given again."""
        row = source.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table.table,)).fetchone()
        return int(row[0]) if row else 0


def _batches(source: Connection, query: str, *values: object) -> Iterator[list[Values]]:
    cursor = source.execute(query, values)
    while rows := cursor.fetchmany(AT_ONCE):
        yield rows


def _count(source: Connection, table: str) -> int:
    return int(source.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608  our own names


def agreeing(here: KnowledgeBase, there: KnowledgeBase, questions: Sequence[str]) -> int:
    """For how many of the questions both find the same passages in the same order."""

    def found(base: KnowledgeBase, question: str) -> list[str]:
        return [passage.passage_id for passage in base.search(question, language_of(question), FOUND)]

    return sum(found(here, question) == found(there, question) for question in questions)


def sample(store: Store) -> list[str]:
    """Beginnings of live passages, as questions."""
    with store.reading() as snapshot:
        numbers = snapshot.catalogue.numbers
        chosen = numbers[:: max(len(numbers) // SAMPLE, 1)][:SAMPLE]
        passages = snapshot.passages([int(number) for number in chosen])
    return [passage.text[:BEGINNING] for passage in passages.values()]
