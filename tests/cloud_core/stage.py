"""A core of its own for each test: folder, certificates, ports, and clients that come in as an edge would."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import grpc
import httpx2
from prometheus_client import CollectorRegistry

from cloud_core import settings as core_settings
from cloud_core.app import open_tenants
from cloud_core.engines.base import EngineRequest, Term
from cloud_core.fleet.authority import issue_edge, load_ca, make_certificates
from cloud_core.messages import (
    Citation,
    EngineEvent,
    Finished,
    HistoryItem,
    Lang,
    Outcome,
    Passage,
    Sentence,
)
from cloud_core.serving.converse import TurnService
from cloud_core.serving.metrics import TurnMetrics
from cloud_core.serving.rpc import RpcDoor
from cloud_core.settings import CoreSettings
from cloud_core.turns.runner import Turns
from nearside.sealing import make_node_key
from nearside.tls import LocalCa
from nearside.v1 import turn_pb2, turn_pb2_grpc
from tests import servers

ROOM = "returns.en.md#1"
PASSAGE = Passage(
    passage_id=ROOM,
    document_id="returns.en.md",
    title="Returns",
    uri="returns.en.md",
    heading="How long",
    text="You may return it within 30 days.\nReturns cost $5.\nWrite to help@shop.example.",
    lang="en",
)
Call = grpc.aio.StreamStreamCall[turn_pb2.ConverseRequest, turn_pb2.ConverseResponse]
CORE = str(servers.PROGRAMS / "cloud-core")


@dataclass(frozen=True, slots=True)
class Core:
    folder: Path
    settings: CoreSettings

    @property
    def config(self) -> Path:
        return self.folder / "core.toml"

    def credentials(
        self, edge: str = "edge-one", tenants: Sequence[str] = ("demo",), ca: LocalCa | None = None
    ) -> grpc.ChannelCredentials:
        leaf = issue_edge(ca or load_ca(self.settings), edge, tenants)
        return grpc.ssl_channel_credentials(self.settings.grpc.ca.read_bytes(), leaf.key, leaf.cert)

    def tls_client(self, newest: ssl.TLSVersion) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.settings.grpc.ca))
        context.maximum_version = newest
        return context

    def admin(self, path: str) -> httpx2.Response:
        return httpx2.get(f"http://127.0.0.1:{self.settings.admin.port}{path}", trust_env=False)

    def is_ready(self) -> bool:
        try:
            return self.admin("/readyz").status_code == 200
        except httpx2.HTTPError:
            return False


def make_core(folder: Path, *, nats: str = "off", nats_url: str = "", tenants: Sequence[str] = ("demo",)) -> Core:
    https, rpc, admin, broker = servers.free_ports(4)
    plain = CoreSettings.model_validate(
        {
            "https": {"port": https},
            "grpc": {"port": rpc},
            "admin": {"port": admin},
            "nats": {"port": broker, "mode": nats, "url": nats_url},
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "core.toml").write_text(core_settings.render(plain), encoding="utf-8")
    settings = core_settings.load(folder / "core.toml")
    make_certificates(settings, ())
    make_node_key(settings.node_key, settings.data)
    registry = open_tenants(settings)
    for tenant in tenants:
        registry.add(tenant, tenant.title())
    return Core(folder, settings)


@contextmanager
def serving(core: Core, log: Path | None = None) -> Iterator[Popen[bytes]]:
    log = log or core.folder / "core.log"
    with servers.program([CORE, "serve", "--config", str(core.config)], log) as process:
        servers.wait_until(lambda: core.is_ready() or process.poll() is not None, "the core is ready", 30.0)
        assert process.poll() is None, log.read_text()
        yield process


@asynccontextmanager
async def calling(core: Core, credentials: grpc.ChannelCredentials | None = None) -> AsyncIterator[Call]:
    address = f"127.0.0.1:{core.settings.grpc.port}"
    async with grpc.aio.secure_channel(address, credentials or core.credentials()) as channel:
        call: Call = turn_pb2_grpc.TurnServiceStub(channel).Converse(timeout=30)
        yield call
        call.cancel()


def start(
    text: str = "How long may I return it?", turn_id: str = "t-1", tenant: str = "demo", lang: str = "en"
) -> turn_pb2.ConverseRequest:
    return turn_pb2.ConverseRequest(
        tenant_id=tenant, turn_id=turn_id, start=turn_pb2.TurnStart(text=text, language=lang)
    )


def sentence(text: str, quote: str = "You may return it within 30 days.") -> Sentence:
    passage = PASSAGE
    citation = Citation(passage.document_id, passage.passage_id, passage.title, passage.uri, quote)
    return Sentence(text, (citation,) if quote else ())


GOOD = sentence("You may return it within 30 days.")
GROUNDED = Finished(Outcome.GROUNDED, 0.9)


@dataclass(frozen=True, slots=True)
class Found:
    version: str = "7"
    passages: tuple[Passage, ...] = (PASSAGE,)
    terms: tuple[Term, ...] = ()


class FixedLibrary:
    def look_up(self, text: str, lang: Lang, limit: int, history: Sequence[HistoryItem]) -> Found:
        return Found()

    def note_gap(self, turn_id: str, text: str, lang: Lang) -> None:
        """Nobody reads it here."""

    def forget_gaps(self, turn_ids: Sequence[str]) -> None:
        """There are none."""


class ScriptedEngine:
    """Plays its script at every call; a step may be an error to raise, or an event to wait for."""

    def __init__(self, *script: EngineEvent | Exception | asyncio.Event) -> None:
        self.script, self.calls = script, 0
        self.started, self.ended = asyncio.Event(), asyncio.Event()

    async def stream(self, request: EngineRequest) -> AsyncIterator[EngineEvent]:
        self.calls += 1
        self.started.set()
        try:
            for step in self.script:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, asyncio.Event):
                    await step.wait()
                else:
                    yield step
        finally:
            self.ended.set()


def turns_with(
    engine: ScriptedEngine, withheld: Callable[[str], None] = lambda kind: None, library: FixedLibrary | None = None
) -> Turns:
    return Turns(lambda _tenant: library or FixedLibrary(), lambda _tenant: ("scripted", engine), withheld)


@asynccontextmanager
async def answering(core: Core, engine: ScriptedEngine, *, max_in_flight: int = 8) -> AsyncIterator[TurnMetrics]:
    """The gRPC door of this core in this process, with a scripted engine behind it."""
    metrics = TurnMetrics(CollectorRegistry())
    service = TurnService(
        turns_with(engine, metrics.count_withheld), open_tenants(core.settings).get, metrics, max_in_flight, 20.0
    )
    door = RpcDoor(service, core.settings.grpc, drain_s=5.0)
    await door.start()
    try:
        yield metrics
    finally:
        await door.stop()
