"""The core's parts list: the only place where its rooms meet."""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

from cloud_core.engines import make_engine
from cloud_core.knowledge import export as knowledge_export
from cloud_core.knowledge.base import KnowledgeBase
from cloud_core.knowledge.encoder_choice import Shelf
from cloud_core.knowledge.stores.base import Store
from cloud_core.knowledge.stores.sqlite.schema import MIGRATIONS as KNOWLEDGE
from cloud_core.knowledge.stores.sqlite.store import SqliteStore
from cloud_core.settings import CoreSettings
from cloud_core.tenants import KEY_OWNER, Registry, Tenant, Tenants
from cloud_core.turns import export as turns_export
from cloud_core.turns.claims import MIGRATIONS as CLAIMS
from nearside.encoder import TextEncoder
from nearside.errors import NearsideError, SettingsError
from nearside.http_server import serving
from nearside.logs import configure_logging, failure, log_loop_errors, logger
from nearside.notify import Notifier
from nearside.ownership import sole_owner
from nearside.sealing import KeyRing
from nearside.telemetry import Conditions, make_registry, operations_app

if TYPE_CHECKING:
    from cloud_core.database import Database
    from cloud_core.tenants.postgres import PostgresTenants
    from cloud_core.turns.claims import ClaimStore
    from cloud_core.turns.runner import Turns

LOG = logger("app")
ROOMS = {"knowledge": KNOWLEDGE, "turns": CLAIMS}
"""Who keeps tables in a tenant's file."""
EXPORTED = (*knowledge_export.TABLES, *turns_export.TABLES)
DRAIN_S = 10.0
HOUR_S = 3_600.0
NOTICE_S = 1.0


class Part(Protocol):
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


def open_tenants(settings: CoreSettings) -> Registry:
    """Where core.toml says they are. Raises StorageError where the node's key is gone: a fresh one opens nothing."""
    keys = KeyRing(settings.node_key, KEY_OWNER)
    return open_postgres(settings, keys) if settings.database.url else Tenants(settings.data, keys, ROOMS)


def open_postgres(settings: CoreSettings, keys: KeyRing) -> "PostgresTenants":
    """Raises StorageError where the server is away, or its tables are not this program's and cannot be made so."""
    tenants = postgres_tenants(settings, keys)
    tenants.make_ready()
    return tenants


def postgres_tenants(settings: CoreSettings, keys: KeyRing) -> "PostgresTenants":
    """Whose tables nobody has looked at yet."""
    database, owner = open_database(settings)
    from cloud_core.knowledge.stores.postgres import schema as knowledge
    from cloud_core.tenants.postgres import PostgresTenants
    from cloud_core.turns.claims_postgres import MIGRATIONS as claims

    shared = {"turns": claims, "knowledge": knowledge.SHARED_MIGRATIONS}
    own = {"knowledge": knowledge.MIGRATIONS}
    return PostgresTenants(settings.data, keys, database, owner, shared=shared, own=own)


def open_database(settings: CoreSettings) -> "tuple[Database, Database]":
    """As who serves and as who owns the tables, which may be the same. Nothing is connected yet."""
    try:
        from cloud_core.database import Database, Login
    except ModuleNotFoundError as error:
        hint = 'install the extra "postgres"'
        raise SettingsError(f"database.url needs {error.name}", where="core.toml", hint=hint) from None
    given = settings.database
    database = Database(Login.of(given.url, given.password_file), given.connections)
    if not given.owner_url:
        return database, database
    return database, Database(Login.of(given.owner_url, given.owner_password_file), 2)


def open_store(tenant: Tenant) -> Store:
    """Where the tenant's data are."""
    if tenant.database is None:
        return SqliteStore(tenant.connect)
    from cloud_core.knowledge.stores.postgres.store import PostgresStore

    return PostgresStore(tenant.database)


class Libraries:
    """One knowledge base per tenant, opened when it is first asked for; `waits` as in `Encoders`."""

    def __init__(self, encoder: TextEncoder, *, waits: bool = True) -> None:
        self._encoder, self._shelf, self._waits = encoder, Shelf(), waits
        self._open: WeakKeyDictionary[Tenant, KnowledgeBase] = WeakKeyDictionary()

    def of(self, tenant: Tenant) -> KnowledgeBase:
        if tenant not in self._open:
            self._open[tenant] = KnowledgeBase(open_store(tenant), self._encoder, self._shelf, waits=self._waits)
        return self._open[tenant]

    def close(self, tenant: Tenant) -> None:
        if (base := self._open.pop(tenant, None)) is not None:
            base.close()


def run(settings: CoreSettings) -> None:
    """Serve until SIGTERM or SIGINT; returns when everything is closed."""
    configure_logging(settings.log.level)
    with sole_owner(settings.data, "core"):
        asyncio.run(serve(settings))


