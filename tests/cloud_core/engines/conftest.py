from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_core.knowledge.base import KnowledgeBase
from nearside.encoder import TextEncoder
from tests.cloud_core.knowledge.sqlite_file import open_base

DEMO = Path(__file__).parents[3] / "demo" / "documents"


@pytest.fixture(scope="session")
def encoder() -> TextEncoder:
    return TextEncoder()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, encoder: TextEncoder) -> Iterator[KnowledgeBase]:
    knowledge = open_base(tmp_path_factory.mktemp("demo") / "core.db", encoder)
    knowledge.add(DEMO)
    knowledge.publish()
    yield knowledge
    knowledge.close()
