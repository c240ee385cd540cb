"""A knowledge base in a file of its own."""

from pathlib import Path

from cloud_core.knowledge.base import KnowledgeBase
from cloud_core.knowledge.stores.sqlite.schema import MIGRATIONS
from cloud_core.knowledge.stores.sqlite.store import SqliteStore
from nearside.database import migrate, open_database
from nearside.encoder import TextEncoder

KEY = bytes(range(32))


def open_store(path: Path) -> SqliteStore:
    connection = open_database(path, KEY)
    migrate(connection, MIGRATIONS, path)
    connection.close()
    return SqliteStore(lambda: open_database(path, KEY))


def open_base(path: Path, encoder: TextEncoder) -> KnowledgeBase:
    return KnowledgeBase(open_store(path), encoder)
