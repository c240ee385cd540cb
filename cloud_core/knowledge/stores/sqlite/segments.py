"""The search index in SQLite: passages enter it in pieces, before they are live, and small pieces are joined.

Whoever searches looks only at the passages of a version, so a piece may hold more than that: nothing here changes
what is found.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

import numpy as np

from cloud_core.knowledge.index import postings as index
from cloud_core.knowledge.stores import pieces
from cloud_core.knowledge.stores.base import KEPT_VERSIONS
from cloud_core.knowledge.stores.pieces import Lengths, Numbers, count_of, lengths_in, numbers_in
from cloud_core.knowledge.stores.sqlite.connections import Connections
from nearside.database import Connection
from nearside.errors import StorageError

AT_ONCE = 10_000
"""Passages that enter the index in one transaction."""
_REVISIONS_AT_ONCE = 200
_WAITING = "SELECT revision, passages FROM revisions WHERE indexed = 0 ORDER BY revision"
_TEXTS = """
SELECT number, title, heading, text FROM passages JOIN revisions USING (revision)
WHERE revision IN (SELECT value FROM json_each(?)) ORDER BY number
"""
_OF_SEGMENT = "SELECT term, postings FROM postings WHERE segment = ? ORDER BY term"
_ORPHANS = """
DELETE FROM revisions WHERE revision IN (
  SELECT revision FROM revisions r
  WHERE NOT EXISTS (SELECT 1 FROM draft d WHERE d.revision = r.revision)
    AND NOT EXISTS (SELECT 1 FROM spans s WHERE s.revision = r.revision AND (s.until IS NULL OR s.until > ?))
  LIMIT ?)
"""


def insert(connection: Connection, numbers: Numbers, lengths: Lengths, rows: Iterable[tuple[str, bytes]]) -> None:
    """`rows` are terms in order, with their postings."""
    if not len(numbers):
        return
    values = pieces.blobs_of(numbers, lengths)
    segment = connection.execute("INSERT INTO segments (numbers, lengths) VALUES (?, ?)", values).lastrowid
    connection.executemany("INSERT INTO postings VALUES (?, ?, ?)", ((segment, *row) for row in rows))


def encoded(segment: index.Segment) -> list[tuple[str, bytes]]:
    return [(term, index.encode(postings)) for term, postings in sorted(segment.postings.items())]


def read(connection: Connection) -> list[index.Segment]:
    held = connection.execute("SELECT segment, numbers, lengths FROM segments").fetchall()
    return [
        index.Segment(numbers_in(numbers), lengths_in(lengths), dict(_postings(connection, segment)))
        for segment, numbers, lengths in held
    ]


def lengths_of(connection: Connection, numbers: Numbers) -> Lengths:
    """(n, 3) of these passages, which grow; zeros for one that is not indexed."""
    return pieces.lengths_of(connection.execute("SELECT numbers, lengths FROM segments"), numbers)


class Segments:
    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def take_in(self) -> None:
        """Index all revisions that wait for it. Killed meanwhile, it goes on where it was."""
        while revisions := self._waiting():
            with self._connections.reading() as connection:
                rows = connection.execute(_TEXTS, (json.dumps(revisions),)).fetchall()
            segment = index.build((row[0], row[1:]) for row in rows)
            self._add(revisions, segment)

    def tidy(self) -> None:
        """Delete what no version needs that is kept, and join pieces. Best effort: the next one goes on."""
        with suppress(StorageError):
            while self._delete_orphans():
                pass
            while self._join():
                pass

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
        rows, these = encoded(segment), json.dumps(revisions)
        with self._connections.writing() as connection:
            mark = "UPDATE revisions SET indexed = 1 WHERE indexed = 0 AND revision IN (SELECT value FROM json_each(?))"
            counted = f"SELECT count(*) FROM ({_WAITING}) WHERE revision IN (SELECT value FROM json_each(?))"  # noqa: S608
            if connection.execute(counted, (these,)).fetchone()[0] == len(revisions):
                connection.execute(mark, (these,))
                insert(connection, segment.numbers, segment.lengths, rows)

    def _delete_orphans(self) -> int:
        with self._connections.writing() as connection:
            (version,) = connection.execute("SELECT version FROM knowledge").fetchone()
            oldest = version - KEPT_VERSIONS + 1
            return int(connection.execute(_ORPHANS, (oldest, _REVISIONS_AT_ONCE)).rowcount)

    def _join(self) -> bool:
        """Some pieces become one; False where there is nothing to do."""
        with self._connections.reading() as connection:
            live = np.array(
                connection.execute("SELECT number FROM passages ORDER BY number").fetchall(), dtype=np.int64
            )
            live = live.ravel()
            rows = connection.execute("SELECT segment, numbers FROM segments").fetchall()
            held = {segment: numbers_in(blob) for segment, blob in rows}
            chosen = pieces.to_join({segment: (len(some), count_of(some, live)) for segment, some in held.items()})
            if not chosen:
                return False
            before = np.sort(np.concatenate([held[segment] for segment in chosen]))
            numbers = before[np.isin(before, live, assume_unique=True)]
            lengths = lengths_of(connection, numbers)
            streams = [connection.execute(_OF_SEGMENT, (segment,)) for segment in chosen]
            terms = list(pieces.joined(streams, numbers, complete=len(numbers) == len(before)))
        with self._connections.writing() as connection:
            there = "SELECT count(*) FROM segments WHERE segment IN (SELECT value FROM json_each(?))"
            these = (json.dumps(chosen),)
            if connection.execute(there, these).fetchone()[0] == len(chosen):
                for table in ("segments", "postings"):
                    connection.execute(f"DELETE FROM {table} WHERE segment IN (SELECT value FROM json_each(?))", these)  # noqa: S608
                insert(connection, numbers, lengths, terms)
        return True


def _postings(connection: Connection, segment: int) -> Iterator[tuple[str, index.Postings]]:
    for term, blob in connection.execute(_OF_SEGMENT, (segment,)):
        yield term, index.decode(blob)
