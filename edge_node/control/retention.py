"""Takes away what a company no longer wants to keep: hourly, a little at a time, between the turns."""

import asyncio
import time
from collections.abc import Mapping

from edge_node.storage.store import TenantStore
from nearside.logs import failure, logger

log = logger("retention")

FIRST_S = 60.0
EVERY_S = 3_600.0
PAUSE_S = 0.2
"""Between two batches: turns come first."""
DAY_S = 86_400.0


class Sweeper:
    """`days` by tenant: how long what has ended is kept; 0 is for ever."""

    def __init__(self, stores: Mapping[str, TenantStore], days: Mapping[str, float]) -> None:
        self._stores, self._days = stores, days

    async def run(self) -> None:
        """For ever; a company whose store refuses does not keep the others from their turn."""
        await asyncio.sleep(FIRST_S)
        while True:
            await self.sweep()
            await asyncio.sleep(EVERY_S)

    async def sweep(self) -> None:
        for tenant_id, days in self._days.items():
            if days > 0 and tenant_id in self._stores:
                try:
                    removed = await self._sweep(self._stores[tenant_id], time.time() - days * DAY_S)
                    log.info("swept", tenant_id=tenant_id, rows=removed)
                except Exception as error:
                    log.error("sweep_failed", tenant_id=tenant_id, error=failure(error))

    async def _sweep(self, store: TenantStore, before: float) -> int:
        removed = 0
        while batch := await store.sweep(before, time.time()):
            removed += batch
            await asyncio.sleep(PAUSE_S)
        return removed
