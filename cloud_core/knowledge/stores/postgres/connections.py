"""Transactions on a company's knowledge, and its columns as the core reads them."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from cloud_core.database import Connection, Seal, TenantDatabase
from nearside.errors import StorageError


@dataclass(frozen=True, slots=True)
class Columns:
    """What is sealed in the tables."""

    seal: Seal

    def close_about(self, revision: int, title: str, uri: str, tags: Sequence[str], audience: str) -> bytes:
        content = json.dumps([title, uri, list(tags), audience], ensure_ascii=False).encode()
        return self.seal.close("revisions", "about", str(revision), content)

    def about(self, revision: int, sealed: bytes) -> tuple[str, str, tuple[str, ...], str]:
        """Title, uri, tags, audience."""
        title, uri, tags, audience = json.loads(self.seal.open("revisions", "about", str(revision), sealed))
        return title, uri, tuple(tags), audience

    def close_content(self, revision: int, position: int, heading: str, text: str) -> bytes:
        content = json.dumps([heading, text], ensure_ascii=False).encode()
        return self.seal.close("passages", "content", f"{revision}.{position}", content)

    def content(self, revision: int, position: int, sealed: bytes) -> tuple[str, str]:
        """Heading and text."""
        heading, text = json.loads(self.seal.open("passages", "content", f"{revision}.{position}", sealed))
        return heading, text

    def term(self, word: str) -> bytes:
        """What stands in the index for a word."""
        return self.seal.hash("postings", "term", word)

    def close_word(self, term: bytes, word: str) -> bytes:
        return self.seal.close("terms", "word", term.hex(), word.encode())

    def word(self, term: bytes, sealed: bytes) -> str:
        return self.seal.open("terms", "word", term.hex(), sealed).decode()

    def close_text(self, table: str, column: str, row: str, text: str) -> bytes:
        return self.seal.close(table, column, row, text.encode())

    def text(self, table: str, column: str, row: str, sealed: bytes) -> str:
        return self.seal.open(table, column, row, sealed).decode()


class Connections:
    """Thread-safe."""

    def __init__(self, database: TenantDatabase) -> None:
        self._database, self.columns = database, Columns(database.seal)
        self._closed = threading.Event()

    def close(self) -> None:
        """What is under way ends; nothing new begins."""
        self._closed.set()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """All that is read inside is of one moment."""
        self._refuse_closed()
        with self._database.transaction(snapshot=True) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """All or nothing. Keep it short: whoever else writes to this company's knowledge waits."""
        self._refuse_closed()
        with self._database.transaction() as connection:
            connection.execute("SELECT FROM knowledge FOR UPDATE")
            yield connection

    def _refuse_closed(self) -> None:
        if self._closed.is_set():
            raise StorageError("the knowledge base is closed")
