"""The search index on PostgreSQL, in pieces as in SQLite; in place of a term stands its keyed hash."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

import numpy as np

from cloud_core.database import Connection
from cloud_core.knowledge.index import postings as index
from cloud_core.knowledge.stores import pieces
from cloud_core.knowledge.stores.base import KEPT_VERSIONS
from cloud_core.knowledge.stores.pieces import Lengths, Numbers, lengths_in, numbers_in
from cloud_core.knowledge.stores.postgres.connections import Columns, Connections
from nearside.errors import StorageError

AT_ONCE = 10_000
"""Passages that enter the index in one transaction."""
_REVISIONS_AT_ONCE = 200
_WAITING = "SELECT revision, passages FROM revisions WHERE NOT indexed ORDER BY revision"
_STILL = "SELECT count(*) FROM revisions WHERE NOT indexed AND revision = ANY(%s)"
_TEXTS = """
SELECT p.number, r.revision, p.position, r.about, p.content FROM passages p JOIN revisions r USING (revision)
WHERE revision = ANY(%s) ORDER BY number
"""
_ORPHANS = """
DELETE FROM revisions WHERE revision IN (
  SELECT revision FROM revisions r
  WHERE NOT EXISTS (SELECT FROM draft d WHERE d.revision = r.revision)
    AND NOT EXISTS (SELECT FROM spans s WHERE s.revision = r.revision AND (s.until IS NULL OR s.until > %s))
  LIMIT %s)
