"""What a company has in PostgreSQL, as it is at one moment, in a file for a while: for whoever reads files only."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from os import urandom
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloud_core.tenants import FILE, Tenant
from nearside.database import Connection, Migration, migrate, open_database
from nearside.sealing import KEY_BYTES

if TYPE_CHECKING:
    from cloud_core.database import Connection as PostgresConnection
    from cloud_core.knowledge.stores.postgres.connections import Columns

STAGE = ".export-"
AT_ONCE = 500
Values = tuple[Any, ...]
Made = Callable[["Columns", Values], Values]


def _revision(columns: "Columns", row: Values) -> Values:
    revision, document_id, digest, about, lang, *others = row
    title, uri, tags, audience = columns.about(revision, about)
    return (revision, document_id, digest, title, uri, lang, json.dumps(tags, ensure_ascii=False), audience, *others)


def _passage(columns: "Columns", row: Values) -> Values:
    number, revision, position, passage_id, content, lang = row
    return (number, revision, position, passage_id, *columns.content(revision, position, content), lang)


def _version(columns: "Columns", row: Values) -> Values:
    return (*row[:2], columns.text("versions", "note", str(row[0]), row[2]), *row[3:])


def _gap(columns: "Columns", row: Values) -> Values:
    return (row[0], columns.text("gaps", "question", row[0], row[1]), *row[2:])


def _turn(columns: "Columns", row: Values) -> Values:
    answer = columns.text("turn_claims", "answer", row[0], row[4]) if row[4] is not None else None
    return (*row[:4], answer, row[5])


def _as_it_is(columns: "Columns", row: Values) -> Values:
    return row


FETCHED: Mapping[str, tuple[str, Made]] = {
    "revisions": (
        "SELECT revision, document_id, digest, about, lang, valid_from, valid_until, added_at, passages, size,"
        " indexed::int FROM revisions ORDER BY revision",
        _revision,
    ),
    "passages": (
        "SELECT number, revision, position, passage_id, content, lang FROM passages ORDER BY number",
        _passage,
    ),
    "spans": ("SELECT revision, since, until FROM spans", _as_it_is),
    "draft": ("SELECT document_id, revision FROM draft", _as_it_is),
    "sources": ("SELECT document_id, folder FROM sources", _as_it_is),
    "versions": ("SELECT number, published_at, note, restored, documents, passages FROM versions", _version),
    "gaps": ("SELECT turn_id, question, lang, noted_at FROM gaps", _gap),
    "turn_claims": (
        "SELECT turn_id, holder, claimed_at, lease_until, answer, forgotten_at FROM nearside.turn_claims",
        _turn,
    ),
    "knowledge": ("SELECT version, encoder, embedding FROM knowledge", _as_it_is),
}


@contextmanager
def in_a_file(tenant: Tenant, rooms: Mapping[str, Sequence[Migration]], below: Path) -> Iterator[Tenant]:
    """The same company with a file, sealed under a key that is thrown away, in a folder that is gone afterwards.

    One that has a file is handed back as it is. Without vectors and index. Raises StorageError.
    """
    if tenant.database is None:
        yield tenant
        return
    from cloud_core.knowledge.stores.postgres.connections import Columns

    folder = Path(tempfile.mkdtemp(prefix=STAGE, dir=below))
    try:
        copy = replace(tenant, folder=folder, _key=urandom(KEY_BYTES), database=None)
        with closing(open_database(folder / FILE, copy._key)) as file:
            for room, migrations in rooms.items():
                migrate(file, migrations, folder / FILE, room=room)
            file.execute("PRAGMA foreign_keys = OFF")
            file.execute("DELETE FROM knowledge")
            with tenant.database.transaction(snapshot=True) as connection:
                _fill(file, connection, Columns(tenant.database.seal))
        yield copy
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fill(file: Connection, connection: "PostgresConnection", columns: "Columns") -> None:
    connection.execute("SELECT set_config('statement_timeout', '30min', true)")
    for table, (query, made) in FETCHED.items():
        with connection.cursor(f"fetching_{table}", binary=True) as cursor:
            cursor.execute(query.encode())
            file.execute("BEGIN")
            while rows := cursor.fetchmany(AT_ONCE):
                _insert(file, table, [made(columns, row) for row in rows])
            file.execute("COMMIT")


def _insert(file: Connection, table: str, rows: Sequence[Values]) -> None:
    names = _NAMES.get(table, "")
    marks = ", ".join("?" * len(rows[0]))
    file.executemany(f"INSERT INTO {table} {names} VALUES ({marks})", rows)  # noqa: S608  our own names


_NAMES = {
    "revisions": "(revision, document_id, digest, title, uri, lang, tags, audience, valid_from, valid_until, added_at,"
    " passages, size, indexed)",
    "turn_claims": "(turn_id, holder, claimed_at, lease_until, answer, forgotten_at)",
}
