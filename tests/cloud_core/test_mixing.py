"""Two tenants with the same turn ids, documents and questions, through every entry point: nothing crosses."""

import asyncio
import contextlib
import io
import json
import tarfile
import zipfile
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from cloud_core.app import EXPORTED, Libraries, open_tenants
from cloud_core.backups.writing import backup
from cloud_core.engines import make_engine
from cloud_core.serving.converse import TurnService
from cloud_core.serving.metrics import TurnMetrics
from cloud_core.serving.rpc import RpcDoor
from cloud_core.tenants import Registry
from cloud_core.tenants.export import export
from cloud_core.turns.runner import Turns
from nearside.archive.sealed import Header, SealedReader
from nearside.database import Connection, open_database
from nearside.encoder import TextEncoder
from nearside.errors import StorageError
from nearside.sealing import RecoveryKey, recovery_file
from nearside.v1 import turn_pb2, turn_pb2_grpc
from tests.cloud_core import stage

pytestmark = pytest.mark.server
QUESTION = "Within how many days may I return the tent?"
MARKERS = {"amber": "Amberlake", "birch": "Birchfield"}
TURNS = st.sampled_from(["t1", "t2", "t3"])
TENANTS = st.sampled_from(sorted(MARKERS))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), TENANTS, TURNS),
        st.tuples(st.just("ask across"), TENANTS, TURNS),
        st.tuples(st.just("forget"), TENANTS, TURNS),
        st.tuples(st.just("forget across"), TENANTS, TURNS),
        st.tuples(st.just("add"), TENANTS, st.just("")),
        st.tuples(st.just("remove"), TENANTS, st.just("")),
        st.tuples(st.just("search"), TENANTS, st.just("")),
        st.tuples(st.just("export"), TENANTS, st.just("")),
    ),
    max_size=25,
)


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder()


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_nothing_of_one_tenant_is_ever_seen_of_the_other(
    encoder: TextEncoder, steps: Sequence[tuple[str, str, str]]
) -> None:
    printed = io.StringIO()
    with TemporaryDirectory() as folder, contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        asyncio.run(play(Path(folder), encoder, steps))
    assert not any(marker in printed.getvalue() for marker in (*MARKERS.values(), QUESTION))


async def play(folder: Path, encoder: TextEncoder, steps: Sequence[tuple[str, str, str]]) -> None:
    async with opened(folder, encoder) as scene:
        for kind, tenant, turn in [("add", name, "") for name in MARKERS] + list(steps):
            await scene.step(kind, tenant, turn)
        scene.look_into_files()
        scene.look_into_backup()
        metrics = generate_latest(scene.registry).decode()
        assert not any(word in metrics for word in (*MARKERS, *MARKERS.values(), QUESTION, "t1"))


