"""A company's knowledge on PostgreSQL: the tables in its own schema, and pgvector for all of them.

What is text is sealed under the company's key, terms are hashed with it; vectors, counts and document ids are in
clear, for the server searches and sorts by them.
"""

from cloud_core.database import Connection, Migration

WIDTHS = (256, 384, 512, 768, 1024)
"""Vectors of these lengths have an index; others are searched exactly."""
MOST_UNKNOWN_SQL = "0.1"


def m001_pgvector(connection: Connection) -> None:
    connection.execute("CREATE EXTENSION IF NOT EXISTS vector")


def m001_knowledge(connection: Connection) -> None:
    for statement in _TABLES:
        connection.execute(statement)
    for width in WIDTHS:
        connection.execute(index_of(width).encode())


def index_of(width: int) -> str:
    """The statement that makes the index of vectors of this length."""
    return (
        f"CREATE INDEX vectors_{width} ON vectors USING hnsw ((vector::halfvec({width})) halfvec_cosine_ops)"
        f" WHERE width = {width} AND unknown_share <= {MOST_UNKNOWN_SQL}"
    )


SHARED_MIGRATIONS: tuple[Migration, ...] = (m001_pgvector,)
MIGRATIONS: tuple[Migration, ...] = (m001_knowledge,)

_ID = "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
_TABLES = (
    "CREATE TABLE knowledge (version integer NOT NULL, encoder text NOT NULL, embedding integer NOT NULL)",
    "INSERT INTO knowledge VALUES (0, '', 0)",
    "CREATE TABLE versions (number integer PRIMARY KEY, published_at text NOT NULL, note bytea NOT NULL,"
    " restored integer, documents integer NOT NULL, passages integer NOT NULL)",
    f'CREATE TABLE revisions (revision {_ID}, document_id text COLLATE "C" NOT NULL, digest text NOT NULL,'
    " about bytea NOT NULL, lang text NOT NULL, valid_from text NOT NULL, valid_until text NOT NULL,"
    " added_at text NOT NULL, passages integer NOT NULL, size bigint NOT NULL, indexed boolean NOT NULL)",
    "CREATE INDEX revisions_of_document ON revisions (document_id)",
    "CREATE INDEX revisions_to_index ON revisions (revision) WHERE NOT indexed",
    "CREATE TABLE spans (revision bigint NOT NULL REFERENCES revisions ON DELETE CASCADE, since integer NOT NULL,"
    " until integer, PRIMARY KEY (revision, since))",
    "CREATE INDEX spans_by_end ON spans (until)",
    'CREATE TABLE draft (document_id text COLLATE "C" PRIMARY KEY, revision bigint REFERENCES revisions)',
    "CREATE INDEX draft_revisions ON draft (revision)",
    f"CREATE TABLE passages (number {_ID}, revision bigint NOT NULL REFERENCES revisions ON DELETE CASCADE,"
    " position integer NOT NULL, passage_id text NOT NULL, content bytea NOT NULL, lang text NOT NULL)",
    "CREATE UNIQUE INDEX passages_of_revision ON passages (revision, position)",
    "CREATE INDEX passages_by_id ON passages (passage_id)",
    "CREATE TABLE vectors (number bigint NOT NULL REFERENCES passages ON DELETE CASCADE, encoder text NOT NULL,"
    " width smallint NOT NULL, vector halfvec NOT NULL, unknown_share float8 NOT NULL, PRIMARY KEY (number, encoder))",
    f"CREATE TABLE segments (segment {_ID}, numbers bytea NOT NULL, lengths bytea NOT NULL)",
    "CREATE TABLE terms (term bytea PRIMARY KEY, word bytea NOT NULL)",
    "CREATE TABLE postings (term bytea NOT NULL, segment bigint NOT NULL REFERENCES segments ON DELETE CASCADE,"
    " postings bytea NOT NULL, PRIMARY KEY (term, segment))",
    "CREATE INDEX postings_of_segment ON postings (segment)",
    'CREATE TABLE sources (document_id text COLLATE "C" PRIMARY KEY, folder text NOT NULL)',
    f"CREATE TABLE learned (number {_ID}, name text NOT NULL UNIQUE, content bytea NOT NULL)",
    'CREATE TABLE gaps (turn_id text COLLATE "C" PRIMARY KEY, question bytea NOT NULL, lang text NOT NULL,'
    ' noted_at text COLLATE "C" NOT NULL)',
)
