"""A customer's wish to be forgotten."""

import time
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from edge_node.control.edge import Edge
from edge_node.control.operations import Arguments, Asked, operation, parsed
from edge_node.storage.records import Forgotten


class Forgetting(Asked):
    """`channel` None means wherever the customer wrote."""

    tenant: str
    customer: str
    channel: str | None = None


@operation("forget")
async def forget(edge: Edge, arguments: Arguments) -> Any:
    """How many of each were removed; what runs for this customer ends, and the core is told at the next occasion."""
    asked = parsed(Forgetting, arguments)
    store = edge.chosen(asked.tenant).get(asked.tenant)
    if store is None:
        return asdict(Forgotten(*[0] * len(fields(Forgotten))))
    conversation_ids = await store.conversations_of(asked.customer, asked.channel)
    try:
        return asdict(await store.forget(asked.customer, time.time(), asked.channel))
    finally:  # it may have failed after the data was gone
        kept = await store.conversations_of(asked.customer, asked.channel)
        _stop(edge, asked.tenant, [known for known in conversation_ids if known not in kept])


def _stop(edge: Edge, tenant_id: str, conversation_ids: Sequence[str]) -> None:
    if edge.turns is not None and edge.sender is not None:
        edge.turns.forgotten(conversation_ids)
        edge.sender.forget(tenant_id, conversation_ids)
