"""Work in order within a conversation, in parallel between them, bounded in all and fair between tenants."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from edge_node.turns.fair import Fair, Slot

Key = tuple[str, str]
"""Tenant and conversation."""
Work = Callable[[Slot], Awaitable[None]]

ALONE_S = 2.0
"""How long a suspect keeps the other suspects waiting; one that waits for the core longer than this is let be."""


@dataclass(slots=True, eq=False)
class Piece:
    """`ready` is awaited in the conversation's order before a slot is taken."""

    work: Work
    ready: Callable[[], Awaitable[None]] | None = None
    suspect: bool = False


class Serial:
    """Runs submitted work first-in first-out per key, at most `width` keys at a time. Work must not raise.

    A *suspect* is work in whose middle the program has ended before. Suspects begin one at a time, so that one which
    ends the program again doesn't do so in the middle of the others.
    """

    def __init__(self, width: int) -> None:
        self._slots = Fair(width)
        self._alone = asyncio.Lock()
        self._waiting: dict[Key, deque[Piece]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(
        self,
        key: Key,
        work: Work,
        *,
        ready: Callable[[], Awaitable[None]] | None = None,
        suspect: bool = False,
    ) -> None:
        piece = Piece(work, ready, suspect)
        if (queue := self._waiting.get(key)) is not None:
            queue.append(piece)
            return
        self._waiting[key] = deque([piece])
        task = asyncio.create_task(self._run(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self, timeout_s: float) -> bool:
        """Wait for all work; True if all ended in time. What did not is cancelled."""
        if not self._tasks:
            return True
        _, late = await asyncio.wait(self._tasks, timeout=timeout_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return not late

    async def _run(self, key: Key) -> None:
        queue = self._waiting[key]
        try:
            while queue:
                piece = queue.popleft()
                if piece.ready is not None:
                    await piece.ready()
                if piece.suspect:
                    await self._run_alone(key[0], piece.work)
                else:
                    await self._run_in_slot(key[0], piece.work)
        finally:
            del self._waiting[key]

    async def _run_in_slot(self, tenant_id: str, work: Work) -> None:
        slot = Slot(self._slots, tenant_id)
        await slot.take()
        try:
            await work(slot)
        finally:
            slot.give_back()

    async def _run_alone(self, tenant_id: str, work: Work) -> None:
        async with self._alone:
            running = asyncio.create_task(self._run_in_slot(tenant_id, work))
            try:
                await asyncio.wait({running}, timeout=ALONE_S)
            except asyncio.CancelledError:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                raise
        await running
