"""An edge for an operator's tests: one company's store in a data folder, with or without turns that run."""

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from edge_node.control.edge import Edge, stopped_edge
from edge_node.control.operations import operations
from edge_node.messages import Conversation, DeadReason, Draft, Inbound, Reply, Tenant
from edge_node.settings import EdgeSettings, TenantSettings
from edge_node.storage.places import DATABASE, tenant_folder
from edge_node.storage.records import Ended
from edge_node.storage.store import TenantStore
from edge_node.turns.core_step import CoreStep
from edge_node.turns.metrics import Metrics
from edge_node.turns.room import TenantRoom
from edge_node.turns.turns import Limits, Turns
from nearside.origins import Reason, Source
from nearside.sealing import KeyRing, make_node_key
from tests.edge_node.stage import TENANT, Answering, Collecting, NoSemantics, ScriptedUplink, ladder_of, sender_to

ANSWER = Reply("An answer", Source.RULE, Reason.MATCHED)


def settings_in(folder: Path, *tenants: str) -> EdgeSettings:
    """With a node key and an empty data folder."""
    data = folder / "data"
    data.mkdir(mode=0o700)
    make_node_key(folder / "node.key", data)
    companies = {tenant_id: TenantSettings(content=folder) for tenant_id in tenants or (TENANT.id,)}
    return EdgeSettings(name="edge", data=data, node_key=folder / "node.key", tenants=companies)


async def opened(settings: EdgeSettings, tenant_id: str = TENANT.id) -> TenantStore:
    """The store that the edge of these settings keeps for a tenant."""
    folder = tenant_folder(settings.data, tenant_id)
    keys = KeyRing(settings.node_key, settings.name).tenant_keys(folder, tenant_id)
    return await TenantStore.open(folder / DATABASE, keys)


@dataclass
class Company:
    """What happens at a company, told to its store."""

    store: TenantStore
    said: int = 0

    async def hears(self, text: str, customer: str = "alice", channel: str = "api") -> str:
        """The turn of a message that waits; each customer has one conversation."""
        self.said += 1
        message = Inbound(channel, "default", f"with-{customer}", f"m{self.said}", customer, text)
        return (await self.store.accept(message, time.time())).turn_id

    async def answers(self, text: str = "hello", customer: str = "alice") -> Ended:
        """A reply that waits to be sent."""
        turn_id = await self.hears(text, customer)
        ended = await self.store.end(turn_id, 0, ANSWER, time.time(), {})
        assert ended is not None
        return ended

    async def parks(self, text: str, reason: DeadReason = DeadReason.TURN_FAILED) -> str:
        turn_id = await self.hears(text)
        await self.store.park(turn_id, reason, time.time())
        return turn_id

    async def fails_to_send(self, reason: DeadReason = DeadReason.GAVE_UP) -> str:
        """The id of a dead reply."""
        ended = await self.answers()
        await self.store.mark_dead(ended.event.id, reason, time.time())
        return f"r{ended.event.id}"

    async def loses_a_call(self) -> str:
        """The id of a call of which nobody knows whether it happened."""
        turn_id = await self.hears("refund me")
        loaded = await self.store.load(turn_id)
        assert loaded is not None
        await self.store.intend_call(turn_id, "1", loaded.conversation.id, "refund", b"digest", time.time())
        await self.store.settle_call(turn_id, "1", "unknown", "{}", "timeout", time.time())
        await self.store.drop(turn_id, "test", time.time())
        return f"{turn_id}/1"


@dataclass
class Operated:
    """An edge and what an operator asks of it."""

    edge: Edge
    company: Company
    outlet: Collecting
    reports: list[Any] = field(default_factory=list)

    async def ask(self, name: str, **arguments: Any) -> Any:
        return await operations()[name].run(self.edge, arguments)


@contextlib.asynccontextmanager
async def stopped(settings: EdgeSettings) -> AsyncIterator[Operated]:
    """Its files only, as a command finds them where no edge runs."""
    store = await opened(settings)
    await store.close()
    reports: list[Any] = []
    async with stopped_edge(settings, None, reports.append) as edge:
        yield Operated(edge, Company(edge.stores[TENANT.id]), Collecting(), reports)


@contextlib.asynccontextmanager
async def running(settings: EdgeSettings, uplink: ScriptedUplink | None = None) -> AsyncIterator[Operated]:
    """With turns and a sender; every message is answered at once, or by the core if there is one."""
    store = await opened(settings)
    outlet, reports = Collecting(idempotent=False), list[Any]()
    sender = sender_to(outlet)
    core = CoreStep(uplink or ScriptedUplink(), b"k" * 32, 5.0)
    ladder = ladder_of([] if uplink else [Answering(lambda _turn: ANSWER)], core)
    room = TenantRoom(TENANT, store, NoSemantics(), ladder, lambda _text: False)

    async def show(tenant: Tenant, conversation: Conversation, draft: Draft) -> None:
        pass

    turns = Turns({TENANT.id: room}, sender, show, Metrics(CollectorRegistry()), Limits())
    keys = KeyRing(settings.node_key, settings.name)
    edge = Edge(settings, keys, {TENANT.id: store}, {TENANT.id: TENANT}, turns, sender, report=reports.append)
    try:
        yield Operated(edge, Company(store), outlet, reports)
    finally:
        await turns.drain(0.2)
        await sender.drain(0.2)
        await store.close()
