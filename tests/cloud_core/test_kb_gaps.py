"""`cloud-core kb gaps`, and what becomes of a gap when its customer is forgotten."""

import csv
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing, closing
from pathlib import Path

import pytest

from cloud_core.app import open_store, open_tenants
from cloud_core.knowledge.base import KnowledgeBase
from cloud_core.messages import Finished, Outcome, Question
from cloud_core.settings import load
from cloud_core.turns.runner import Turns
from nearside.encoder import TextEncoder
from tests.cloud_core.stage import ScriptedEngine
from tests.cloud_core.test_kb_commands import docs, kb, told  # noqa: F401  the fixtures

pytestmark = pytest.mark.server
NOTHING = Finished(Outcome.NO_EVIDENCE, 0.0)


@pytest.fixture
def base(kb: Callable[..., str], tmp_path: Path) -> Iterator[KnowledgeBase]:  # noqa: F811
    """As the core has it open."""
    tenant = open_tenants(load(tmp_path / "core" / "core.toml")).get("demo")
    with closing(KnowledgeBase(open_store(tenant), TextEncoder())) as base:
        yield base


def test_gaps_are_listed_exported_and_cleared(kb: Callable[..., str], base: KnowledgeBase, tmp_path: Path) -> None:  # noqa: F811
    assert kb("gaps") == "no question without an answer was noted\n"
    base.note_gap("t1", "=1+1 Do you ship to Iceland?", "en")
    base.note_gap("t2", "可以用支付宝付款吗", "zh")
    base.note_gap("t3", "Do you deliver to Iceland?", "en")
    rows = told(kb("gaps", "--json"))
    assert [(row["count"], row["lang"]) for row in rows] == [(2, "en"), (1, "zh")]
    assert "Iceland" in kb("gaps", "--export", tmp_path / "todo.csv")
    with (tmp_path / "todo.csv").open(encoding="utf-8-sig", newline="") as file:
        [head, first, second] = csv.reader(file)
    assert head[:2] == ["asked", "question"]
    assert (first[0], second[1]) == ("2", "可以用支付宝付款吗")
    assert "'=1+1 Do you ship to Iceland?" in first
    assert "forgotten: 3" in kb("gaps", "--clear")
    assert base.gaps() == []
    assert "cannot be written" in kb("gaps", "--export", tmp_path / "none" / "todo.csv", code=1)


def test_old_gaps_are_swept(base: KnowledgeBase) -> None:
    base.note_gap("t1", "Do you ship to Iceland?", "en")
    base.sweep_gaps(older_than_days=1)
    assert len(base.gaps()) == 1
    base.sweep_gaps(older_than_days=-1)
    assert base.gaps() == []


async def test_a_gap_of_a_turn_goes_with_the_turn(kb: Callable[..., str], base: KnowledgeBase, tmp_path: Path) -> None:  # noqa: F811
    tenant, engine = open_tenants(load(tmp_path / "core" / "core.toml")).get("demo"), ScriptedEngine(NOTHING)
    turns = Turns(lambda _tenant: base, lambda _tenant: ("scripted", engine))
    async with aclosing(turns.run(tenant, "t1", Question("Any kayaks?", "en"), time.monotonic() + 20)) as events:
        assert len([event async for event in events]) == 1
    assert [row["example"] for row in told(kb("gaps", "--json"))] == ["Any kayaks?"]
    assert await turns.forget(tenant, ["t1"]) == 1
    assert base.gaps() == []
    turns.close(tenant)
