"""The replies of a conversation that have not gone out, and the places of a channel account to send them from."""

import asyncio
from bisect import insort
from dataclasses import dataclass, field
from typing import Protocol

from edge_node.messages import Delivery, Tenant
from edge_node.storage.records import Ended
from edge_node.storage.store import TenantStore

PLACES = 32
"""Sends of one channel account at a time …"""
PLACES_OF_REPEATS = 16
"""… and how many of them may be repeats, so that conversations that hang leave room for those that flow."""


class Outlet(Protocol):
    """A channel, as the outbox sees it."""

    @property
    def idempotent(self) -> bool: ...

    def show(self, delivery: Delivery) -> bool: ...

    async def send(self, delivery: Delivery) -> None: ...


class Lane:
    """One account of a channel."""

    def __init__(self) -> None:
        self.places = asyncio.Semaphore(PLACES)
        self.repeats = asyncio.Semaphore(PLACES_OF_REPEATS)


@dataclass(slots=True, eq=False)
class Waiting:
    """A reply on its way. `not_before` in seconds of the loop's clock; `since`, from when its time runs, of 1970."""

    ended: Ended
    since: float
    attempts: int = 0
    not_before: float = 0.0
    doubtful: bool = False

    @property
    def event_id(self) -> int:
        return self.ended.event.id


@dataclass(slots=True, eq=False)
class Line:
    """One conversation's replies in the order of their events; the first keeps the others waiting."""

    key: tuple[str, str]
    tenant: Tenant
    store: TenantStore
    channel: str
    outlet: Outlet
    lane: Lane
    replies: list[Waiting] = field(default_factory=list)
    task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None

    def add(self, reply: Waiting) -> None:
        """In its place, but never before one that is under way."""
        insort(self.replies, reply, lo=min(len(self.replies), self.task is not None), key=lambda one: one.event_id)

    def replace(self, reply: Waiting) -> None:
        """The same as `add`, for a reply that may be here already."""
        known = next((one for one in self.replies if one.event_id == reply.event_id), None)
        if known is None:
            self.add(reply)
        elif not (self.task is not None and known is self.replies[0]):
            self.replies[self.replies.index(known)] = reply

    def remove(self, reply: Waiting) -> None:
        if reply in self.replies:
            self.replies.remove(reply)

    def stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def cancel(self) -> None:
        """Send nothing more; a send under way is cancelled too."""
        self.stop_timer()
        self.replies.clear()
        if self.task is not None:
            self.task.cancel()
