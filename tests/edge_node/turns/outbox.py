"""An outbox on the bench: a real store, vendors that count what arrives, and a sender whose waits the test sets."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from prometheus_client import CollectorRegistry

from edge_node.messages import Delivery, Owner, Reply, Tenant
from edge_node.storage.records import Ended, QueueRow
from edge_node.storage.store import TenantStore
from edge_node.turns.outbox_metrics import OutboxMetrics
from edge_node.turns.sender import BackOff, Sender
from nearside.errors import DeliveryError
from nearside.origins import Reason, Source
from tests.edge_node.stage import KEY, TENANT, inbound, until

LONG_S = 3600.0
BUSY = DeliveryError("the vendor answers 503", retryable=True)
TOO_FAST = DeliveryError("the vendor answers 429", retryable=True, retry_after_s=LONG_S)
REFUSED = DeliveryError("the vendor answers 403", retryable=False)


class Hang:
    """A send that never ends, before or after the message has arrived."""

    def __init__(self, *, arrives: bool = False) -> None:
        self.arrives = arrives


class Vendor:
    """A channel that counts. `script` is what becomes of the next sends; after it all arrive."""

    def __init__(self, *script: Exception | Hang, idempotent: bool = False) -> None:
        self.script, self.idempotent = deque(script), idempotent
        self.asked: list[Delivery] = []
        self.arrived: list[Delivery] = []

    def show(self, delivery: Delivery) -> bool:
        return False

    async def send(self, delivery: Delivery) -> None:
        self.asked.append(delivery)
        step = self.script.popleft() if self.script else None
        await asyncio.sleep(0)
        if isinstance(step, Exception):
            raise step
        if step is None or step.arrives:
            self.arrived.append(delivery)
        await (asyncio.sleep(0) if step is None else asyncio.Event().wait())

    def texts(self, thread: str = "t1") -> list[str]:
        """What one conversation's customer sees, doubles included."""
        return [one.event.body["text"] for one in self.arrived if one.conversation.thread == thread]


def at_once(_failed: int, _retry_after_s: float | None) -> float:
    return 0.0


def never(_failed: int, _retry_after_s: float | None) -> float:
    """Longer than any test."""
    return LONG_S


class Outbox:
    def __init__(self, store: TenantStore, sender: Sender, registry: CollectorRegistry) -> None:
        self.store, self.sender, self._registry = store, sender, registry

    async def commit(self, text: str, thread: str = "t1", channel: str = "vendor", owner: Owner | None = None) -> Ended:
        """A reply that stands in the outbox and that nobody sends yet."""
        message = replace(inbound(text, f"{thread}-{text}", thread), channel=channel)
        turn_id = (await self.store.accept(message, time.time())).turn_id
        reply = Reply(text, Source.RULE, Reason.MATCHED, owner=owner)
        ended = await self.store.end(turn_id, 0, reply, time.time(), {})
        assert ended is not None
        return ended

    async def reply(self, text: str, thread: str = "t1", channel: str = "vendor", owner: Owner | None = None) -> Ended:
        ended = await self.commit(text, thread, channel, owner)
        self.sender.send(TENANT, self.store, ended)
        return ended

    def on(self, ended: Ended) -> tuple[Tenant, TenantStore, Ended]:
        return TENANT, self.store, ended

    async def resume(self) -> None:
        for unsent in await self.store.unsent(self.sender.idempotent_channels):
            self.sender.resume(TENANT, self.store, unsent)

    async def rows(self) -> list[QueueRow]:
        return await self.store.outbox_rows(1000)

    async def is_empty(self) -> None:
        """Until all is sent or settled otherwise, on the disk and in the sender's memory."""
        await until(lambda: not self.sender._lines and self.store.figures().pending == 0)

    async def postponed(self, number: int = 1) -> None:
        """Until so many replies wait for another attempt."""
        async with asyncio.timeout(20):
            while sum(row.next_at is not None for row in await self.rows()) < number:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def dead(self) -> list[str]:
        return [item.reason for item in await self.store.dead(1000)]

    def counted(self, name: str, **labels: str) -> float:
        return self._registry.get_sample_value(name, {"tenant": "demo", "channel": "vendor", **labels}) or 0.0


@contextlib.asynccontextmanager
async def outbox(
    folder: Path,
    vendor: Vendor,
    others: Mapping[str, Vendor] = MappingProxyType({}),
    back_off: BackOff = at_once,
    give_up_s: float = 24 * LONG_S,
    send_within_s: float = LONG_S,
) -> AsyncIterator[Outbox]:
    store = await TenantStore.open(folder / "edge.db", KEY)
    registry = CollectorRegistry()
    outlets = {"vendor": vendor, **others}
    sender = Sender(outlets.__getitem__, OutboxMetrics(registry), give_up_s, send_within_s, back_off)
    try:
        yield Outbox(store, sender, registry)
    finally:
        await sender.drain(0)
        await store.close()
