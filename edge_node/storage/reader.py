"""One reading connection per file, on a thread of its own; reads see all that was committed."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from nearside.database import Connection, SqliteError, open_database
from nearside.errors import StorageError

T = TypeVar("T")
Query = Callable[[Connection], T]


class Reader:
    """Opens the file at the first query, and anew after one that failed."""

    def __init__(self, path: Path, key: bytes, failed: Callable[[Exception], None]) -> None:
        """`failed` is told of each error of the store's, on the reading thread."""
        self._path, self._key, self._failed = path, key, failed
        self._connection: Connection | None = None
        self._is_closed = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader")

    async def run(self, query: Query[T]) -> T:
        """Raises StorageError if the store refuses."""
        return await asyncio.wrap_future(self._submit(query))

    def run_now(self, query: Query[T]) -> T:
        """As `run`, for whoever has no loop: waits here."""
        return self._submit(query).result()

    def stand_aside(self, work: Callable[[], bytes]) -> "Future[bytes]":
        """Close the connection while `work` runs; it gives back the key that opens the file from then on.

        Queries wait meanwhile.
        """
        return self._thread.submit(self._work_alone, work)

    async def close(self) -> None:
        self._is_closed = True
        await asyncio.to_thread(self._thread.shutdown)
        self._disconnect()

    def _submit(self, query: Query[T]) -> "Future[T]":
        if self._is_closed:
            raise StorageError("the store is closed", where=str(self._path), hint="start the program again")
        return self._thread.submit(self._ask, query)

    def _ask(self, query: Query[T]) -> T:
        if self._connection is None:
            self._connection = open_database(self._path, self._key, read_only=True)
        try:
            return query(self._connection)
        except (SqliteError, MemoryError) as error:
            self._disconnect()
            self._failed(error)
            raise StorageError(
                f"the store cannot be read: {error}", where=str(self._path), hint="see /readyz; mend the disk"
            ) from None

    def _work_alone(self, work: Callable[[], bytes]) -> bytes:
        self._disconnect()
        self._key = work()
        return self._key

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SqliteError, MemoryError):
                connection.close()
