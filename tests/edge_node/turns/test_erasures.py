"""Turns of forgotten customers, brought to the core."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from edge_node.turns import erasures
from edge_node.turns.erasures import BATCH, Erasures
from nearside.errors import StorageError, UplinkError
from nearside.origins import Reason
from tests.edge_node.stage import until

pytestmark = pytest.mark.unit


class KeptList:
    """A store's list of erasures; `fails` once raises, as a full disk does."""

    def __init__(self, *turn_ids: str) -> None:
        self.left = list(turn_ids)
        self.fails: list[Exception] = []

    async def erasures(self, limit: int) -> list[str]:
        return self.left[:limit]

    async def erased(self, turn_ids: Sequence[str]) -> None:
        if self.fails:
            raise self.fails.pop()
        self.left = [turn_id for turn_id in self.left if turn_id not in turn_ids]


class Core:
    def __init__(self) -> None:
        self.up = True
        self.refuses: set[str] = set()
        self.told: list[tuple[str, list[str]]] = []

    async def is_up(self) -> bool:
        return self.up

    async def forget(self, tenant_id: str, turn_ids: Sequence[str]) -> None:
        if not self.up:
            raise UplinkError(Reason.CORE_UNREACHABLE, "away")
        if tenant_id in self.refuses:
            raise UplinkError(Reason.CORE_REFUSED, "no such tenant")
        self.told.append((tenant_id, list(turn_ids)))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasures, "EVERY_S", 0.01)
    monkeypatch.setattr(erasures, "LONGEST_WAIT_S", 0.02)


@asynccontextmanager
async def bringing(core: Core, **stores: KeptList) -> AsyncIterator[None]:
    task = asyncio.create_task(Erasures(stores, core).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_all_are_brought_in_batches_and_kept_no_longer() -> None:
    store, core = KeptList(*(f"t{number:04}" for number in range(2 * BATCH + 1))), Core()
    assert await Erasures({"demo": store}, core).bring("demo") == 2 * BATCH + 1
    assert [len(turn_ids) for _, turn_ids in core.told] == [BATCH, BATCH, 1]
    assert store.left == []


async def test_while_the_core_is_away_they_are_kept_and_nobody_complains(caplog: pytest.LogCaptureFixture) -> None:
    store, core = KeptList("t1"), Core()
    core.up = False
    async with bringing(core, demo=store):
        await asyncio.sleep(0.1)
        assert store.left == ["t1"]
        core.up = True
        await until(lambda: store.left == [])
    assert core.told == [("demo", ["t1"])]
    assert "erasure_failed" not in caplog.text


async def test_what_the_core_did_but_the_store_did_not_note_is_sent_again() -> None:
    store, core = KeptList("t1"), Core()
    store.fails.append(StorageError("full"))
    async with bringing(core, demo=store):
        await until(lambda: store.left == [])
    assert core.told == [("demo", ["t1"])] * 2


async def test_a_tenant_that_is_refused_holds_up_no_other() -> None:
    refused, fine, core = KeptList("t1"), KeptList("t1"), Core()
    core.refuses.add("acme")
    async with bringing(core, acme=refused, demo=fine):
        await until(lambda: fine.left == [])
        assert refused.left == ["t1"]
        core.refuses.clear()
        await until(lambda: refused.left == [])
    assert core.told == [("demo", ["t1"]), ("acme", ["t1"])]


async def test_an_error_nobody_foresaw_does_not_end_the_task() -> None:
    store, core = KeptList("t1"), Core()
    store.fails.append(ValueError("odd"))
    async with bringing(core, demo=store):
        await until(lambda: store.left == [])


async def test_what_comes_later_is_brought_too() -> None:
    store, core = KeptList(), Core()
    async with bringing(core, demo=store):
        await asyncio.sleep(0.05)
        store.left.append("t9")
        await until(lambda: store.left == [])
    assert core.told == [("demo", ["t9"])]
