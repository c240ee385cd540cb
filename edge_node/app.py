"""The edge's parts list: the only place where its rooms meet."""

import asyncio
import contextlib
import ctypes
import gc
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import uvloop
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from edge_node.channels.base import Channel, ChannelContext
from edge_node.channels.feed import Feed
from edge_node.channels.folder import channel_classes
from edge_node.control.conditions import EdgeConditions
from edge_node.control.edge import Edge
from edge_node.control.gauges import Gauges
from edge_node.control.operations import operations
from edge_node.control.retention import Sweeper
from edge_node.control.server import controlled
from edge_node.local_model.client import LocalModel
from edge_node.local_model.files import Models
from edge_node.local_model.process import ModelProcess, command
from edge_node.messages import Conversation, Draft, Tenant
from edge_node.open_tenants import OpenTenants
from edge_node.packs.answers import Answers
from edge_node.responders.handoffs import handoff_counter
from edge_node.responders.local_model import answer_counter
from edge_node.settings import EdgeSettings
from edge_node.storage.conversations import Conversations
from edge_node.storage.places import api_keys
from edge_node.tenant_room import Means
from edge_node.turns.core_step import PLACES
from edge_node.turns.erasures import Erasures
from edge_node.turns.fair import Fair, FairThread
from edge_node.turns.ladder_metrics import LadderMetrics
from edge_node.turns.metrics import Metrics
from edge_node.turns.outbox_metrics import OutboxMetrics
from edge_node.turns.sender import Sender
from edge_node.turns.turns import Limits, Turns
from edge_node.uplink.circuit import Circuit
from edge_node.uplink.grpc_link import GrpcLink, LinkFiles
from edge_node.web.limits import Rate, RateLimit
from edge_node.web.problems import HANDLERS
from nearside.encoder import TextEncoder
from nearside.errors import StorageError
from nearside.http_server import serving
from nearside.logs import configure_logging, failure, log_loop_errors, logger
from nearside.notify import Notifier
from nearside.ownership import sole_owner
from nearside.sealing import KeyRing
from nearside.telemetry import Conditions, make_registry, operations_app
from nearside.tls import server_context

log = logger("edge")

SEND_S = 1.0
"""What a stop leaves the replies under way at least: one that is cut off may have arrived."""
COMMAND_S = 3.0
"""How long a start waits for an operator's command that works on the stopped edge's files."""


def run(settings: EdgeSettings) -> None:
    """Serve until SIGTERM or SIGINT. Raises NearsideError where it cannot start."""
    configure_logging(settings.log.level)
    with sole_owner(settings.data, "edge", patience_s=COMMAND_S):
        uvloop.run(_serve(settings))


async def _serve(settings: EdgeSettings) -> None:
    stopping = asyncio.Event()
    log_loop_errors(asyncio.get_running_loop())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    notifier = Notifier.of_systemd()
    async with edge(settings, notifier):
        log.info("ready", https_port=settings.https.port, tenants=len(settings.tenants))
        notifier.ready(f"serves {', '.join(settings.tenants) or 'nobody'} on port {settings.https.port}")
        await stopping.wait()
        log.info("stopping")
        notifier.stopping()


@contextlib.asynccontextmanager
async def edge(settings: EdgeSettings, notifier: Notifier) -> AsyncIterator[None]:
    """The whole edge, serving while the block runs."""
    tls = server_context(settings.https.cert, settings.https.key)
    registry = make_registry("edge-node")
    async with contextlib.AsyncExitStack() as stack:
        link = GrpcLink(settings.core.address, LinkFiles(settings.core.ca, settings.core.cert, settings.core.key))
        stack.push_async_callback(link.close)
        keys = KeyRing(settings.node_key, settings.name)
        generator = _generator(settings)
        served = await _open_tenants(settings, keys, link, generator, registry, stack)
        parts = _assemble(settings, served, registry)
        stack.push_async_callback(parts.stop, settings.limits.drain_s)
        stores = served.stores
        registry.register(Gauges(stores))
        resumed = await parts.turns.resume()
        log.info("resumed", turns=resumed)
        renew = renewing(served, parts.turns)
        controls = Edge(settings, keys, stores, served.tenants, parts.turns, parts.sender, renew, served.encoder)
        sweeper = Sweeper(stores, {tenant_id: tenant.retention_days for tenant_id, tenant in settings.tenants.items()})
        conditions = EdgeConditions(stores, served.refusing, served.packs)
        background = [
            served.keep_opening(parts.turns.adopt),
            parts.turns.deferred.run(),
            *(channel.run(parts.turns.accept) for channel in parts.channels),
            sweeper.run(),
            Erasures(stores, link).run(),
            generator.run(_telling(conditions, "local_model")),
            notifier.watch(controls.is_alive),
        ]
        for work in background:
            task = asyncio.create_task(work)
            stack.callback(task.cancel)
        await _listen_to_operators(controls, conditions, stack)
        admin = operations_app(conditions, registry)
        await stack.enter_async_context(serving(admin, settings.admin.host, settings.admin.port, what="admin"))
        app = _http_app(parts)
        await stack.enter_async_context(serving(app, settings.https.host, settings.https.port, tls=tls, what="HTTPS"))
        stack.callback(parts.feed.close)
        _settle_memory()
        yield


