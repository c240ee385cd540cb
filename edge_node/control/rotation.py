"""New keys: for the node, and for every company's file, while both are in use."""

import asyncio
from typing import Any

from edge_node.control.edge import Edge
from edge_node.control.operations import Arguments, Asked, operation, parsed
from edge_node.storage.places import tenant_folder
from edge_node.storage.store import TenantStore


class Rotation(Asked):
    node_only: bool = False


@operation("keys rotate", alone=True)
async def rotate(edge: Edge, arguments: Arguments) -> Any:
    """Of one tenant: its file gets a new key. Of all: the node first, then one file after the other.

    Safe to repeat after a crash or an error: what was begun is ended first.
    """
    asked = parsed(Rotation, arguments)
    stores = {} if asked.node_only else edge.chosen(asked.tenant)
    wrapped = None
    if asked.tenant is None:
        wrapped = await asyncio.to_thread(edge.keys.rotate_node_key, edge.settings.data)
        edge.report({"wrapped": wrapped})
    for number, (tenant_id, store) in enumerate(stores.items(), start=1):
        await _rekey(edge, tenant_id, store)
        edge.report({"tenant": tenant_id, "number": number, "of": len(stores)})
    return {"wrapped": wrapped, "tenants": list(stores)}


async def _rekey(edge: Edge, tenant_id: str, store: TenantStore) -> None:
    folder = tenant_folder(edge.settings.data, tenant_id)
    key = await asyncio.to_thread(edge.keys.begin_rekey, folder, tenant_id)
    edge.held.add(tenant_id)
    try:
        await store.rekey(key)
    finally:
        edge.held.discard(tenant_id)
    await asyncio.to_thread(edge.keys.finish_rekey, folder)