"""
_POSTINGS = "SELECT term, postings FROM postings WHERE segment = %s ORDER BY term"
_WORDS = "SELECT term, word FROM terms WHERE term IN (SELECT term FROM postings)"
_UNUSED = "DELETE FROM terms WHERE NOT EXISTS (SELECT FROM postings p WHERE p.term = terms.term)"

Row = tuple[bytes, bytes]


def insert(connection: Connection, numbers: Numbers, lengths: Lengths, rows: Iterable[Row]) -> None:
    """`rows` are hashes of terms with their postings."""
    if not len(numbers):
        return
    query = "INSERT INTO segments (numbers, lengths) VALUES (%s, %s) RETURNING segment"
    made = connection.execute(query, pieces.blobs_of(numbers, lengths))
    (segment,) = made.fetchone() or (0,)
    with connection.cursor().copy("COPY postings (term, segment, postings) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["bytea", "int8", "bytea"])
        for term, blob in rows:
            copy.write_row((term, segment, blob))


def note_words(connection: Connection, columns: Columns, words: Iterable[tuple[bytes, str]]) -> None:
    """So that search can learn from the index."""
    given = dict(words)
    known = connection.execute("SELECT term FROM terms WHERE term = ANY(%s)", (list(given),), binary=True)
    new = given.keys() - {term for (term,) in known}
    add = "INSERT INTO terms VALUES (%s, %s) ON CONFLICT DO NOTHING"
    connection.cursor().executemany(add, [(term, columns.close_word(term, given[term])) for term in new])


def read(connection: Connection, columns: Columns) -> list[index.Segment]:
    """Every one, with its words."""
    words = {term: columns.word(term, word) for term, word in connection.execute(_WORDS, binary=True)}
    held = connection.execute("SELECT segment, numbers, lengths FROM segments ORDER BY segment", binary=True).fetchall()
    return [
        index.Segment(numbers_in(numbers), lengths_in(lengths), dict(_postings(connection, segment, words)))
        for segment, numbers, lengths in held
    ]


def lengths_of(connection: Connection, numbers: Numbers) -> Lengths:
    """(n, 3) of these passages, which grow; zeros for one that is not indexed."""
    held = connection.execute("SELECT numbers, lengths FROM segments", binary=True)
    return pieces.lengths_of(held.fetchall(), numbers)


class Segments:
    def __init__(self, connections: Connections) -> None:
        self._connections, self._columns = connections, connections.columns

    def take_in(self) -> None:
        """Index all revisions that wait for it. Killed meanwhile, it goes on where it was."""
        while revisions := self._waiting():
            with self._connections.reading() as connection:
                rows = connection.execute(_TEXTS, (revisions,), binary=True).fetchall()
            segment = index.build((row[0], self._texts(*row[1:])) for row in rows)
            self._add(revisions, segment)

    def tidy(self) -> None:
        """Delete what no version needs that is kept, and join pieces. Best effort: the next one goes on."""
        with suppress(StorageError):
            deleted = False
            while self._delete_orphans():
                deleted = True
            while self._join():
                deleted = True
            if deleted:
                with self._connections.writing() as connection:
                    connection.execute(_UNUSED)

    def _texts(self, revision: int, position: int, about: bytes, content: bytes) -> tuple[str, str, str]:
        return (self._columns.about(revision, about)[0], *self._columns.content(revision, position, content))

    def _waiting(self) -> list[int]:
        chosen: list[int] = []
        total = 0
        with self._connections.reading() as connection:
            for revision, passages in connection.execute(_WAITING):
                total += passages
                if chosen and total > AT_ONCE:
                    break
                chosen.append(revision)
        return chosen

    def _add(self, revisions: Sequence[int], segment: index.Segment) -> None:
        """Nothing where one of them was replaced or indexed by another program meanwhile."""
        terms = {self._columns.term(word): word for word in segment.postings}
        rows = [(term, index.encode(segment.postings[word])) for term, word in sorted(terms.items())]
        with self._connections.writing() as connection:
            (still,) = connection.execute(_STILL, (list(revisions),)).fetchone() or (0,)
            if still == len(revisions):
                connection.execute("UPDATE revisions SET indexed = true WHERE revision = ANY(%s)", (list(revisions),))
                insert(connection, segment.numbers, segment.lengths, rows)
                note_words(connection, self._columns, terms.items())

    def _delete_orphans(self) -> int:
        with self._connections.writing() as connection:
            (version,) = connection.execute("SELECT version FROM knowledge").fetchone() or (0,)
            return connection.execute(_ORPHANS, (version - KEPT_VERSIONS + 1, _REVISIONS_AT_ONCE)).rowcount

    def _join(self) -> bool:
        """Some pieces become one; False where there is nothing to do."""
        with self._connections.reading() as connection:
            there = connection.execute("SELECT number FROM passages ORDER BY number").fetchall()
            live = np.array(there, dtype=np.int64).ravel()
            held = connection.execute("SELECT segment, numbers FROM segments", binary=True)
            by_segment = {segment: numbers_in(blob) for segment, blob in held}
            sizes = {segment: (len(piece), pieces.count_of(piece, live)) for segment, piece in by_segment.items()}
            if not (chosen := pieces.to_join(sizes)):
                return False
            all_held = np.sort(np.concatenate([by_segment[segment] for segment in chosen]))
            numbers = all_held[np.isin(all_held, live, assume_unique=True)]
            lengths = lengths_of(connection, numbers)
            rows = list(_joined_rows(connection, chosen, numbers, complete=len(numbers) == len(all_held)))
        with self._connections.writing() as connection:
            query = "DELETE FROM segments WHERE segment = ANY(%s)"
            still = connection.execute("SELECT count(*) FROM segments WHERE segment = ANY(%s)", (chosen,)).fetchone()
            if still == (len(chosen),):
                connection.execute(query, (chosen,))
                insert(connection, numbers, lengths, rows)
        return True


def _joined_rows(connection: Connection, segments: Sequence[int], keep: Numbers, *, complete: bool) -> Iterator[Row]:
    streams = [connection.execute(_POSTINGS, (segment,), binary=True).fetchall() for segment in segments]
    return pieces.joined(streams, keep, complete=complete)


def _postings(connection: Connection, segment: int, words: dict[bytes, str]) -> Iterator[tuple[str, index.Postings]]:
    for term, blob in connection.execute(_POSTINGS, (segment,), binary=True):
        yield words[term], index.decode(blob)
