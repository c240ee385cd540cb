"""A tenant's knowledge, for its export."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from cloud_core.tenants.export import Row, Table
from nearside.database import Connection

DOCUMENTS = "SELECT document_id, title, uri, lang, added_at, digest FROM documents ORDER BY document_id"
PASSAGES = """
SELECT passage_id, document_id, heading, text, lang FROM passages
JOIN (SELECT document_id, min(number) AS first FROM passages GROUP BY document_id) USING (document_id)
ORDER BY document_id, number
"""
OF_DOCUMENT = "SELECT heading, text FROM passages WHERE document_id = ? ORDER BY number"
VERSION = "SELECT version FROM knowledge_version"


def _documents(connection: Connection) -> Iterator[Row]:
    for document_id, title, uri, lang, added_at, digest in connection.execute(DOCUMENTS):
        about = {"document_id": document_id, "title": title, "uri": uri, "lang": lang, "added_at": added_at}
        sha256 = str(digest).rpartition(":")[2]
        yield about | {"sha256": sha256, "text": _text(connection.execute(OF_DOCUMENT, (document_id,)))}


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


def _passages(connection: Connection) -> Iterator[Row]:
    names = ("passage_id", "document_id", "heading", "text", "lang")
    return (dict(zip(names, row, strict=True)) for row in connection.execute(PASSAGES))


def _version(connection: Connection) -> Iterator[Row]:
    yield {"knowledge_version": str(connection.execute(VERSION).fetchone()[0])}


def _count(table: str, connection: Connection) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608  our own name


TABLES = (
    Table(
        "documents",
        "Every document of the knowledge base, with its text.",
        {
            "document_id": "its path below the folder that was added",
            "title": "shown below an answer",
            "uri": "shown below an answer",
            "lang": "en or zh",
            "added_at": "when this content was added",
            "sha256": "of the file that was read, in hex",
            "text": "what was read from the file; headings begin with ##, cells of a table are parted by tabs or |",
        },
        partial(_count, "documents"),
        _documents,
    ),
    Table(
        "passages",
        "The documents as search finds them, in order.",
        {
            "passage_id": "as cited by answers",
            "document_id": "whose part it is",
            "heading": "the headings above it, parted by ›",
            "text": "a sentence, list item or table row a line",
            "lang": "en or zh",
        },
        partial(_count, "passages"),
        _passages,
    ),
    Table(
        "knowledge",
        "The state of the knowledge base as a whole.",
        {"knowledge_version": "grows with every change; answers name it"},
        lambda _: 1,
        _version,
    ),
)