@dataclass(frozen=True, slots=True)
class _Parts:
    turns: Turns
    sender: Sender
    channels: tuple[Channel, ...]
    feed: Feed

    async def stop(self, drain_s: float) -> None:
        ends_at = time.monotonic() + drain_s
        await self.turns.drain(drain_s)
        await self.sender.drain(max(SEND_S, ends_at - time.monotonic()))


def _assemble(settings: EdgeSettings, served: OpenTenants, registry: CollectorRegistry) -> _Parts:
    feed = Feed()
    context = ChannelContext(
        find_tenant=served.find,
        is_api_key=_key_checker(settings),
        admit=_admission(settings),
        log=Conversations(served.stores),
        feed=feed,
    )
    channels = {kind: channel(context) for kind, channel in channel_classes().items()}

    async def draft_to(tenant: Tenant, conversation: Conversation, draft: Draft) -> None:
        await channels[conversation.channel].draft(tenant, conversation, draft)

    async def typing_to(tenant: Tenant, conversation: Conversation, turn_id: str) -> None:
        await channels[conversation.channel].typing(tenant, conversation, turn_id)

    limits = Limits(settings.limits.parallel, settings.limits.queued, settings.limits.deferred_hours * 3600)
    sender = Sender(channels.__getitem__, OutboxMetrics(registry), settings.limits.outbox_hours * 3600)
    turns = Turns(served.rooms, sender, draft_to, Metrics(registry), limits, typing_to)
    return _Parts(turns, sender, tuple(channels.values()), feed)


def _http_app(parts: _Parts) -> Starlette:
    routes = [route for channel in parts.channels for route in channel.routes(parts.turns.accept)]
    return Starlette(routes=routes, exception_handlers=dict(HANDLERS))


async def _listen_to_operators(controls: Edge, conditions: Conditions, stack: contextlib.AsyncExitStack) -> None:
    """An edge that cannot is no reason to leave its customers without an answer."""
    try:
        await stack.enter_async_context(controlled(controls, operations()))
        conditions.report("control", True, needed=False)
    except StorageError as error:
        log.error("no_control_socket", error=failure(error))
        conditions.report("control", False, needed=False, detail=str(error))


async def _open_tenants(
    settings: EdgeSettings,
    keys: KeyRing,
    link: GrpcLink,
    generator: LocalModel,
    registry: CollectorRegistry,
    stack: contextlib.AsyncExitStack,
) -> OpenTenants:
    encoder = await asyncio.to_thread(TextEncoder, threads=settings.encoder_threads)
    encoding = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="encoder"))
    metrics = LadderMetrics(registry)
    means = Means(
        data=settings.data,
        keys=keys,
        encoder=encoder,
        encoding=FairThread(encoding, encoder.encode_in_runs),
        uplink=link,
        count_handoff=handoff_counter(registry),
        turn_s=settings.core.turn_s,
        first_s=settings.core.first_s,
        places=Fair(PLACES),
        circuit=Circuit(metrics.circuit("")),
        metrics=metrics,
        generator=generator,
        count_generated=answer_counter(registry),
    )
    served = OpenTenants(settings, means, await stack.enter_async_context(contextlib.AsyncExitStack()))
    await served.open()
    return served


def renewing(served: OpenTenants, turns: Turns) -> Callable[[str, Answers], Awaitable[None]]:
    async def renew(tenant_id: str, answers: Answers) -> None:
        if (room := await served.renew(tenant_id, answers)) is not None:
            turns.deferred.renew(room)

    return renew


def _telling(conditions: Conditions, name: str) -> Callable[[bool, str], None]:
    return lambda ok, detail: conditions.report(name, ok, needed=False, detail=detail)


def _generator(settings: EdgeSettings) -> LocalModel:
    chosen = settings.local_model

    async def start(file: Path) -> ModelProcess:
        return await ModelProcess.start(command(file, chosen.threads))

    return LocalModel(Models(settings.data, chosen.file).active, start, Fair(1))


def _settle_memory() -> None:
    """What the start made stays: the collector need not look at it again, which took 50 ms of a turn now and then.

    Building the indexes leaves tens of megabytes free in glibc's heap; other C libraries have no call to give it back.
    """
    gc.collect()
    gc.freeze()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _key_checker(settings: EdgeSettings) -> Callable[[Tenant, str], bool]:
    keys = {tenant_id: api_keys(settings.data, tenant_id) for tenant_id in settings.tenants}
    return lambda tenant, secret: keys[tenant.id].is_valid(secret)


def _admission(settings: EdgeSettings) -> Callable[[Tenant, str | None], None]:
    limits = settings.limits
    of_tenants = RateLimit(Rate(limits.tenant_per_s, limits.tenant_burst))
    of_customers = RateLimit(Rate(limits.customer_per_s, limits.customer_burst))

    def admit(tenant: Tenant, customer: str | None) -> None:
        """Raises Refused (429). `customer` is None where a company's own program speaks."""
        if customer is not None:
            of_customers.take((tenant.id, customer))
        of_tenants.take(tenant.id)

    return admit