async def serve(settings: CoreSettings) -> None:
    from cloud_core.serving import metrics, rpc
    from cloud_core.serving.converse import TurnService
    from cloud_core.turns.runner import Turns

    log_loop_errors(asyncio.get_running_loop())
    stopping = _stop_signal()
    conditions, registry = Conditions("engine", "store", "https", "grpc"), make_registry("cloud-core")
    notifier = Notifier.of_systemd()
    counters = metrics.TurnMetrics(registry)
    tenants = await asyncio.to_thread(open_tenants, settings)
    async with AsyncExitStack() as parts:
        page, admin = operations_app(conditions, registry), settings.admin
        await parts.enter_async_context(serving(page, admin.host, admin.port, what="admin"))
        encoder, _ = await asyncio.gather(asyncio.to_thread(TextEncoder), _start_nats(parts, settings, conditions))
        engine = make_engine(settings.engine.kind, settings.engine.options, encoder)
        conditions.report("engine", True, detail=settings.engine.kind)
        libraries = Libraries(encoder, waits=False)
        turns = Turns(libraries.of, lambda _tenant: (settings.engine.kind, engine), counters.count_withheld)
        await _open_https(parts, settings)
        conditions.report("https", True)
        bounds = settings.turns
        await _each_tenant(tenants, lambda tenant: turns.claims_of(tenant).end_leases, "leases_not_ended")
        service = TurnService(turns, tenants.get, counters, bounds.max_in_flight, bounds.max_s)
        await _start(parts, rpc.RpcDoor(service, settings.grpc, DRAIN_S))
        conditions.report("grpc", True)
        _in_the_background(
            parts,
            _keep_house(tenants, turns, libraries, bounds.keep_days),
            _notice_removals(tenants, turns, libraries, conditions),
            _keep_embedded(parts, tenants, libraries),
            notifier.watch(),
        )
        conditions.report("store", True)
        await _announce(settings, tenants, notifier)
        await stopping.wait()
        notifier.stopping()
        conditions.report("grpc", False, detail="stopping")
        LOG.info("stopping")
    LOG.info("stopped")


async def _open_https(parts: AsyncExitStack, settings: CoreSettings) -> None:
    from cloud_core.serving import https
    from nearside.tls import server_context

    front, door = https.front_page(settings.name), settings.https
    tls = server_context(door.cert, door.key)
    await parts.enter_async_context(serving(front, door.host, door.port, tls=tls, what="https"))


def _in_the_background(parts: AsyncExitStack, *works: Coroutine[None, None, None]) -> None:
    for work in works:
        parts.callback(asyncio.create_task(work).cancel)


async def _announce(settings: CoreSettings, tenants: Registry, notifier: Notifier) -> None:
    companies = len(await asyncio.to_thread(tenants.ids))
    LOG.info("ready", name=settings.name, tenants=companies)
    notifier.ready(f"serves {companies} companies with the engine {settings.engine.kind}")


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


def _keep_house(
    tenants: Registry, turns: "Turns", libraries: Libraries, keep_days: float
) -> Coroutine[None, None, None]:
    def sweep(tenant: Tenant) -> Callable[[], None]:
        return partial(_sweep, turns.claims_of(tenant), libraries.of(tenant), keep_days)

    return _hourly(tenants, sweep, "housekeeping_failed")


def _sweep(claims: "ClaimStore", library: KnowledgeBase, keep_days: float) -> None:
    claims.sweep(keep_days)
    library.sweep_gaps(keep_days)


def _keep_embedded(parts: AsyncExitStack, tenants: Registry, libraries: Libraries) -> Coroutine[None, None, None]:
    """An upgrade may bring another encoder: its vectors are made beside the turns."""
    stopping = threading.Event()
    parts.callback(stopping.set)

    def embed(tenant: Tenant) -> Callable[[], None]:
        return partial(_catch_up, tenant.id, libraries.of(tenant), stopping)

    return _hourly(tenants, embed, "re_embedding_failed")


def _catch_up(tenant_id: str, library: KnowledgeBase, stopping: threading.Event) -> None:
    def go_on(_done: int) -> None:
        if stopping.is_set():
            raise _Stopping

    state = library.encoder_state()
    if state.is_outdated:
        LOG.info("re_embedding", tenant_id=tenant_id, passages=state.waiting)
    with suppress(_Stopping):
        library.catch_up(go_on)
        if state.is_outdated:
            LOG.info("re_embedded", tenant_id=tenant_id)


class _Stopping(Exception):
    pass


async def _hourly(tenants: Registry, work: Callable[[Tenant], Callable[[], None]], complaint: str) -> None:
    while True:
        try:
            await _each_tenant(tenants, work, complaint)
        except NearsideError as error:
            LOG.error(complaint, error=failure(error))
        await asyncio.sleep(HOUR_S)


async def _each_tenant(tenants: Registry, work: Callable[[Tenant], Callable[[], None]], complaint: str) -> None:
    """`work` hands out what is done to a tenant in a thread. One whose file does not open holds up no other."""
    for tenant_id in await asyncio.to_thread(tenants.ids):
        try:
            await asyncio.to_thread(work(await asyncio.to_thread(tenants.get, tenant_id)))
        except Exception as error:
            LOG.error(complaint, tenant_id=tenant_id, error=failure(error))


async def _notice_removals(tenants: Registry, turns: "Turns", libraries: Libraries, conditions: Conditions) -> None:
    """Of a tenant that was removed nothing stays open; the store's state is one of the conditions."""
    while True:
        try:
            for tenant in await asyncio.to_thread(tenants.retired):
                await asyncio.to_thread(turns.close, tenant)
                await asyncio.to_thread(libraries.close, tenant)
                LOG.info("tenant_closed", tenant_id=tenant.id)
            conditions.report("store", True)
        except NearsideError as error:
            conditions.report("store", False, detail=failure(error))
        await asyncio.sleep(NOTICE_S)


def _stop_signal() -> asyncio.Event:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping
