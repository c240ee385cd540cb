from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloud_core.knowledge.base import KnowledgeBase
from nearside.encoder import TextEncoder
from tests.cloud_core.knowledge.sqlite_file import open_base


@pytest.fixture(scope="session")
def encoder() -> TextEncoder:
    return TextEncoder()


@pytest.fixture
def open_knowledge(tmp_path: Path, encoder: TextEncoder) -> Iterator[Callable[[], KnowledgeBase]]:
    """Each call is another program with the same file."""
    opened: list[KnowledgeBase] = []

    def open_one() -> KnowledgeBase:
        opened.append(open_base(tmp_path / "core.db", encoder))
        return opened[-1]

    yield open_one
    for knowledge in opened:
        knowledge.close()


@pytest.fixture
def knowledge(open_knowledge: Callable[[], KnowledgeBase]) -> KnowledgeBase:
    return open_knowledge()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "documents"
    path.mkdir()
    return path
