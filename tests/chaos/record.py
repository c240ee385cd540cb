"""What the customers of a chaos run have sent, what they were told, and what they saw."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.script import Line

Frame = dict[str, Any]


class StuckError(Exception):
    """The run cannot go on: what did not happen, in time."""


@dataclass(slots=True)
class Reader:
    """One who follows a conversation: `seen` are the messages and replies of its log in the order of their coming."""

    name: str
    thread: str
    is_shown_own: bool
    """False for a tab that gets acknowledgements of its own messages instead of the messages."""
    seen: list[Frame] = field(default_factory=list)

    highest: int = 0
    """Event id: where it goes on when it comes back."""

    def see(self, frame: Frame) -> None:
        self.seen.append(frame)
        self.highest = max(self.highest, frame["event_id"])


class Record:
    def __init__(self, is_up: Callable[[], bool]) -> None:
        self._is_up = is_up
        self.counts: Counter[str] = Counter()
        self.acknowledged: dict[str, set[str]] = {}
        """Turn ids by message id; more than one is a fault."""
        self.lines: dict[str, Line] = {}
        self.threads: dict[str, list[str]] = {}
        """Message ids by thread."""
        self.channels: dict[str, str] = {}
        """`api` or `web`, by thread."""
        self.readers: list[Reader] = []
        self.told: list[tuple[str, str]] = []
        """Turn ids with the text of a reply that came as the answer to a request."""
        self._ended: set[str] = set()
        """Turns whose final reply somebody saw."""
        self._unanswered: set[str] = set()
        self.recoveries: list[float] = []
        self.last_progress = time.monotonic()
        self._killed_at: float | None = None

    def reader(self, name: str, thread: str, *, is_shown_own: bool) -> Reader:
        reader = Reader(name, thread, is_shown_own)
        self.readers.append(reader)
        return reader

    def acknowledge(self, thread: str, channel: str, line: Line, turn_id: str) -> None:
        if line.id not in self.acknowledged:
            self.lines[line.id] = line
            self.threads.setdefault(thread, []).append(line.id)
            self.channels[thread] = channel
            self.last_progress = time.monotonic()
        if turn_id not in self._ended:
            self._unanswered.add(turn_id)
        self.acknowledged.setdefault(line.id, set()).add(turn_id)
        if self._killed_at is not None and self._is_up():
            self.recoveries.append(time.monotonic() - self._killed_at)
            self._killed_at = None

    def see(self, reader: Reader, frame: Frame) -> None:
        reader.see(frame)
        if frame["type"] == "reply" and frame["final"]:
            self._ended.add(frame["turn_id"])
            self._unanswered.discard(frame["turn_id"])
            self.last_progress = time.monotonic()

    def killed(self) -> None:
        self._killed_at = time.monotonic()

    @property
    def unanswered(self) -> int:
        return len(self._unanswered)

    async def until(self, holds: Callable[[], bool], what: str, patience_s: float = 30.0) -> None:
        """Raises StuckError once nothing has been acknowledged or answered for `patience_s`."""
        self.last_progress = time.monotonic()
        while not holds():
            if time.monotonic() - self.last_progress > patience_s:
                raise StuckError(f"nothing moved for {patience_s:.0f} s: {what}")
            await asyncio.sleep(0.01)
