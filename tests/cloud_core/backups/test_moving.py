"""A core's companies move from files into PostgreSQL."""

import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from cloud_core.app import EXPORTED, ROOMS, open_store, open_tenants
from cloud_core.backups import moving
from cloud_core.backups.fetching import in_a_file
from cloud_core.knowledge.base import KnowledgeBase
from cloud_core.knowledge.stores.base import Gap
from cloud_core.settings import Database as DatabaseSettings
from cloud_core.settings import load, render
from cloud_core.tenants import Tenant
from cloud_core.tenants.export import export
from cloud_core.tenants.postgres import PostgresTenants
from cloud_core.turns.claims import Claim, open_claims
from nearside.encoder import TextEncoder
from nearside.errors import NearsideError
from tests import servers
from tests.cloud_core.stage import Core, make_core
from tests.cloud_core.stage_postgres import tenants_on
from tests.cloud_core.test_cli import cli, failing, fine
from tests.postgres import Database

pytestmark = pytest.mark.server
QUESTIONS = ("How heavy is the Skua 3 tent?", "退货怎么办", "opening hours", "帐篷多重", "shipping to Norway")


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, encoder: TextEncoder) -> Core:
    """Two published versions, something in the draft, a turn that was answered, one forgotten, a gap."""
    made = make_core(tmp_path_factory.mktemp("moving") / "core")
    tenant = open_tenants(made.settings).get("demo")
    base = KnowledgeBase(open_store(tenant), encoder)
    base.add(servers.ROOT / "demo" / "documents")
    base.publish("first")
    base.remove(base.documents()[0].document_id)
    base.publish("second")
    base.remove(base.documents()[0].document_id)
    base.close()
    with closing(open_store(tenant)) as store:
        store.note_gap(Gap("t-9", "marker-gap", "en", "2026-01-01"))
    with closing(open_claims(tenant)) as claims:
        claims.answer("t-1", claims.take("t-1").holder, '{"text": "answer"}')
        claims.erase(["t-2"])
    return made


@pytest.fixture
def core(made: Core, tmp_path: Path) -> Core:
    """A copy of it."""
    shutil.copytree(made.folder, tmp_path / "core")
    return Core(tmp_path / "core", load(tmp_path / "core" / "core.toml"))


@pytest.fixture
def target(core: Core, postgres: Database) -> Iterator[PostgresTenants]:
    """With the same node key."""
    folder = core.folder / "target"
    folder.mkdir()
    (folder / "node.key").write_bytes(core.settings.node_key.read_bytes())
    (folder / "node.key").chmod(0o600)
    opened = tenants_on(postgres, folder, as_owner=True)
    yield opened
    opened.close()


def moved(core: Core, target: PostgresTenants) -> tuple[Tenant, Tenant]:
    tenant = open_tenants(core.settings).get("demo")
    adopted = target.adopt(tenant)
    assert adopted.database is not None
    moving.move(tenant, adopted.database)
    return tenant, adopted


def test_everything_is_there_and_found_as_before(core: Core, target: PostgresTenants, encoder: TextEncoder) -> None:
    tenant, adopted = moved(core, target)
    assert adopted.is_the_same_as(tenant)
    with closing(open_store(tenant)) as here, closing(open_store(adopted)) as there:
        for draft in (False, True):
            assert here.documents(draft=draft) == there.documents(draft=draft)
        assert (here.versions(), here.changes(), here.gaps()) == (there.versions(), there.changes(), there.gaps())
        assert (here.version(), here.encoder()) == (there.version(), there.encoder())
        bases = [KnowledgeBase(store, encoder) for store in (here, there)]
        for question in (*QUESTIONS, *moving.sample(here)):
            first, second = (base.look_up(question, "en", 8) for base in bases)
            assert [passage.passage_id for passage in first.passages] == [one.passage_id for one in second.passages]
            scores, others = ([passage.score for passage in evidence.passages] for evidence in (first, second))
            assert np.allclose(scores, others, atol=1e-4)
            assert first.terms == second.terms
    claims = open_claims(adopted)
    assert claims.take("t-1") == Claim(answer='{"text": "answer"}')
    assert claims.take("t-2") == Claim(forgotten=True)


