"""Work in order within a key, in parallel between keys, bounded in all."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable

Work = Callable[[], Awaitable[None]]


class Serial:
    """Runs submitted work first-in first-out per key, at most `width` keys at a time. Work must not raise."""

    def __init__(self, width: int) -> None:
        self._width = asyncio.Semaphore(width)
        self._waiting: dict[Hashable, deque[Work]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.depth = 0
        """Pieces of work submitted and not yet finished."""

    def submit(self, key: Hashable, work: Work) -> None:
        self.depth += 1
        if (queue := self._waiting.get(key)) is not None:
            queue.append(work)
            return
        self._waiting[key] = deque([work])
        task = asyncio.create_task(self._run(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def is_busy(self, key: Hashable) -> bool:
        return key in self._waiting

    async def drain(self, timeout_s: float) -> bool:
        """Wait for all work; True if all ended in time. What did not is cancelled."""
        if not self._tasks:
            return True
        _, late = await asyncio.wait(self._tasks, timeout=timeout_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return not late

    async def _run(self, key: Hashable) -> None:
        queue = self._waiting[key]
        try:
            while queue:
                async with self._width:
                    await queue[0]()
                queue.popleft()
                self.depth -= 1
        finally:
            self.depth -= len(queue)
            del self._waiting[key]
