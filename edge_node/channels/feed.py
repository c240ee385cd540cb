"""Live frames of a conversation to all who look at it: sockets, event streams, waiting requests."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator, Sequence

from edge_node.channels.drafts import Drafts, Frame, Key
from edge_node.messages import Tenant

BEHIND = 256
"""Frames a subscriber may be behind; one that is further is cut off and catches up from the log."""


def feed_key(tenant: Tenant, channel: str, thread: str) -> Key:
    return tenant.id, channel, thread


class Subscription:
    """The frames of one conversation for one who looks at it."""

    def __init__(self) -> None:
        self._frames: deque[Frame | None] = deque()
        self._arrival: asyncio.Future[None] | None = None
        self._is_cut_off = False

    async def next(self) -> Frame | None:
        """The next frame; None once the subscriber is cut off, because it was too slow or the edge stops."""
        while not self._frames:
            await self._some()
        return self._frames.popleft()

    async def all(self) -> Sequence[Frame | None]:
        """What there is, at least one frame; the last is None once the subscriber is cut off."""
        while not self._frames:
            await self._some()
        frames = tuple(self._frames)
        self._frames.clear()
        return frames

    def put(self, frame: Frame) -> None:
        if len(self._frames) >= BEHIND:
            self.cut_off()
        elif not self._is_cut_off:
            self._add(frame)

    def cut_off(self) -> None:
        self._is_cut_off = True
        self._frames.clear()
        self._add(None)

    async def _some(self) -> None:
        self._arrival = asyncio.get_running_loop().create_future()
        await self._arrival

    def _add(self, frame: Frame | None) -> None:
        self._frames.append(frame)
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)


class Feed:
    def __init__(self) -> None:
        self._subscriptions: dict[Key, set[Subscription]] = {}
        self.drafts = Drafts()

    @contextlib.contextmanager
    def subscribe(self, key: Key) -> Iterator[Subscription]:
        subscription = Subscription()
        self._subscriptions.setdefault(key, set()).add(subscription)
        try:
            yield subscription
        finally:
            others = self._subscriptions[key]
            others.discard(subscription)
            if not others:
                del self._subscriptions[key]

    def others(self, key: Key, besides: Subscription | None = None) -> bool:
        """Whether anybody else looks at the conversation."""
        return any(subscription is not besides for subscription in self._subscriptions.get(key, ()))

    def publish(self, key: Key, frame: Frame, besides: Subscription | None = None) -> None:
        for subscription in self._subscriptions.get(key, ()):
            if subscription is not besides:
                subscription.put(frame)

    def close(self) -> None:
        """Cut everyone off: the edge stops, and they come back to the log."""
        for subscriptions in self._subscriptions.values():
            for subscription in subscriptions:
                subscription.cut_off()
