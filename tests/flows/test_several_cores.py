"""Three cores on one PostgreSQL, one of them killed under load: nothing is lost, no turn is answered twice."""

import asyncio
import json
import random
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from cloud_core.settings import load, render
from cloud_core.turns.claims import open_claims
from nearside.v1 import turn_pb2
from tests import servers
from tests.cloud_core import stage
from tests.cloud_core.stage import Core
from tests.cloud_core.stage_postgres import settings_on, tenants_on
from tests.cloud_core.test_cli import fine
from tests.cloud_core.turns import answerer
from tests.postgres import Database, PostgresServer
from tests.postgres import postgres_server as running_postgres

pytestmark = pytest.mark.server
TURNS = [f"t-{number}" for number in range(150)]
LEASE_S = 1.0


class Cores:
    def __init__(self, config: Path) -> None:
        self._config, self._log = config, config.with_name("said.log")
        self.all: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", answerer.__name__, str(self._config), str(LEASE_S), *TURNS]
        with self._log.open("ab") as log:
            self.all.append(subprocess.Popen(command, stdout=log, cwd=servers.ROOT))
        return self.all[-1]

    def said(self, word: str) -> list[list[str]]:
        lines = self._log.read_text().splitlines(keepends=True) if self._log.exists() else []
        return [line.split()[1:] for line in lines if line.endswith("\n") and line.startswith(f"{word} ")]


@contextmanager
def cores_with(config: Path) -> Iterator[Cores]:
    cores = Cores(config)
    try:
        yield cores
    finally:
        for core in cores.all:
            core.kill()
            core.wait()


def test_one_of_three_cores_is_killed_under_load(tmp_path: Path) -> None:
    with running_postgres("fsync=on", "synchronous_commit=on") as server:
        given = server.make_database()
        settings = settings_on(given, tmp_path)
        (tmp_path / "core.toml").write_text(render(settings), encoding="utf-8")
        tenant = tenants_on(given, tmp_path).add("demo", "Demo")
        with cores_with(tmp_path / "core.toml") as cores:
            first, *others = (cores.start() for _ in range(3))
            servers.wait_until(lambda: len(cores.said("final")) > 60, "they are under load", 60)
            first.kill()
            begun_then = len(cores.said("began"))
            assert begun_then < len(TURNS), "all was done before the kill"
            assert [core.wait(100) for core in others] == [0, 0]
            finals = defaultdict(set)
            for turn_id, text in cores.said("final"):
                finals[turn_id].add(text)
        claims = open_claims(tenant)
        kept = {turn_id: json.loads(claims.take(turn_id).answer)["text"].replace(" ", "_") for turn_id in TURNS}
    assert finals == {turn_id: {text} for turn_id, text in kept.items()}


@pytest.fixture
def three(postgres_server: PostgresServer, tmp_path: Path) -> list[Core]:
    """Three cores with one set of certificates and keys, and a company that knows how long things may be returned."""
    given = postgres_server.make_database()
    first = core_on(given, tmp_path / "core-0")
    others = [core_on(given, tmp_path / f"core-{number}", like=first) for number in (1, 2)]
    fine("tenant", "add", "demo", "--name", "Demo", "-c", first.config)
    (tmp_path / "returns.md").write_text("# Returns\n\nYou may return a tent within 45 days of delivery.\n")
    fine("kb", "add", tmp_path / "returns.md", "--tenant", "demo", "-c", others[0].config)
    fine("kb", "publish", "--tenant", "demo", "-c", others[0].config)
    return [first, *others]


def core_on(given: Database, folder: Path, like: Core | None = None) -> Core:
    made = stage.make_core(folder, tenants=())
    if like is not None:
        shutil.copytree(like.folder / "certs", folder / "certs", dirs_exist_ok=True)
    changed = made.settings.model_copy(update={"database": settings_on(given, folder).database})
    made.config.write_text(render(changed), encoding="utf-8")
    return Core(folder, load(made.config))


async def ask(core: Core, turn_id: str) -> turn_pb2.Final:
    async with stage.calling(core) as call:
        await call.write(stage.start("How long may I return a tent?", turn_id))
        await call.done_writing()
        async for response in call:
            if response.WhichOneof("event") == "final":
                return response.final
    raise AssertionError("no final")


async def ask_anyone(cores: list[Core], turn_id: str, places: asyncio.Semaphore) -> turn_pb2.Final:
    """As an edge would: again, at whichever core, until there is an answer."""
    async with places:
        while True:
            try:
                return await ask(random.choice(cores), turn_id)
            except grpc.aio.AioRpcError as error:
                assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED), error.details()
                await asyncio.sleep(0.05)


async def under_load(cores: list[Core], dying: subprocess.Popen[bytes]) -> dict[str, turn_pb2.Final]:
    places = asyncio.Semaphore(8)
    asking = {turn_id: asyncio.create_task(ask_anyone(cores, turn_id, places)) for turn_id in TURNS}
    some = list(asking.values())[:40]
    await asyncio.gather(*some)
    dying.kill()
    return dict(zip(asking, await asyncio.gather(*asking.values()), strict=True))


def test_of_three_served_cores_one_is_killed_and_each_turn_has_one_answer(three: list[Core]) -> None:
    """The seconds that it took are part of an answer: one that was made again would have others."""
    with stage.serving(three[1]), stage.serving(three[2]):
        with stage.serving(three[0]) as dying:
            finals = asyncio.run(under_load(three, dying))
        assert all("45 days" in final.text for final in finals.values())
        assert {final.knowledge_version for final in finals.values()} == {"1"}
        for turn_id in TURNS[::10]:
            again = asyncio.run(ask(three[2], turn_id))
            assert (again.text, again.timing) == (finals[turn_id].text, finals[turn_id].timing)


def test_a_published_version_is_found_by_every_core_at_once(three: list[Core], tmp_path: Path) -> None:
    with stage.serving(three[0]), stage.serving(three[1]):
        assert "45 days" in asyncio.run(ask(three[0], "t-before")).text
        (tmp_path / "returns.md").write_text("# Returns\n\nYou may return a tent within 60 days of delivery.\n")
        fine("kb", "add", tmp_path / "returns.md", "--tenant", "demo", "-c", three[2].config)
        assert "45 days" in asyncio.run(ask(three[1], "t-draft")).text
        fine("kb", "publish", "--tenant", "demo", "-c", three[2].config)
        for core in three[:2]:
            final = asyncio.run(ask(core, f"t-{core.folder.name}"))
            assert ("60 days" in final.text, final.knowledge_version) == (True, "2")


def test_a_core_whose_database_is_away_is_not_ready_and_comes_back(tmp_path: Path) -> None:
    with running_postgres() as server:
        core = core_on(server.make_database(), tmp_path / "core")
        fine("tenant", "add", "demo", "--name", "Demo", "-c", core.config)
        with stage.serving(core):
            server.kill()
            servers.wait_until(lambda: not core.is_ready(), "the core says so")
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                asyncio.run(ask(core, "t-1"))
            assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
            server.start()
            servers.wait_until(core.is_ready, "the core is ready again")
            assert asyncio.run(ask(core, "t-1")).text
