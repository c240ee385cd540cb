from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_core.knowledge.base import KnowledgeBase
from cloud_core.knowledge.store import MIGRATIONS
from nearside.database import migrate, open_database
from nearside.encoder import TextEncoder

DEMO = Path(__file__).parents[3] / "demo" / "documents"


@pytest.fixture(scope="session")
def encoder() -> TextEncoder:
    return TextEncoder()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, encoder: TextEncoder) -> Iterator[KnowledgeBase]:
    path = tmp_path_factory.mktemp("demo") / "core.db"
    connection = open_database(path, bytes(32))
    migrate(connection, MIGRATIONS, path)
    knowledge = KnowledgeBase(connection, encoder)
    knowledge.add_folder(DEMO)
    yield knowledge
    connection.close()