@dataclass(slots=True)
class Scene:
    core: stage.Core
    tenants: Registry
    libraries: Libraries
    registry: CollectorRegistry
    stubs: dict[str, "turn_pb2_grpc.TurnServiceAsyncStub"]
    known: dict[tuple[str, str], str] = field(default_factory=dict)
    documents: dict[str, bool] = field(default_factory=dict)

    async def step(self, kind: str, tenant: str, turn: str) -> None:
        other = other_than(tenant)
        match kind:
            case "ask":
                await self.ask(tenant, turn)
            case "forget":
                await self.stubs[tenant].Forget(turn_pb2.ForgetRequest(tenant_id=tenant, turn_ids=[turn]))
                self.known[tenant, turn] = "forgotten"
            case "ask across":
                assert await refusal(self.converse(tenant, other, turn)) == grpc.StatusCode.PERMISSION_DENIED
            case "forget across":
                request = turn_pb2.ForgetRequest(tenant_id=other, turn_ids=[turn])
                assert await refusal(self.stubs[tenant].Forget(request)) == grpc.StatusCode.PERMISSION_DENIED
            case "export":
                self.look_into_export(tenant)
            case _:
                await asyncio.to_thread(self.use_knowledge, kind, tenant)

    async def ask(self, tenant: str, turn: str) -> None:
        before = self.known.get((tenant, turn))
        if before == "forgotten":
            assert await refusal(self.converse(tenant, tenant, turn)) == grpc.StatusCode.FAILED_PRECONDITION
            return
        text = await self.converse(tenant, tenant, turn)
        assert MARKERS[other_than(tenant)] not in text
        assert (MARKERS[tenant] in text) == self.documents[tenant] if before is None else text == before
        self.known[tenant, turn] = text

    async def converse(self, edge: str, tenant: str, turn: str) -> str:
        """Every word that came down the stream, but of the last answer only its own."""
        call: stage.Call = self.stubs[edge].Converse(timeout=30)
        await call.write(stage.start(QUESTION, turn, tenant))
        *before, last = [response async for response in call]
        assert MARKERS[other_than(tenant)] not in str(before) + str(last)
        return last.final.text

    def use_knowledge(self, kind: str, tenant: str) -> None:
        base = self.libraries.of(self.tenants.get(tenant))
        if kind == "add":
            file = self.core.folder / tenant / "returns.md"
            file.parent.mkdir(exist_ok=True)
            file.write_text(f"# Returns\n\nYou may return the tent of {MARKERS[tenant]} within 45 days.\n")
            base.add(file)
            base.publish()
        elif kind == "remove":
            base.remove("returns.md")
            base.publish()
        else:
            found = [passage.text for passage in base.search(QUESTION, "en")]
            assert bool(found) == self.documents[tenant]
            assert all(MARKERS[tenant] in text for text in found)
        self.documents[tenant] = kind == "add" or (kind == "search" and self.documents[tenant])

    def look_into_export(self, tenant: str) -> None:
        target = self.core.folder / "export.zip"
        export(self.tenants.get(tenant), EXPORTED, target, force=True)
        with zipfile.ZipFile(target) as bundle:
            content = b"".join(bundle.read(name) for name in bundle.namelist()).decode()
            turns = [json.loads(line) for line in bundle.read("turns.jsonl").splitlines()]
        assert MARKERS[other_than(tenant)] not in content and other_than(tenant) not in content
        states = {turn: "forgotten" if text == "forgotten" else "answered" for turn, text in self.of(tenant).items()}
        assert {row["turn_id"]: row["state"] for row in turns} == states

    def of(self, tenant: str) -> dict[str, str]:
        return {turn: text for (owner, turn), text in self.known.items() if owner == tenant}

    def look_into_files(self) -> None:
        for tenant in MARKERS:
            folder = self.core.settings.data / "tenants" / tenant
            raw = b"".join(file.read_bytes() for file in folder.iterdir())
            assert not any(marker.encode() in raw for marker in MARKERS.values())
            with closing(self.tenants.get(tenant).connect(read_only=True)) as connection:
                assert MARKERS[other_than(tenant)] not in everything_in(connection)
            with pytest.raises(StorageError):
                open_database(folder / "core.db", self.tenants.get(other_than(tenant))._key)

    def look_into_backup(self) -> None:
        key, target = RecoveryKey.make(), self.core.folder / "core.backup"
        key.public.write(recovery_file(self.core.settings.node_key))
        backup(self.core.settings, "", target, force=True)
        with target.open("rb") as file:
            inside = SealedReader(file, Header.read(file), key).read(1 << 30)
        assert not any(marker.encode() in inside for marker in MARKERS.values())
        with tarfile.open(fileobj=io.BytesIO(inside)) as tar:
            for tenant in MARKERS:
                copy = self.core.folder / f"{tenant}.db"
                member = tar.extractfile(f"data/tenants/{tenant}/core.db")
                assert member
                copy.write_bytes(member.read())
                with closing(open_database(copy, self.tenants.get(tenant)._key)) as connection:
                    assert MARKERS[other_than(tenant)] not in everything_in(connection)


@asynccontextmanager
async def opened(folder: Path, encoder: TextEncoder) -> AsyncIterator[Scene]:
    """A core's door with its own engine and knowledge bases, and an edge for each tenant."""
    core, registry, libraries = stage.make_core(folder, tenants=tuple(MARKERS)), CollectorRegistry(), Libraries(encoder)
    tenants, engine = open_tenants(core.settings), make_engine("extractive", {}, encoder)
    metrics = TurnMetrics(registry)
    turns = Turns(libraries.of, lambda _tenant: ("extractive", engine), metrics.count_withheld)
    door = RpcDoor(TurnService(turns, tenants.get, metrics, 8, 20.0), core.settings.grpc, drain_s=5.0)
    await door.start()
    address = f"127.0.0.1:{core.settings.grpc.port}"
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(door.stop)
        stubs = {}
        for name in MARKERS:
            credentials = core.credentials(f"edge-of-{name}", (name,))
            channel = await stack.enter_async_context(grpc.aio.secure_channel(address, credentials))
            stubs[name] = turn_pb2_grpc.TurnServiceStub(channel)
        yield Scene(core, tenants, libraries, registry, stubs)
    for tenant in tenants.all():
        turns.close(tenant)
        libraries.close(tenant)


def everything_in(connection: Connection) -> str:
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return str([connection.execute(f"SELECT * FROM {name}").fetchall() for (name,) in names])  # noqa: S608


def other_than(tenant: str) -> str:
    return next(name for name in MARKERS if name != tenant)


async def refusal(call: Awaitable[object]) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return refused.value.code()
