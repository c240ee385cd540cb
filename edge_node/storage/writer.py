"""One writer per file, with group commit: all that wait share one transaction and one fsync."""

import asyncio
import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from nearside.database import Connection, IntegrityError, SqliteError
from nearside.errors import StorageError

T = TypeVar("T")
Job = Callable[[Connection], Any]

LARGEST_GROUP = 256
POSTED_WAIT_S = 0.25
"""How long a posted job may wait for a group to ride with."""
POSTED_TRIES = 3
PROBE_AFTER_S = 0.25
"""How long after a failure a store is looked at again."""
STORE_ERRORS = (SqliteError, MemoryError)
"""What SQLite raises when it is the store that fails; after damage it may say that memory is out."""
CHECK_SHARE = 10
"""After damage, a look at the whole file that took 1 s is not repeated for this many seconds."""


@dataclass(slots=True, eq=False)
class _Waiting:
    job: Job
    future: "asyncio.Future[Any] | None"
    committed: Callable[[Any], None] | None = None
    settled: Callable[[Any], None] | None = None
    is_slow: bool = False
    tries: int = 0
    outcome: Any = None
    error: BaseException | None = None


@dataclass(slots=True, eq=False)
class _Alone:
    job: Callable[[Connection], tuple[Connection, Any]]
    future: "Future[Any]"


