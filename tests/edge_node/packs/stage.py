"""An edge of several companies in one process: real files and stores, a core that is gone, a channel that collects."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry

from edge_node.app import renewing
from edge_node.control.edge import Edge
from edge_node.local_model.client import LocalModel
from edge_node.local_model.process import ModelProcess
from edge_node.messages import Conversation, Delivery, Draft, Tenant
from edge_node.open_tenants import OpenTenants
from edge_node.settings import EdgeSettings, TenantSettings
from edge_node.tenant_room import Means
from edge_node.turns.fair import Fair, FairThread
from edge_node.turns.ladder_metrics import LadderMetrics
from edge_node.turns.metrics import Metrics
from edge_node.turns.turns import Limits, Turns
from edge_node.uplink.circuit import Circuit
from nearside.encoder import TextEncoder
from nearside.origins import Reason
from nearside.sealing import KeyRing, make_node_key
from tests.edge_node.packs.companies import company
from tests.edge_node.stage import Collecting, ScriptedUplink, inbound, sender_to


def no_model() -> Path:
    raise AssertionError("no model is wanted")


async def no_process(_file: Path) -> ModelProcess:
    raise AssertionError("no model is wanted")


def settings_of(folder: Path, says: Mapping[str, str]) -> EdgeSettings:
    """Companies that say from their folders what `says` has for them."""
    data, node_key = folder / "data", folder / "node.key"
    if not node_key.exists():
        make_node_key(node_key, data)
    data.mkdir(exist_ok=True)
    tenants = {
        tenant_id: TenantSettings(content=company(folder / "companies" / tenant_id, said))
        for tenant_id, said in says.items()
    }
    return EdgeSettings(name="edge", data=data, node_key=node_key, tenants=tenants)


@dataclass(frozen=True, slots=True)
class Running:
    edge: Edge
    served: OpenTenants
    turns: Turns
    outlet: Collecting
    uplink: ScriptedUplink

    @property
    def sent(self) -> list[Delivery]:
        return self.outlet.sent

    async def say(self, text: str, number: int, tenant: str = "shop", thread: str = "t") -> None:
        await self.turns.accept(self.served.tenants[tenant], inbound(text, f"m{number}", thread))


@contextlib.asynccontextmanager
async def running(settings: EdgeSettings, encoder: TextEncoder) -> AsyncIterator[Running]:
    async def show(tenant: Tenant, conversation: Conversation, draft: Draft) -> None:
        return

    uplink, outlet = ScriptedUplink(), Collecting()
    uplink.reason = Reason.CORE_UNREACHABLE
    async with contextlib.AsyncExitStack() as stack:
        metrics, keys = LadderMetrics(CollectorRegistry()), KeyRing(settings.node_key, settings.name)
        means = Means(
            data=settings.data,
            keys=keys,
            encoder=encoder,
            encoding=FairThread(stack.enter_context(ThreadPoolExecutor(1)), encoder.encode_in_runs),
            uplink=uplink,
            count_handoff=lambda _id, _outcome: None,
            turn_s=20.0,
            first_s=10.0,
            places=Fair(8),
            circuit=Circuit(metrics.circuit("")),
            metrics=metrics,
            generator=LocalModel(no_model, no_process, Fair(1)),
            count_generated=lambda _id, _outcome: None,
        )
        served = OpenTenants(settings, means, await stack.enter_async_context(contextlib.AsyncExitStack()))
        await served.open()
        sender = sender_to(outlet)
        turns = Turns(served.rooms, sender, show, Metrics(CollectorRegistry()), Limits())
        stack.push_async_callback(turns.drain, 2.0)
        edge = Edge(
            settings, keys, served.stores, served.tenants, turns, sender, renewing(served, turns), encoder=encoder
        )
        yield Running(edge, served, turns, outlet, uplink)
