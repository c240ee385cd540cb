"""One writer per file, with group commit: all that wait share one transaction and one fsync."""

import asyncio
import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from nearside.database import Connection, IntegrityError, SqliteError
from nearside.errors import StorageError

T = TypeVar("T")
Job = Callable[[Connection], Any]

LARGEST_GROUP = 256
POSTED_WAIT_S = 0.25
"""How long a posted job may wait for a group to ride with."""


@dataclass(slots=True, eq=False)
class _Waiting:
    job: Job
    future: "asyncio.Future[Any] | None"
    outcome: Any = None
    error: BaseException | None = None


class Writer:
    """Runs jobs on its own thread; a job's result is handed back only after the commit that holds it."""

    def __init__(self, connection: Connection, where: str) -> None:
        self._connection, self._where = connection, where
        self._jobs: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._posted: deque[_Waiting] = deque()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name=f"writer {where}", daemon=True)
        self.condition: str | None = None
        """Why the last commit failed, None while all is well."""
        self._thread.start()

    async def run(self, job: Callable[[Connection], T]) -> T:
        """Commit `job`; raises what it raised, or StorageError if the store refuses."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(_Waiting(job, future))
        return await future

    def post(self, job: Job) -> None:
        """Commit `job` with the next group; nobody waits for it, and it must be harmless to lose."""
        self._posted.append(_Waiting(job, None))

    async def close(self) -> None:
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        self._connection.close()

    def _work(self) -> None:
        open_for_more = True
        while open_for_more or self._posted:
            group, open_for_more = self._next_group(open_for_more)
            if group:
                self._commit(group)
                self._loop.call_soon_threadsafe(_settle, group)
            elif self.condition is not None:
                self._probe()

    def _probe(self) -> None:
        """While the store refuses and nobody writes: a real write that changes nothing tells when it is well again."""
        try:
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            self._connection.execute(f"PRAGMA user_version = {version}")
            self.condition = None
        except SqliteError as error:
            self.condition = str(error)

    def _next_group(self, open_for_more: bool) -> tuple[list[_Waiting], bool]:
        group: list[_Waiting] = []
        with contextlib.suppress(queue.Empty):
            while open_for_more and len(group) < LARGEST_GROUP:
                waiting = self._jobs.get_nowait() if group else self._jobs.get(timeout=POSTED_WAIT_S)
                if waiting is None:
                    open_for_more = False
                else:
                    group.append(waiting)
        while self._posted and len(group) < 2 * LARGEST_GROUP:
            group.append(self._posted.popleft())
        return group, open_for_more

    def _commit(self, group: list[_Waiting]) -> None:
        execute = self._connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            for waiting in group:
                self._run_one(waiting, alone=len(group) == 1)
            execute("COMMIT")
            self.condition = None
        except SqliteError as error:
            self._give_up(group, error)

    def _run_one(self, waiting: _Waiting, alone: bool) -> None:
        """A job's own failure is its caller's and undoes that job; the store's ends the group."""
        execute = self._connection.execute
        if not alone:
            execute("SAVEPOINT job")
        try:
            waiting.outcome = waiting.job(self._connection)
        except Exception as error:
            if isinstance(error, SqliteError) and not isinstance(error, IntegrityError):
                raise
            waiting.error = error
            if alone:
                execute("ROLLBACK")
                execute("BEGIN")
            else:
                execute("ROLLBACK TO job")
        if not alone:
            execute("RELEASE job")

    def _give_up(self, group: list[_Waiting], error: SqliteError) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self.condition = str(error)
        for waiting in group:
            waiting.error = waiting.error or StorageError(
                f"the store refuses: {error}",
                where=self._where,
                hint="see /readyz; free space or mend the disk",
            )


def _settle(group: list[_Waiting]) -> None:
    for waiting in group:
        if waiting.future is None or waiting.future.cancelled():
            continue
        if waiting.error is not None:
            waiting.future.set_exception(waiting.error)
        else:
            waiting.future.set_result(waiting.outcome)