def test_what_was_moved_goes_on_as_a_knowledge_base(core: Core, target: PostgresTenants, encoder: TextEncoder) -> None:
    _, adopted = moved(core, target)
    base = KnowledgeBase(open_store(adopted), encoder)
    (core.folder / "new.md").write_text("# Balloons\n\nA marker-balloon costs 12 euros.\n")
    base.add(core.folder / "new.md")
    assert base.publish() == "3"
    assert base.search("marker-balloon", "en")[0].document_id == "new.md"
    assert base.rollback(1) == "4"
    base.close()


@pytest.mark.parametrize("step", ["copy", "copy_vectors", "copy_turns", "finish", "compare"])
def test_one_that_was_interrupted_is_invisible_until_a_repeat_has_ended_it(
    core: Core, target: PostgresTenants, encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(moving._Moving, step, die)
        with pytest.raises(KeyboardInterrupt):
            moved(core, target)
    adopted = target.get("demo")
    with closing(open_store(adopted)) as there:
        assert there.version() == ("2" if step == "compare" else "0")
    moved(core, target)
    with closing(open_store(adopted)) as there:
        assert there.version() == "2"


def test_half_a_table_is_gone_on_with_and_what_changed_in_the_file_is_taken_over(
    core: Core, target: PostgresTenants, encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant, adopted = moved(core, target)
    base = KnowledgeBase(open_store(tenant), encoder)
    base.discard()
    (core.folder / "new.md").write_text("# Balloons\n\nA marker-balloon costs 12 euros.\n")
    base.add(core.folder / "new.md")
    base.publish()
    base.close()
    assert adopted.database is not None
    with adopted.database.transaction() as connection:
        connection.execute("DELETE FROM vectors WHERE number > (SELECT max(number) / 2 FROM vectors)")
        connection.execute("DELETE FROM passages WHERE number > (SELECT max(number) / 2 FROM passages)")
    _, adopted = moved(core, target)
    with closing(open_store(tenant)) as here, closing(open_store(adopted)) as there:
        assert here.documents() == there.documents()
        assert moving.agreeing(KnowledgeBase(here, encoder), KnowledgeBase(there, encoder), moving.sample(here)) == 20


def test_another_company_of_that_id_is_not_touched(core: Core, target: PostgresTenants) -> None:
    target.add("demo", "Somebody else")
    with pytest.raises(NearsideError, match="there already"):
        moved(core, target)


def test_the_command_moves_a_core_and_says_so(core: Core, postgres: Database) -> None:
    to = ["--to", postgres.owner_url, "--password-file", str(postgres.password_file)]
    rows = json.loads(fine("kb", "migrate", *to, "-c", core.config, "--json"))
    assert [(row["tenant"], row["searches"], row["turns"]) for row in rows] == [("demo", "20 of 20", 2)]
    again = cli("kb", "migrate", *to, "-c", core.config)
    assert again.returncode == 0 and "now set database.url" in again.stdout
    settings = core.settings.model_copy(
        update={"database": DatabaseSettings(url=postgres.owner_url, password_file=postgres.password_file)}
    )
    core.config.write_text(render(settings), encoding="utf-8")
    assert json.loads(fine("kb", "search", "Skua 3 weight", "--tenant", "demo", "--json", "-c", core.config))
    assert "on PostgreSQL already" in failing("kb", "migrate", *to, "-c", core.config)


def test_a_company_that_leaves_gets_the_same_from_postgresql_as_from_its_file(
    core: Core, target: PostgresTenants, tmp_path: Path
) -> None:
    tenant, adopted = moved(core, target)
    export(tenant, EXPORTED, tmp_path / "file.zip", force=False)
    with in_a_file(adopted, ROOMS, tmp_path) as readable:
        export(readable, EXPORTED, tmp_path / "postgres.zip", force=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["core", "file.zip", "postgres.zip"]
    with zipfile.ZipFile(tmp_path / "file.zip") as first, zipfile.ZipFile(tmp_path / "postgres.zip") as second:
        names = [name for name in first.namelist() if name != "manifest.json"]
        assert names and second.namelist() == first.namelist()
        assert [first.read(name) for name in names] == [second.read(name) for name in names]
