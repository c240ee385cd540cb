"""What is scarce goes round between the tenants, so that none of them waits behind another's flood."""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from nearside.encoder import BATCH, Encoding
from nearside.errors import EngineError

CHARACTERS = 1_000
"""Of texts that are read together: more would keep who comes next waiting for over ten milliseconds."""
WAITING = 2_000
"""Pieces of work of one tenant that the encoder's thread has before it: more are refused."""

T = TypeVar("T")


def _anyone(_tenant_id: str) -> bool:
    return True


class Rotation(Generic[T]):
    """A queue that gives one item of each tenant in turn; those of one tenant in their order."""

    def __init__(self) -> None:
        self._of_tenants: dict[str, deque[T]] = {}

    def put(self, tenant_id: str, item: T) -> None:
        self._of_tenants.setdefault(tenant_id, deque()).append(item)

    def count(self, tenant_id: str) -> int:
        return len(self._of_tenants.get(tenant_id, ()))

    def take(self, may: Callable[[str], bool] = _anyone) -> tuple[str, T] | None:
        """The next item of the first tenant that `may` have its turn, None if there is none."""
        for tenant_id in self._of_tenants:
            if may(tenant_id):
                items = self._of_tenants.pop(tenant_id)
                item = items.popleft()
                if items:
                    self._of_tenants[tenant_id] = items  # at the end of the round
                return tenant_id, item
        return None


class Fair:
    """`width` slots. A tenant takes another one only while more of them are free than it holds.

    So one alone has half of them, two have a third each, and whoever comes next always finds some.
    """

    def __init__(self, width: int) -> None:
        self._free = width
        self._held: dict[str, int] = {}
        self._waiting: Rotation[asyncio.Future[None]] = Rotation()

    def try_take(self, tenant_id: str) -> bool:
        """Without waiting: False where none is to be had."""
        if is_had := self._may(tenant_id):
            self._hold(tenant_id)
        return is_had

    async def take(self, tenant_id: str) -> None:
        """Wait for a slot; `give_back` must follow."""
        if self.try_take(tenant_id):
            return
        handed = asyncio.get_running_loop().create_future()
        self._waiting.put(tenant_id, handed)
        try:
            await handed
        except asyncio.CancelledError:
            if handed.done() and not handed.cancelled():
                self.give_back(tenant_id)
            raise

    def give_back(self, tenant_id: str) -> None:
        self._free += 1
        if self._held[tenant_id] == 1:
            del self._held[tenant_id]
        else:
            self._held[tenant_id] -= 1
        while (found := self._waiting.take(self._may)) is not None:
            next_id, handed = found
            if not handed.done():  # else it was cancelled
                self._hold(next_id)
                handed.set_result(None)

    def _may(self, tenant_id: str) -> bool:
        return self._held.get(tenant_id, 0) < self._free

    def _hold(self, tenant_id: str) -> None:
        self._free -= 1
        self._held[tenant_id] = self._held.get(tenant_id, 0) + 1


class Slot:
    """One slot of a tenant's, held or not."""

    def __init__(self, slots: Fair, tenant_id: str) -> None:
        self._slots, self._tenant_id = slots, tenant_id
        self._is_held = False

    async def take(self) -> None:
        if not self._slots.try_take(self._tenant_id):
            await self._slots.take(self._tenant_id)
        self._is_held = True

    def give_back(self) -> None:
        """Harmless where it is not held."""
        if self._is_held:
            self._is_held = False
            self._slots.give_back(self._tenant_id)

    async def aside(self, work: Awaitable[T]) -> T:
        """What `work` returns, or raises; others have the slot meanwhile, for it only waits."""
        self.give_back()
        try:
            outcome = await work
        except Exception:
            await self.take()
            raise
        await self.take()
        return outcome


@dataclass(slots=True, eq=False)
class _Job:
    """`first` gives the outcome, or the text to be read where `then` makes the outcome of its encoding."""

    first: Callable[[], Any]
    then: Callable[[Encoding], Any] | None
    done: asyncio.Future[Any]


