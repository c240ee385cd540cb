"""The tenants of this edge: those it serves, and those whose files refuse for now."""

import asyncio
import contextlib
from collections.abc import Callable

from edge_node.messages import Tenant
from edge_node.packs.answers import Answers, active_answers
from edge_node.packs.shelf import Shelf
from edge_node.settings import EdgeSettings
from edge_node.storage.places import tenant_folder
from edge_node.storage.store import TenantStore
from edge_node.tenant_room import Means, OpenTenant
from edge_node.turns.room import TenantRoom
from nearside.encoder import TextEncoder
from nearside.errors import NearsideError, Refused, StorageError
from nearside.logs import failure, logger

log = logger("edge")

AGAIN_S = 5.0


class OpenTenants:
    """Three views of the same tenants, by id; they grow when a file that refused opens. `refusing`: why not yet.

    `packs`: what each is answered from: the pack's version, "" for its folder, and what is wrong with it.
    """

    def __init__(self, settings: EdgeSettings, means: Means, closing: contextlib.AsyncExitStack) -> None:
        """What is opened closes with `closing`."""
        self._wanted, self._means, self._closing = settings.tenants, means, closing
        self.rooms: dict[str, TenantRoom] = {}
        self.stores: dict[str, TenantStore] = {}
        self.tenants: dict[str, Tenant] = {}
        self.refusing: dict[str, str] = {}
        self.packs: dict[str, tuple[str, str]] = {}
        self._open_tenants: dict[str, OpenTenant] = {}

    @property
    def encoder(self) -> TextEncoder:
        return self._means.encoder

    async def open(self) -> None:
        """One company's damaged file is no reason to leave the others without an answer.

        Raises StorageError where not one opens, ContentError where an operator's file is wrong.
        """
        refusals = []
        for tenant_id in self._wanted:
            try:
                await self._open(tenant_id)
            except StorageError as error:
                refusals.append(error)
                self._refuse(tenant_id, error)
        if refusals and not self.rooms:
            raise refusals[0]

    async def keep_opening(self, take_up: Callable[[TenantRoom], None]) -> None:
        """Until all are open; `take_up` is told at once of each that has been opened."""
        while self.refusing:
            await asyncio.sleep(AGAIN_S)
            for tenant_id in list(self.refusing):
                try:
                    await self._open(tenant_id)
                except NearsideError as error:
                    self._refuse(tenant_id, error)
                else:
                    take_up(self.rooms[tenant_id])
                    del self.refusing[tenant_id]
                    log.info("tenant_opened", tenant_id=tenant_id)

    def find(self, tenant_id: str) -> Tenant:
        """Raises Refused: 404 where the edge does not serve it, 503 while its file refuses."""
        if tenant_id in self.refusing:
            raise Refused(503, "store-unavailable", "the company's file does not open", hint="retry", retry_after_s=5)
        if (tenant := self.tenants.get(tenant_id)) is None:
            raise Refused(404, "unknown-tenant", "no such tenant", hint="check the address")
        return tenant

    async def renew(self, tenant_id: str, answers: Answers) -> TenantRoom | None:
        """Answer its turns from `answers`, from the next one on; None where its file has not opened yet."""
        if (tenant := self._open_tenants.get(tenant_id)) is None:
            return None
        room = await tenant.room(answers)
        self._show(tenant_id, room, answers)
        log.info("pack_active", tenant_id=tenant_id, version=answers.pack or "none")
        return room

    async def _open(self, tenant_id: str) -> None:
        folder, means = self._wanted[tenant_id].content, self._means
        shelf = Shelf(tenant_folder(means.data, tenant_id))
        answers = await asyncio.to_thread(active_answers, tenant_id, folder, shelf, means.encoder)
        async with contextlib.AsyncExitStack() as own:
            tenant = await OpenTenant.open(tenant_id, means, own)
            room = await tenant.room(answers)
            self._closing.push_async_callback(own.pop_all().aclose)
        self._open_tenants[tenant_id] = tenant
        self._show(tenant_id, room, answers)

    def _show(self, tenant_id: str, room: TenantRoom, answers: Answers) -> None:
        """In one step: nobody sees half of it."""
        self.rooms[tenant_id], self.stores[tenant_id], self.tenants[tenant_id] = room, room.store, room.tenant
        self.packs[tenant_id] = answers.pack, answers.problem

    def _refuse(self, tenant_id: str, error: NearsideError) -> None:
        if self.refusing.get(tenant_id) != str(error):
            log.error("tenant_refused", tenant_id=tenant_id, error=failure(error))
        self.refusing[tenant_id] = str(error)
