"""Transactions on a tenant's file: one that writes, and as many that read as there are readers at once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from nearside.database import Connection
from nearside.errors import StorageError


class Connections:
    """Thread-safe. `connect` opens another connection to the file, whose migrations have been applied."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._idle: list[Connection] = []
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._closed = False

    def close(self) -> None:
        """What is under way ends; nothing new begins."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """All that is read inside is of one moment."""
        with self._lent() as connection, _transaction(connection, "BEGIN"):
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """All or nothing. Keep it short: whoever else writes to the file waits."""
        with self._writing, self._lent() as connection, _transaction(connection, "BEGIN IMMEDIATE"):
            yield connection

    def empty_log(self) -> None:
        """What was deleted stands in the file's log until then. Somebody who reads just now is not waited for."""
        with self._writing, self._lent() as connection:
            (waits_ms,) = connection.execute("PRAGMA busy_timeout").fetchone()
            connection.execute("PRAGMA busy_timeout = 0")
            try:
                with suppress(connection.OperationalError):
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                connection.execute(f"PRAGMA busy_timeout = {int(waits_ms)}")

    @contextmanager
    def _lent(self) -> Iterator[Connection]:
        with self._lock:
            if self._closed:
                raise StorageError("the knowledge base is closed")
            connection = self._idle.pop() if self._idle else None
        connection = connection or self._connect()
        try:
            yield connection
        finally:
            with self._lock:
                kept = not self._closed
                if kept:
                    self._idle.append(connection)
            if not kept:
                connection.close()


@contextmanager
def _transaction(connection: Connection, begin: str) -> Iterator[None]:
    try:
        connection.execute(begin)
        yield
        connection.execute("COMMIT")
    except BaseException as error:
        with suppress(connection.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        if isinstance(error, (connection.OperationalError, connection.ProgrammingError)):
            raise StorageError(f"the knowledge base cannot be used now ({error})", hint="try again") from None
        raise