_Outcome = tuple[_Job, Any, BaseException | None]
EncodeInRuns = Callable[[Sequence[str]], Iterable[Mapping[int, Encoding]]]


class FairThread:
    """The encoder's thread: it works for all tenants, one piece of work of each in turn.

    Texts that wait at the same time are read together, which is faster and changes no encoding.
    """

    def __init__(self, thread: ThreadPoolExecutor, encode: EncodeInRuns) -> None:
        """`encode` gives encodings by their text's index, as soon as they are there."""
        self._thread, self._encode = thread, encode
        self._loop = asyncio.get_running_loop()
        self._waiting: Rotation[_Job] = Rotation()
        self._lock = threading.Lock()
        self._is_working = False

    async def run(self, tenant_id: str, work: Callable[[], T]) -> T:
        """What `work` returns, or raises; work that nobody waits for any more is left out. Raises EngineError."""
        outcome: T = await self._queue(tenant_id, _Job(work, None, self._loop.create_future()))
        return outcome

    async def read(self, tenant_id: str, reading: Callable[[], str], then: Callable[[Encoding], T]) -> T:
        """What `then` makes of the encoding of `reading()`, all on the thread. Raises EngineError."""
        outcome: T = await self._queue(tenant_id, _Job(reading, then, self._loop.create_future()))
        return outcome

    def _queue(self, tenant_id: str, job: _Job) -> asyncio.Future[Any]:
        with self._lock:
            if self._waiting.count(tenant_id) >= WAITING:
                raise EngineError("too many texts wait for the encoder")
            self._waiting.put(tenant_id, job)
            starts, self._is_working = not self._is_working, True
        if starts:
            self._thread.submit(self._work)
        return job.done

    def _work(self) -> None:
        while (job := self._take(last=True)) is not None:
            self._read(self._readings(job))

    def _take(self, *, last: bool = False) -> _Job | None:
        """The next that somebody still waits for. `last`: nothing more is done if there is none."""
        with self._lock:
            while (found := self._waiting.take()) is not None:
                if not found[1].done.done():
                    return found[1]
            if last:
                self._is_working = False
            return None

    def _readings(self, job: _Job | None) -> list[tuple[_Job, str]]:
        """Of what waits, a few milliseconds' worth of reading; work that needs none is done when its turn comes."""
        readings: list[tuple[_Job, str]] = []
        characters = 0
        while job is not None:
            try:
                first = job.first()
            except BaseException as error:
                self._tell([(job, None, error)])
            else:
                if job.then is None:
                    self._tell([(job, first, None)])
                    break
                readings.append((job, first))
                characters += len(first)
            job = self._take() if len(readings) < BATCH and characters < CHARACTERS else None
        return readings

    def _read(self, readings: Sequence[tuple[_Job, str]]) -> None:
        waiting = dict(enumerate(job for job, _ in readings))
        try:
            for run in self._encode([text for _, text in readings]) if readings else ():
                self._tell([_outcome(waiting.pop(index), encoding) for index, encoding in run.items()])
        except BaseException as error:
            self._tell([(job, None, error) for job in waiting.values()])

    def _tell(self, outcomes: Sequence[_Outcome]) -> None:
        with suppress(RuntimeError):  # of a loop that is closed, where nobody waits
            self._loop.call_soon_threadsafe(_settle, outcomes)


def _outcome(job: _Job, encoding: Encoding) -> _Outcome:
    assert job.then
    try:
        return job, job.then(encoding), None
    except BaseException as error:
        return job, None, error


def _settle(outcomes: Sequence[_Outcome]) -> None:
    for job, outcome, error in outcomes:
        if job.done.done():
            continue  # nobody waits any more
        if error is None:
            job.done.set_result(outcome)
        else:
            job.done.set_exception(error)
