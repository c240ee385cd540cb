"""What is scarce goes round between the tenants, so that none of them waits behind another's flood."""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

T = TypeVar("T")


def _anyone(_tenant_id: str) -> bool:
    return True


class Rotation(Generic[T]):
    """A queue that gives one item of each tenant in turn; those of one tenant in their order."""

    def __init__(self) -> None:
        self._of_tenants: dict[str, deque[T]] = {}

    def put(self, tenant_id: str, item: T) -> None:
        self._of_tenants.setdefault(tenant_id, deque()).append(item)

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


class FairThread:
    """One thread that works for all tenants, one piece of work of each in turn."""

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        self._thread = thread
        self._waiting: Rotation[tuple[Future[Any], Callable[[], Any]]] = Rotation()
        self._lock = threading.Lock()

    async def run(self, tenant_id: str, work: Callable[[], T]) -> T:
        """What `work` returns, or raises; work that nobody waits for any more is left out."""
        done: Future[T] = Future()
        with self._lock:
            self._waiting.put(tenant_id, (done, work))
        self._thread.submit(self._run_next)
        return await asyncio.wrap_future(done)

    def _run_next(self) -> None:
        with self._lock:
            found = self._waiting.take()
        if found is None:
            return
        done, work = found[1]
        if not done.set_running_or_notify_cancel():
            return
        try:
            outcome = work()
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(outcome)
