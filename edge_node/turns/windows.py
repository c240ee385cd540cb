"""Lines that a customer writes one after the other, answered together: a window per conversation, open until quiet."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from edge_node.turns.serial import Key

LONGEST = 3
"""A window ends after so many times its length, however the customer writes on."""


@dataclass(slots=True, eq=False)
class _Window:
    """`ends_by` in seconds of the loop's clock."""

    ends_by: float
    turn_ids: list[str] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    timer: asyncio.TimerHandle | None = None

    def close_in(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        if self.timer is not None:
            self.timer.cancel()
        self.timer = loop.call_at(min(self.ends_by, loop.time() + seconds), self.closed.set)


class Windows:
    def __init__(self) -> None:
        self._open: dict[Key, _Window] = {}
        self._are_over = False

    def add(self, key: Key, turn_id: str, seconds: float, *, is_last: bool = False) -> bool:
        """True if this opened a window: `take` must follow `closed`. After the `last` line nothing is waited for."""
        window = self._open.get(key)
        if is_new := window is None:
            window = self._open[key] = _Window(asyncio.get_running_loop().time() + LONGEST * seconds)
        window.turn_ids.append(turn_id)
        window.close_in(0.0 if is_last or self._are_over else seconds)
        return is_new

    async def closed(self, key: Key) -> None:
        """Until the customer has been quiet for a while."""
        await self._open[key].closed.wait()

    def take(self, key: Key) -> Sequence[str]:
        """The turns of a window, in the order of their arrival; what comes from now on opens another."""
        window = self._open.pop(key)
        if window.timer is not None:
            window.timer.cancel()
        return window.turn_ids

    def close_all(self) -> None:
        """The program stops: nothing is waited for any more."""
        self._are_over = True
        for window in self._open.values():
            window.close_in(0.0)
