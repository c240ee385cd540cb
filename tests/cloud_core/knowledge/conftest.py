from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloud_core.knowledge.base import KnowledgeBase
from cloud_core.knowledge.store import MIGRATIONS
from nearside.database import migrate, open_database
from nearside.encoder import TextEncoder

KEY = bytes(range(32))


@pytest.fixture(scope="session")
def encoder() -> TextEncoder:
    return TextEncoder()


@pytest.fixture
def open_knowledge(tmp_path: Path, encoder: TextEncoder) -> Iterator[Callable[[], KnowledgeBase]]:
    """Each call is another connection to the same file."""
    opened = []

    def open_one() -> KnowledgeBase:
        path = tmp_path / "core.db"
        connection = open_database(path, KEY)
        opened.append(connection)
        migrate(connection, MIGRATIONS, path)
        return KnowledgeBase(connection, encoder)

    yield open_one
    for connection in opened:
        connection.close()


@pytest.fixture
def knowledge(open_knowledge: Callable[[], KnowledgeBase]) -> KnowledgeBase:
    return open_knowledge()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "documents"
    path.mkdir()
    return path
