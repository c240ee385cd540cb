"""Turns of forgotten customers, brought to the core until it has said that it erased them."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from edge_node.uplink.base import Eraser
from nearside.errors import NearsideError
from nearside.logs import failure, logger

log = logger("erasures")

EVERY_S = 5.0
LONGEST_WAIT_S = 300.0
BATCH = 200


class Store(Protocol):
    async def erasures(self, limit: int) -> list[str]: ...

    async def erased(self, turn_ids: Sequence[str]) -> None: ...


class Erasures:
    """`stores`: by tenant id. What the core has not confirmed is there again after a restart, and is sent again."""

    def __init__(self, stores: Mapping[str, Store], core: Eraser) -> None:
        self._stores, self._core = stores, core

    async def run(self) -> None:
        """Forever. A tenant that the core or its own file refuses does not hold up the others; one may come later."""
        known: set[str] = set()
        async with asyncio.TaskGroup() as tenants:
            while True:
                for tenant_id in self._stores.keys() - known:
                    known.add(tenant_id)
                    tenants.create_task(self._keep_bringing(tenant_id))
                await asyncio.sleep(EVERY_S)

    async def bring(self, tenant_id: str) -> int:
        """All that is there now, if the core is up; how many turns it was. Raises UplinkError and StorageError."""
        store, total = self._stores[tenant_id], 0
        while (turn_ids := await store.erasures(BATCH)) and await self._core.is_up():
            await self._core.forget(tenant_id, turn_ids)
            await store.erased(turn_ids)
            total += len(turn_ids)
        return total

    async def _keep_bringing(self, tenant_id: str) -> None:
        wait_s = EVERY_S
        while True:
            try:
                if turns := await self.bring(tenant_id):
                    log.info("erased_at_the_core", tenant_id=tenant_id, turns=turns)
                wait_s = EVERY_S
            except Exception as error:  # the task must live on: what is left is tried again
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
                say = log.warning if isinstance(error, NearsideError) else log.error
                say("erasure_failed", tenant_id=tenant_id, wait_s=wait_s, error=failure(error))
            await asyncio.sleep(wait_s)
