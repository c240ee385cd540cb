"""A tenant's knowledge, for its export."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from cloud_core.knowledge import synonyms
from cloud_core.tenants.export import Row, Table
from nearside.database import Connection

LIVE = "SELECT revision FROM spans WHERE until IS NULL"
DOCUMENTS = f"""
SELECT r.document_id, title, uri, lang, tags, audience, valid_from, valid_until, added_at, digest, s.folder, revision,
       CASE WHEN revision IN ({LIVE}) THEN 'live' WHEN d.revision IS NULL THEN 'earlier' ELSE 'draft' END
FROM revisions r LEFT JOIN sources s USING (document_id) LEFT JOIN draft d USING (revision)
ORDER BY r.document_id, revision
"""  # noqa: S608  our own
PASSAGES = f"""
SELECT passage_id, document_id, heading, text, p.lang FROM passages p JOIN revisions USING (revision)
WHERE revision IN ({LIVE}) ORDER BY document_id, position
"""  # noqa: S608  our own
PASSAGE_COUNT = f"SELECT count(*) FROM passages WHERE revision IN ({LIVE})"  # noqa: S608  our own
OF_REVISION = "SELECT heading, text FROM passages WHERE revision = ? ORDER BY position"
VERSIONS = "SELECT number, published_at, note, restored, documents, passages FROM versions ORDER BY number"
GAPS = "SELECT turn_id, question, lang, noted_at FROM gaps ORDER BY noted_at, turn_id"
SYNONYMS = "SELECT blob FROM learned WHERE name = ?"
REMOVALS = "SELECT document_id FROM draft WHERE revision IS NULL ORDER BY document_id"


def _documents(connection: Connection) -> Iterator[Row]:
    names = ("document_id", "title", "uri", "lang", "tags", "audience", "valid_from", "valid_until", "added_at")
    for *about, digest, folder, revision, state in connection.execute(DOCUMENTS):
        row: dict[str, Any] = dict(zip(names, about, strict=True))
        row |= {"tags": json.loads(row["tags"]), "folder": folder or "", "state": state}
        sha256 = str(digest).rpartition(":")[2]
        yield row | {"sha256": sha256, "text": _text(connection.execute(OF_REVISION, (revision,)))}


def _text(passages: Iterator[tuple[Any, ...]]) -> str:
    """Headings as Markdown; one said for several passages in a row stands above the first."""
    parts: list[str] = []
    before = ""
    for heading, text in passages:
        if heading and heading != before:
            parts.append(f"## {heading}")
        parts.append(text)
        before = heading
    return "\n\n".join(parts)


def _rows(query: str, names: tuple[str, ...], connection: Connection) -> Iterator[Row]:
    return (dict(zip(names, row, strict=True)) for row in connection.execute(query))


def _state(connection: Connection) -> Iterator[Row]:
    version, encoder = connection.execute("SELECT version, encoder FROM knowledge").fetchone()
    removals = [row[0] for row in connection.execute(REMOVALS)]
    own = connection.execute(SYNONYMS, (synonyms.NAME,)).fetchone()
    about = {"knowledge_version": str(version), "encoder": encoder, "synonyms": own[0].decode() if own else ""}
    yield about | {"to_be_removed": removals}


def _count(query: str, connection: Connection) -> int:
    return int(connection.execute(query).fetchone()[0])


TABLES = (
    Table(
        "documents",
        "Every document of the knowledge base, with its text: as it is live, as it waits in the draft, as it was.",
        {
            "document_id": "its path below the folder that was added",
            "state": "live, draft (waits for `kb publish`) or earlier (an old version can be brought back with it)",
            "title": "shown below an answer",
            "uri": "shown below an answer",
            "lang": "en or zh",
            "tags": "a list",
            "audience": "whom it is for; empty: everyone",
            "valid_from": "the first day, YYYY-MM-DD; empty: always",
            "valid_until": "the last day, YYYY-MM-DD; empty: always",
            "added_at": "when this content was added",
            "folder": "the folder that was last added with it",
            "sha256": "of the file that was read, in hex",
            "text": "what was read from the file; headings begin with ##, cells of a table are parted by tabs or |",
        },
        partial(_count, "SELECT count(*) FROM revisions"),
        _documents,
    ),
    Table(
        "passages",
        "The live documents as search finds them, in order.",
        {
            "passage_id": "as cited by answers",
            "document_id": "whose part it is",
            "heading": "the headings above it, parted by ›",
            "text": "a sentence, list item or table row a line",
            "lang": "en or zh",
        },
        partial(_count, PASSAGE_COUNT),
        partial(_rows, PASSAGES, ("passage_id", "document_id", "heading", "text", "lang")),
    ),
    Table(
        "versions",
        "What was published.",
        {
            "number": "answers name it",
            "published_at": "when it became live",
            "note": "what was said of it",
            "restored": "the version whose content was brought back, or null",
            "documents": "how many it had",
            "passages": "how many it had",
        },
        partial(_count, "SELECT count(*) FROM versions"),
        partial(_rows, VERSIONS, ("number", "published_at", "note", "restored", "documents", "passages")),
    ),
    Table(
        "unanswered",
        "Questions that found no answer, masked.",
        {
            "turn_id": "the turn that asked it",
            "question": "as it came from the edge",
            "lang": "en or zh",
            "noted_at": "when it was asked",
        },
        partial(_count, "SELECT count(*) FROM gaps"),
        partial(_rows, GAPS, ("turn_id", "question", "lang", "noted_at")),
    ),
    Table(
        "knowledge",
        "The state of the knowledge base as a whole.",
        {
            "knowledge_version": "the version that is live; answers name it",
            "encoder": "the fingerprint of the encoder whose vectors are searched",
            "synonyms": "the tenant's own, a group per line",
            "to_be_removed": "documents that the next `kb publish` removes",
        },
        lambda _: 1,
        _state,
    ),
)
