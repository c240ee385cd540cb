"""Takes committed replies out through their channels, in order within a conversation, again until it works."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from edge_node.messages import Delivery, Tenant
from edge_node.storage.records import Ended
from edge_node.storage.store import TenantStore
from edge_node.turns.serial import Serial
from nearside.errors import NearsideError, StorageError
from nearside.logs import failure, logger

log = logger("outbox")

MOST_ATTEMPTS = 8
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 60.0

SendTo = Callable[[Delivery], Awaitable[None]]


class Sender:
    def __init__(self, send_to: SendTo, width: int = 64) -> None:
        self._send_to = send_to
        self._serial = Serial(width)

    def send(self, tenant: Tenant, store: TenantStore, ended: Ended, *, resent: bool = False) -> None:
        """`resent`: taken up after a restart, so the conversation's owner is checked anew."""
        key = (tenant.id, ended.conversation.id)
        self._serial.submit(key, lambda: self._deliver(tenant, store, ended, check=resent))

    async def drain(self, timeout_s: float) -> None:
        await self._serial.drain(timeout_s)

    async def _deliver(self, tenant: Tenant, store: TenantStore, ended: Ended, check: bool) -> None:
        for attempt in range(1, MOST_ATTEMPTS + 1):
            try:
                if (check or attempt > 1) and not await store.may_send(ended.event.id):
                    store.mark_failed(ended.event.id, "agent_owns", time.time())
                    return
                await self._send_to(Delivery(tenant, ended.conversation, ended.event, attempt))
                store.mark_sent(ended.event.id, time.time())
                return
            except StorageError as error:
                log.error("delivery_waits_for_store", event_id=ended.event.id, error=failure(error))
            except Exception as error:
                log.warning("delivery_failed", event_id=ended.event.id, attempt=attempt, error=failure(error))
                if not (isinstance(error, NearsideError) and error.retryable):
                    break
            await asyncio.sleep(min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**attempt) * random.uniform(0.5, 1.0))  # noqa: S311
        store.mark_failed(ended.event.id, "gave_up", time.time())
