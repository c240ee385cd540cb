"""What an operation is handed: the running edge, or the files of one that does not run."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge_node.messages import Tenant
from edge_node.settings import EdgeSettings
from edge_node.storage.places import DATABASE, tenant_folder
from edge_node.storage.store import TenantStore
from nearside.errors import SettingsError, StorageError
from nearside.sealing import KeyRing

if TYPE_CHECKING:
    from edge_node.packs.answers import Answers
    from edge_node.turns.sender import Sender
    from edge_node.turns.turns import Turns
    from nearside.encoder import TextEncoder

Report = Callable[[Mapping[str, Any]], None]


def _unheard(_progress: Mapping[str, Any]) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Edge:
    """`stores` by tenant; `tenants`, `turns` and `sender` are there only while the edge runs.

    `renew` answers a tenant's turns from something else, from the next one on; there only while the edge runs, too.
    `report` tells whoever asked how far the operation is: something that JSON can say. `held` are tenants whose
    writers an operation keeps waiting.
    """

    settings: EdgeSettings
    keys: KeyRing
    stores: Mapping[str, TenantStore]
    tenants: Mapping[str, Tenant] = field(default_factory=dict)
    turns: "Turns | None" = None
    sender: "Sender | None" = None
    renew: "Callable[[str, Answers], Awaitable[None]] | None" = None
    encoder: "TextEncoder | None" = None
    report: Report = _unheard
    held: set[str] = field(default_factory=set)

    def text_encoder(self) -> "TextEncoder":
        """That of the running edge, or one for a command. Raises ModelError."""
        from nearside.encoder import TextEncoder

        return self.encoder or TextEncoder()

    async def is_alive(self) -> bool:
        """True once every writer has had its turn; one that refuses, for want of space, lives."""
        for tenant_id, store in list(self.stores.items()):
            if tenant_id not in self.held:
                with contextlib.suppress(StorageError):
                    await store.erased(())
        return True

    def chosen(self, tenant_id: str | None) -> dict[str, TenantStore]:
        """The stores of one tenant, or of all. A tenant that never had a message has none while the edge is stopped.

        Raises SettingsError where nobody knows the tenant.
        """
        if tenant_id is None:
            return dict(self.stores)
        if tenant_id not in self.settings.tenants:
            known = ", ".join(self.settings.tenants) or "none"
            raise SettingsError(
                f"no tenant {tenant_id}", where=f"this edge serves {known}", hint="restart it after a change"
            )
        return {tenant_id: self.stores[tenant_id]} if tenant_id in self.stores else {}


@contextlib.asynccontextmanager
async def stopped_edge(settings: EdgeSettings, tenant_id: str | None, report: Report) -> AsyncIterator[Edge]:
    """The stores of one tenant, or of all, opened while the block runs; the caller owns the data folder.

    Raises SettingsError and StorageError.
    """
    keys = KeyRing(settings.node_key, settings.name)
    wanted = [known for known in settings.tenants if tenant_id in (None, known)]
    async with contextlib.AsyncExitStack() as stack:
        stores = {}
        for wanted_id in wanted:
            folder = tenant_folder(settings.data, wanted_id)
            if (folder / DATABASE).exists():
                store = await TenantStore.open(folder / DATABASE, keys.tenant_keys(folder, wanted_id))
                stack.push_async_callback(store.close)
                keys.settle(folder, wanted_id, store.key)
                stores[wanted_id] = store
        yield Edge(settings, keys, stores, report=report)
