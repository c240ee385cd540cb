"""The core's parts list: the only place where its rooms meet."""

import asyncio
import signal
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

from cloud_core.engines import make_engine
from cloud_core.knowledge.base import KnowledgeBase
from cloud_core.knowledge.store import MIGRATIONS as KNOWLEDGE
from cloud_core.settings import CoreSettings
from cloud_core.tenants import KEY_OWNER, Tenant, Tenants
from cloud_core.turns.claims import MIGRATIONS as CLAIMS
from nearside.encoder import TextEncoder
from nearside.http_server import serving
from nearside.logs import configure_logging, failure, log_loop_errors, logger
from nearside.ownership import sole_owner
from nearside.sealing import KeyRing
from nearside.telemetry import Conditions, make_registry, operations_app

if TYPE_CHECKING:
    from cloud_core.turns.runner import Turns

LOG = logger("app")
DRAIN_S = 10.0
HOUR_S = 3_600.0


class Part(Protocol):
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


def open_tenants(settings: CoreSettings) -> Tenants:
    """Raises StorageError where the node's key is gone: a fresh one would open nothing."""
    return Tenants(settings.data, KeyRing(settings.node_key, KEY_OWNER), {"knowledge": KNOWLEDGE, "turns": CLAIMS})


class Libraries:
    """One knowledge base per tenant, opened when it is first asked for."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder
        self._open: WeakKeyDictionary[Tenant, KnowledgeBase] = WeakKeyDictionary()

    def of(self, tenant: Tenant) -> KnowledgeBase:
        if tenant not in self._open:
            self._open[tenant] = KnowledgeBase(tenant.connect(), self._encoder)
        return self._open[tenant]


def run(settings: CoreSettings) -> None:
    """Serve until SIGTERM or SIGINT; returns when everything is closed."""
    configure_logging(settings.log.level)
    with sole_owner(settings.data, "core"):
        asyncio.run(serve(settings))


async def serve(settings: CoreSettings) -> None:
    from cloud_core.serving import https, metrics, rpc
    from cloud_core.serving.converse import TurnService
    from cloud_core.turns.runner import Turns
    from nearside.tls import server_context

    log_loop_errors(asyncio.get_running_loop())
    stopping = _stop_signal()
    conditions, registry = Conditions("engine", "https", "grpc"), make_registry("cloud-core")
    counters = metrics.TurnMetrics(registry)
    tenants = open_tenants(settings)
    async with AsyncExitStack() as parts:
        page, admin = operations_app(conditions, registry), settings.admin
        await parts.enter_async_context(serving(page, admin.host, admin.port, what="admin"))
        encoder, _ = await asyncio.gather(asyncio.to_thread(TextEncoder), _start_nats(parts, settings, conditions))
        engine = make_engine(settings.engine.kind, settings.engine.options, encoder)
        conditions.report("engine", True, detail=settings.engine.kind)
        turns = Turns(Libraries(encoder).of, lambda _tenant: (settings.engine.kind, engine), counters.count_withheld)
        tls = server_context(settings.https.cert, settings.https.key)
        front, door = https.front_page(settings.name), settings.https
        await parts.enter_async_context(serving(front, door.host, door.port, tls=tls, what="https"))
        conditions.report("https", True)
        bounds = settings.turns
        service = TurnService(turns, tenants.get, counters, bounds.max_in_flight, bounds.max_s)
        await _start(parts, rpc.RpcDoor(service, settings.grpc, DRAIN_S))
        conditions.report("grpc", True)
        housekeeping = asyncio.create_task(_keep_house(tenants, turns, settings.turns.keep_days))
        parts.callback(housekeeping.cancel)
        LOG.info("ready", name=settings.name, tenants=len(tenants.all()))
        await stopping.wait()
        conditions.report("grpc", False, detail="stopping")
        LOG.info("stopping")
    LOG.info("stopped")


async def _start(parts: AsyncExitStack, part: Part) -> None:
    """Started now, stopped last in, first out; also where starting failed half way."""
    parts.push_async_callback(part.stop)
    await part.start()


async def _start_nats(parts: AsyncExitStack, settings: CoreSettings, conditions: Conditions) -> None:
    def report(ok: bool) -> None:
        conditions.report("nats", ok, needed=False, detail=settings.nats.mode)

    if settings.nats.mode == "embedded":
        from cloud_core.fleet.nats import EmbeddedServer

        await _start(parts, EmbeddedServer(settings, report))
    elif settings.nats.mode == "external":
        from cloud_core.fleet.link import Link

        await _start(parts, Link(settings, report))


async def _keep_house(tenants: Tenants, turns: "Turns", keep_days: float) -> None:
    while True:
        for tenant in tenants.all():
            try:
                await asyncio.to_thread(turns.claims_of(tenant).forget, keep_days)
            except Exception as error:  # another tenant's file, or the next hour, may do better
                LOG.error("housekeeping_failed", tenant_id=tenant.id, error=failure(error))
        await asyncio.sleep(HOUR_S)


def _stop_signal() -> asyncio.Event:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping
