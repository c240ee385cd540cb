"""The edge's parts list: the only place where its rooms meet."""

import asyncio
import contextlib
import ctypes
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import uvloop
from prometheus_client import CollectorRegistry, Gauge
from starlette.applications import Starlette

from edge_node.channels.base import Channel, ChannelContext
from edge_node.channels.feed import Feed
from edge_node.channels.folder import channel_classes
from edge_node.messages import Conversation, Delivery, Draft, Tenant
from edge_node.responders.handoffs import CountHandoff, handoff_counter
from edge_node.settings import EdgeSettings
from edge_node.storage.conversations import Conversations
from edge_node.storage.places import api_keys
from edge_node.tenant_room import Means, open_room
from edge_node.turns.metrics import Metrics
from edge_node.turns.room import TenantRoom
from edge_node.turns.sender import Sender
from edge_node.turns.turns import Limits, Turns
from edge_node.uplink.grpc_link import GrpcLink, LinkFiles
from edge_node.web.limits import Rate, RateLimit
from edge_node.web.problems import HANDLERS
from nearside.encoder import TextEncoder
from nearside.errors import Refused
from nearside.http_server import serving
from nearside.logs import configure_logging, log_loop_errors, logger
from nearside.ownership import sole_owner
from nearside.sealing import KeyRing
from nearside.telemetry import Condition, Conditions, make_registry, operations_app
from nearside.tls import server_context

log = logger("edge")


def run(settings: EdgeSettings) -> None:
    """Serve until SIGTERM or SIGINT. Raises NearsideError where it cannot start."""
    configure_logging(settings.log.level)
    with sole_owner(settings.data, "edge"):
        uvloop.run(_serve(settings))


async def _serve(settings: EdgeSettings) -> None:
    stopping = asyncio.Event()
    log_loop_errors(asyncio.get_running_loop())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with edge(settings):
        log.info("ready", https_port=settings.https.port, tenants=len(settings.tenants))
        await stopping.wait()
        log.info("stopping")


@contextlib.asynccontextmanager
async def edge(settings: EdgeSettings) -> AsyncIterator[None]:
    """The whole edge, serving while the block runs."""
    tls = server_context(settings.https.cert, settings.https.key)
    registry = make_registry("edge-node")
    async with contextlib.AsyncExitStack() as stack:
        link = GrpcLink(settings.core.address, LinkFiles(settings.core.ca, settings.core.cert, settings.core.key))
        stack.push_async_callback(link.close)
        rooms = await _open_rooms(settings, link, handoff_counter(registry), stack)
        _give_back_memory()
        parts = _assemble(settings, rooms, registry)
        stack.push_async_callback(parts.stop, settings.limits.drain_s)
        _gauge_depths(registry, rooms, parts.turns)
        resumed = await parts.turns.resume()
        log.info("resumed", turns=resumed)
        background = [parts.turns.deferred.run(), *(channel.run(parts.turns.accept) for channel in parts.channels)]
        for work in background:
            task = asyncio.create_task(work)
            stack.callback(task.cancel)
        admin = operations_app(EdgeConditions(rooms), registry)
        await stack.enter_async_context(serving(admin, settings.admin.host, settings.admin.port, what="admin"))
        app = _http_app(parts)
        await stack.enter_async_context(serving(app, settings.https.host, settings.https.port, tls=tls, what="HTTPS"))
        stack.callback(parts.feed.close)
        yield


@dataclass(frozen=True, slots=True)
class _Parts:
    turns: Turns
    sender: Sender
    channels: tuple[Channel, ...]
    feed: Feed

    async def stop(self, drain_s: float) -> None:
        await self.turns.drain(drain_s)
        await self.sender.drain(1.0)


def _assemble(settings: EdgeSettings, rooms: Mapping[str, TenantRoom], registry: CollectorRegistry) -> _Parts:
    feed = Feed()
    context = ChannelContext(
        find_tenant=_finder(rooms),
        is_api_key=_key_checker(settings, rooms),
        admit=_admission(settings),
        log=Conversations({tenant_id: room.store for tenant_id, room in rooms.items()}),
        feed=feed,
    )
    channels = {kind: channel(context) for kind, channel in channel_classes().items()}

    async def send_to(delivery: Delivery) -> None:
        await channels[delivery.conversation.channel].send(delivery)

    async def draft_to(tenant: Tenant, conversation: Conversation, draft: Draft) -> None:
        await channels[conversation.channel].draft(tenant, conversation, draft)

    limits = Limits(settings.limits.parallel, settings.limits.queued, settings.limits.deferred_hours * 3600)
    sender = Sender(send_to)
    turns = Turns(rooms, sender, draft_to, Metrics(registry), limits)
    return _Parts(turns, sender, tuple(channels.values()), feed)


def _http_app(parts: _Parts) -> Starlette:
    routes = [route for channel in parts.channels for route in channel.routes(parts.turns.accept)]
    return Starlette(routes=routes, exception_handlers=dict(HANDLERS))


async def _open_rooms(
    settings: EdgeSettings, link: GrpcLink, count_handoff: CountHandoff, stack: contextlib.AsyncExitStack
) -> dict[str, TenantRoom]:
    encoder = await asyncio.to_thread(TextEncoder, threads=settings.encoder_threads)
    encoding = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="encoder"))
    keys = KeyRing(settings.node_key, settings.name)
    means = Means(settings.data, keys, encoder, encoding, link, count_handoff, settings.core.turn_s)
    return {
        tenant_id: await open_room(tenant_id, tenant.content, means, stack)
        for tenant_id, tenant in settings.tenants.items()
    }


def _give_back_memory() -> None:
    """Building the indexes leaves tens of megabytes free in glibc's heap; other C libraries have no such call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _finder(rooms: Mapping[str, TenantRoom]) -> Callable[[str], Tenant]:
    def find(tenant_id: str) -> Tenant:
        if (room := rooms.get(tenant_id)) is None:
            raise Refused(404, "unknown-tenant", "no such tenant", hint="check the address")
        return room.tenant

    return find


def _key_checker(settings: EdgeSettings, rooms: Mapping[str, TenantRoom]) -> Callable[[Tenant, str], bool]:
    keys = {tenant_id: api_keys(settings.data, tenant_id) for tenant_id in rooms}
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


class EdgeConditions(Conditions):
    """Looked up when asked: each tenant's store says itself how it is."""

    def __init__(self, rooms: Mapping[str, TenantRoom]) -> None:
        super().__init__()
        self._rooms = rooms

    def all(self) -> list[Condition]:
        for tenant_id, room in self._rooms.items():
            wrong = room.store.condition
            self.report(f"store_{tenant_id}", wrong is None, detail=wrong or "")
        return super().all()


def _gauge_depths(registry: CollectorRegistry, rooms: Mapping[str, TenantRoom], turns: Turns) -> None:
    waiting = Gauge("nearside_turns_waiting", "Turns accepted and not yet ended", ["tenant"], registry=registry)
    deferred = Gauge("nearside_turns_deferred", "Answers promised for later", ["tenant"], registry=registry)
    for tenant_id in rooms:
        waiting.labels(tenant_id).set_function(partial(turns.waiting, tenant_id))
        deferred.labels(tenant_id).set_function(partial(turns.deferred.depth, tenant_id))
