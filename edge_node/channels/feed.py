"""Live frames of a conversation to all who look at it: sockets, event streams, waiting requests."""

import asyncio
import contextlib
from collections.abc import Iterator

from edge_node.channels.drafts import Drafts, Frame, Key
from edge_node.messages import Tenant

BEHIND = 256
"""Frames a subscriber may be behind; one that is further is cut off and catches up from the log."""


def feed_key(tenant: Tenant, channel: str, thread: str) -> Key:
    return tenant.id, channel, thread


class Subscription:
    def __init__(self) -> None:
        self._frames: asyncio.Queue[Frame | None] = asyncio.Queue()
        self._is_cut_off = False

    async def next(self) -> Frame | None:
        """The next frame; None once the subscriber is cut off, because it was too slow or the edge stops."""
        return await self._frames.get()

    def put(self, frame: Frame) -> None:
        if self._frames.qsize() >= BEHIND:
            self.cut_off()
        elif not self._is_cut_off:
            self._frames.put_nowait(frame)

    def cut_off(self) -> None:
        self._is_cut_off = True
        while not self._frames.empty():
            self._frames.get_nowait()
        self._frames.put_nowait(None)


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

    def publish(self, key: Key, frame: Frame, besides: Subscription | None = None) -> None:
        for subscription in self._subscriptions.get(key, ()):
            if subscription is not besides:
                subscription.put(frame)

    def close(self) -> None:
        """Cut everyone off: the edge stops, and they come back to the log."""
        for subscriptions in self._subscriptions.values():
            for subscription in subscriptions:
                subscription.cut_off()
