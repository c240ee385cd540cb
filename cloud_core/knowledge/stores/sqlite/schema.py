"""A tenant's knowledge in SQLite: the tables, and how files of earlier releases come to have them."""

from datetime import UTC, datetime

import sqlite_utils

from cloud_core.knowledge.index import postings as index
from cloud_core.knowledge.stores.sqlite import segments
from nearside.database import Migration


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


def m002_versions(database: sqlite_utils.Database) -> None:
    """What is there becomes the content of the live version, under the number that answers have named."""
    for statement in (
        "ALTER TABLE documents RENAME TO old_documents",
        "ALTER TABLE passages RENAME TO old_passages",
        "DROP INDEX passages_of_document",
        "DROP TABLE passage_vocabulary",
        "DROP TABLE passage_terms",
        *_TABLES,
        "INSERT INTO knowledge SELECT version, coalesce((SELECT encoder FROM old_documents"
        " GROUP BY encoder ORDER BY count(*) DESC LIMIT 1), ''), 0 FROM knowledge_version",
        "DROP TABLE knowledge_version",
    ):
        database.execute(statement)
    _take_over(database)
    for statement in ("DROP TABLE old_passages", "DROP TABLE old_documents"):
        database.execute(statement)


MIGRATIONS: tuple[Migration, ...] = (m001_knowledge, m002_versions)

# Numbers of revisions and passages are never given again: the index and vectors in memory may still hold old ones.
_TABLES = (
    "CREATE TABLE knowledge (version INTEGER NOT NULL, encoder TEXT NOT NULL, embedding INTEGER NOT NULL) STRICT",
    "CREATE TABLE versions (number INTEGER PRIMARY KEY, published_at TEXT NOT NULL, note TEXT NOT NULL,"
    " restored INTEGER, documents INTEGER NOT NULL, passages INTEGER NOT NULL) STRICT",
    "CREATE TABLE revisions (revision INTEGER PRIMARY KEY AUTOINCREMENT, document_id TEXT NOT NULL,"
    " digest TEXT NOT NULL, title TEXT NOT NULL, uri TEXT NOT NULL, lang TEXT NOT NULL, tags TEXT NOT NULL,"
    " audience TEXT NOT NULL, valid_from TEXT NOT NULL, valid_until TEXT NOT NULL, added_at TEXT NOT NULL,"
    " passages INTEGER NOT NULL, size INTEGER NOT NULL, indexed INTEGER NOT NULL) STRICT",
    "CREATE INDEX revisions_of_document ON revisions (document_id)",
    "CREATE INDEX revisions_to_index ON revisions (revision) WHERE indexed = 0",
    "CREATE TABLE spans (revision INTEGER NOT NULL REFERENCES revisions ON DELETE CASCADE, since INTEGER NOT NULL,"
    " until INTEGER, PRIMARY KEY (revision, since)) STRICT, WITHOUT ROWID",
    "CREATE INDEX spans_by_end ON spans (until)",
    "CREATE TABLE draft (document_id TEXT PRIMARY KEY, revision INTEGER REFERENCES revisions) STRICT",
    "CREATE INDEX draft_revisions ON draft (revision)",
    "CREATE TABLE passages (number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " revision INTEGER NOT NULL REFERENCES revisions ON DELETE CASCADE, position INTEGER NOT NULL,"
    " passage_id TEXT NOT NULL, heading TEXT NOT NULL, text TEXT NOT NULL, lang TEXT NOT NULL) STRICT",
    "CREATE UNIQUE INDEX passages_of_revision ON passages (revision, position)",
    "CREATE INDEX passages_by_id ON passages (passage_id)",
    "CREATE TABLE vectors (number INTEGER NOT NULL REFERENCES passages ON DELETE CASCADE, encoder TEXT NOT NULL,"
    " vector BLOB NOT NULL, unknown_share REAL NOT NULL, UNIQUE (number, encoder)) STRICT",
    "CREATE TABLE segments (segment INTEGER PRIMARY KEY AUTOINCREMENT, numbers BLOB NOT NULL,"
    " lengths BLOB NOT NULL) STRICT",
    "CREATE TABLE postings (segment INTEGER NOT NULL, term TEXT NOT NULL, postings BLOB NOT NULL,"
    " PRIMARY KEY (segment, term)) STRICT, WITHOUT ROWID",
    "CREATE TABLE sources (document_id TEXT PRIMARY KEY, folder TEXT NOT NULL) STRICT",
    "CREATE TABLE learned (number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,"
    " blob BLOB NOT NULL) STRICT",
    "CREATE TABLE gaps (turn_id TEXT PRIMARY KEY, question TEXT NOT NULL, lang TEXT NOT NULL,"
    " noted_at TEXT NOT NULL) STRICT",
)
_OLD_REVISIONS = """
INSERT INTO revisions (document_id, digest, title, uri, lang, tags, audience, valid_from, valid_until, added_at,
                       passages, size, indexed)
SELECT document_id, digest, d.title, d.uri, d.lang, '[]', '', '', '', added_at,
       count(p.number), coalesce(sum(length(CAST(p.text AS BLOB))), 0), 1
FROM old_documents d LEFT JOIN old_passages p USING (document_id) GROUP BY document_id ORDER BY document_id
"""
_OLD_PASSAGES = """
INSERT INTO passages (number, revision, position, passage_id, heading, text, lang)
SELECT p.number, r.revision, row_number() OVER (PARTITION BY r.revision ORDER BY p.number) - 1,
       p.passage_id, p.heading, p.text, p.lang
FROM old_passages p JOIN revisions r USING (document_id) ORDER BY p.number
"""
_OLD_VECTORS = """
INSERT INTO vectors SELECT number, encoder, vector, unknown_share FROM old_passages JOIN old_documents
USING (document_id) ORDER BY number
"""
_TEXTS = "SELECT number, title, heading, text FROM passages JOIN revisions USING (revision) ORDER BY number"


def _take_over(database: sqlite_utils.Database) -> None:
    (number,) = database.execute("SELECT version FROM knowledge").fetchone()
    if not number:
        return
    for statement in (_OLD_REVISIONS, _OLD_PASSAGES, _OLD_VECTORS):
        database.execute(statement)
    database.execute("INSERT INTO spans SELECT revision, ?, NULL FROM revisions", (number,))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    counted = "(SELECT count(*) FROM revisions), (SELECT count(*) FROM passages)"
    database.execute(f"INSERT INTO versions VALUES (?, ?, '', NULL, {counted})", (number, now))  # noqa: S608  our own
    segment = index.build((row[0], row[1:]) for row in database.execute(_TEXTS).fetchall())
    segments.insert(database.conn, segment.numbers, segment.lengths, segments.encoded(segment))