class Writer:
    """Runs jobs on its own thread; a job's result is handed back only after the commit that holds it."""

    def __init__(self, connection: Connection, where: str, reopen: Callable[[], Connection] | None = None) -> None:
        """`reopen` makes a new connection for when this one may have gone bad."""
        self._connection, self._where, self._reopen = connection, where, reopen
        self._jobs: queue.SimpleQueue[list[_Waiting] | _Alone | None] = queue.SimpleQueue()
        self._gathered: deque[_Waiting] = deque()
        self._posted: deque[_Waiting] = deque()
        self._closed = self._stopping = False
        self._untold: list[_Waiting] = []
        """Committed; their callers do not know it yet."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name=f"writer {where}", daemon=True)
        self._is_damaged = False
        self._probe_at = 0.0
        self.condition: str | None = None
        """Why the store refuses, None while all is well."""
        self._thread.start()

    async def run(
        self,
        job: Callable[[Connection], T],
        committed: Callable[[T], None] | None = None,
        settled: Callable[[T | None], None] | None = None,
        is_slow: bool = False,
    ) -> T:
        """Commit `job`; raises what it raised, or StorageError if the store refuses.

        A job may run a second time, where another one of its group fails: it must change nothing but the store.
        `committed` is called with the outcome right after the commit, on the writer's thread; `settled` on the loop,
        with None where the job failed, just before the caller goes on. Both also when the caller has gone away
        meanwhile. `committed` must not raise; what `settled` raises is raised here. `is_slow`: what was committed
        before should not wait for it.
        """
        if self._closed and settled is not None:
            settled(None)
        self._refuse_when_closed()
        future: asyncio.Future[T] = self._loop.create_future()
        if not self._gathered:
            self._loop.call_soon(self._hand_over)
        self._gathered.append(_Waiting(job, future, committed, settled, is_slow))
        return await future

    def _hand_over(self) -> None:
        """All that one pass of the loop has gathered, at once: one wake-up, and a larger group. On any thread."""
        gathered = []
        with contextlib.suppress(IndexError):
            while True:
                gathered.append(self._gathered.popleft())
        if gathered:
            self._jobs.put(gathered)

    def post(self, job: Job) -> None:
        """Commit `job` with the next group; nobody waits for it, and it must be harmless to lose."""
        self._posted.append(_Waiting(job, None))

    def alone(self, job: Callable[[Connection], tuple[Connection, T]]) -> "Future[T]":
        """Run `job` outside any transaction, after all that waits now; it gives back the connection to go on with."""
        self._refuse_when_closed()
        self._hand_over()
        future: Future[T] = Future()
        self._jobs.put(_Alone(job, future))
        return future

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise StorageError("the store is closed", where=self._where, hint="start the program again")

    def suspect(self, error: Exception) -> None:
        """Something failed that was not written: the store counts as refusing until a look at it says otherwise."""
        self._is_damaged = self._is_damaged or not isinstance(error, self._connection.OperationalError)
        self._probe_at = time.monotonic() + PROBE_AFTER_S
        self.condition = _said(error)

    async def close(self) -> None:
        self._closed = True
        self._hand_over()
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        with contextlib.suppress(*STORE_ERRORS):
            self._connection.close()

    def _work(self) -> None:
        while not self._stopping:
            if self._jobs.empty():
                self._tell()
            group, following = self._next_group()
            if group:
                self._commit(group)
                self._untold += group
            if self.condition is not None and time.monotonic() >= self._probe_at:
                self._probe()
            if following is not None:
                self._tell()
                self._run_alone(following)
        self._tell()
        while self._posted:
            self._commit([self._posted.popleft() for _ in range(min(len(self._posted), LARGEST_GROUP))])

    def _tell(self) -> None:
        """Where there is more to commit, just before that: the loop then works while this thread waits for the disk.

        Any sooner, both would want the interpreter, and most of the time be waiting for each other.
        """
        if self._untold:
            self._loop.call_soon_threadsafe(_settle, self._untold)
            self._untold = []

    def _probe(self) -> None:
        """A real write that changes nothing tells whether the store is well; after damage, so does a look at it all."""
        started = time.monotonic()
        connection = self._connection
        try:
            connection = self._reopen() if self._reopen else connection
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            connection.execute(f"PRAGMA user_version = {version}")
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0] if self._is_damaged else "ok"
        except (*STORE_ERRORS, StorageError) as error:
            found = _said(error)
        connection, discarded = (connection, self._connection) if found == "ok" else (self._connection, connection)
        self._connection = connection
        if discarded is not connection:
            with contextlib.suppress(*STORE_ERRORS):
                discarded.close()
        self._is_damaged = self._is_damaged and found != "ok"
        self.condition = None if found == "ok" else found
        now = time.monotonic()
        self._probe_at = now + max(PROBE_AFTER_S, CHECK_SHARE * (now - started) if self._is_damaged else 0)

    def _next_group(self) -> tuple[list[_Waiting], _Alone | None]:
        """What is committed together, and what must run alone after it."""
        group: list[_Waiting] = []
        following: _Alone | None = None
        with contextlib.suppress(queue.Empty):
            while following is None and not self._stopping and len(group) < LARGEST_GROUP:
                waiting = self._jobs.get_nowait() if group else self._jobs.get(timeout=POSTED_WAIT_S)
                if waiting is None:
                    self._stopping = True
                elif isinstance(waiting, _Alone):
                    following = waiting
                else:
                    group += waiting
        while self._posted and self.condition is None and len(group) < 2 * LARGEST_GROUP:
            group.append(self._posted.popleft())
        return group, following

    def _commit(self, group: list[_Waiting]) -> None:
        execute = self._connection.execute
        if any(waiting.is_slow for waiting in group):
            self._tell()
        try:
            execute("BEGIN IMMEDIATE")
            if not self._run_all(group):
                execute("ROLLBACK")
                execute("BEGIN IMMEDIATE")
                for waiting in group:
                    self._run_one(waiting)
            self._tell()
            execute("COMMIT")
        except STORE_ERRORS as error:
            self._give_up(group, error)
            return
        if not self._is_damaged:
            self.condition = None
        for waiting in group:
            if waiting.committed is not None and waiting.error is None:
                waiting.committed(waiting.outcome)

    def _run_all(self, group: list[_Waiting]) -> bool:
        """False where a job has failed, which is rare: a savepoint for each would cost more than some jobs do."""
        try:
            for waiting in group:
                waiting.outcome = waiting.job(self._connection)
        except Exception as error:
            if _is_the_stores(error):
                raise
            return False
        return True

    def _run_one(self, waiting: _Waiting) -> None:
        """A job's own failure is its caller's and undoes that job; the store's ends the group."""
        execute = self._connection.execute
        execute("SAVEPOINT job")
        try:
            waiting.outcome = waiting.job(self._connection)
        except Exception as error:
            if _is_the_stores(error):
                raise
            waiting.error = error
            execute("ROLLBACK TO job")
        execute("RELEASE job")

    def _run_alone(self, waiting: _Alone) -> None:
        try:
            self._connection, outcome = waiting.job(self._connection)
        except Exception as error:
            waiting.future.set_exception(self._refusal(error) if isinstance(error, STORE_ERRORS) else error)
        else:
            waiting.future.set_result(outcome)

    def _give_up(self, group: list[_Waiting], error: Exception) -> None:
        with contextlib.suppress(*STORE_ERRORS):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        self.suspect(error)
        for waiting in reversed(group):
            if waiting.future is not None:
                waiting.error = waiting.error or self._refusal(error)
            elif waiting.tries < POSTED_TRIES:
                waiting.tries, waiting.error = waiting.tries + 1, None
                self._posted.appendleft(waiting)

    def _refusal(self, error: Exception) -> StorageError:
        return StorageError(
            f"the store refuses: {_said(error)}", where=self._where, hint="see /readyz; free space or mend the disk"
        )


def _is_the_stores(error: Exception) -> bool:
    return isinstance(error, STORE_ERRORS) and not isinstance(error, IntegrityError)


def _said(error: Exception) -> str:
    if isinstance(error, StorageError):
        return error.what
    return str(error) or type(error).__name__


def _settle(group: list[_Waiting]) -> None:
    for waiting in group:
        if waiting.settled is not None:
            try:
                waiting.settled(waiting.outcome if waiting.error is None else None)
            except Exception as error:
                waiting.error = waiting.error or error
        if waiting.future is None or waiting.future.cancelled():
            continue
        if waiting.error is not None:
            waiting.future.set_exception(waiting.error)
        else:
            waiting.future.set_result(waiting.outcome)
