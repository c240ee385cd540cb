"""What the customers share: whom they write to, how fast, and how they misbehave."""

import asyncio
import random
import ssl
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from tests.chaos.record import Record
from tests.chaos.script import Line
from tests.servers import Demo

IN_FLIGHT = 3
"""Messages that one conversation sends before the first of them is acknowledged."""
LATER = (429, 503)
"""Statuses of a message that is to be sent again."""
SENT_TWICE = 0.1
SENT_AGAIN_LATER = 0.1


class Pace:
    """Messages are let out in portions, so that each kill meets some."""

    def __init__(self) -> None:
        self._let_out = 0
        self._taken = 0
        self._more = asyncio.Condition()

    async def let_out(self, messages: int) -> None:
        """Messages in all, since the beginning."""
        async with self._more:
            self._let_out = messages
            self._more.notify_all()

    async def next(self) -> None:
        async with self._more:
            await self._more.wait_for(lambda: self._taken < self._let_out)
            self._taken += 1


@dataclass(frozen=True, slots=True)
class Scene:
    """The same for all customers of a run. `door` is set while the edge takes connections."""

    demo: Demo
    tls: ssl.SSLContext
    record: Record
    pace: Pace
    door: asyncio.Event


class Conversation:
    """The lines of one conversation: which are to be sent, and which are to be repeated."""

    def __init__(self, scene: Scene, name: str, lines: Iterable[Line], chance: random.Random) -> None:
        self.scene, self.name, self.chance = scene, name, chance
        self._lines = deque(lines)
        self._said: list[Line] = []

    async def next_line(self) -> Line | None:
        if not self._lines:
            return None
        line = self._lines.popleft()
        try:
            await self.scene.pace.next()
        except asyncio.CancelledError:
            self._lines.appendleft(line)
            raise
        return line

    def acknowledged(self, thread: str, channel: str, line: Line, turn_id: str) -> None:
        self._said.append(line)
        self.scene.record.acknowledge(thread, channel, line, turn_id)

    def is_sent_twice(self) -> bool:
        if self.chance.random() < SENT_TWICE:
            self.scene.record.counts["duplicates"] += 1
            return True
        return False

    def earlier_line(self) -> Line | None:
        """One that was acknowledged, now and then: a redelivery out of order."""
        if self._said and self.chance.random() < SENT_AGAIN_LATER:
            self.scene.record.counts["duplicates"] += 1
            return self.chance.choice(self._said)
        return None

    async def pause(self) -> None:
        """Before trying again."""
        await asyncio.sleep(self.chance.uniform(0.01, 0.1))
