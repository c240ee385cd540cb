"""The program ends at any step of a write, and the ledger on disk is opened again."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from edge_node.messages import Inbound
from edge_node.storage.store import TenantStore
from nearside.tools import ToolFailure
from tests.edge_node.tools.breaking import Api, Crash, Fuse, booking, call, run
from tests.edge_node.tools.rooms import KEY

pytestmark = pytest.mark.unit

STATUS = {True: {"done"}, False: {"done", "unknown"}}


@pytest.mark.parametrize("error", [Crash, asyncio.CancelledError])
@pytest.mark.parametrize("fate", ["fine", "cut", "lost"])
@pytest.mark.parametrize("asks", [True, False])
async def test_after_a_crash_at_any_step_the_write_happens_at_most_once_and_the_ledger_is_right(
    tmp_path: Path, asks: bool, fate: str, error: type[BaseException]
) -> None:
    at, broken = 0, True
    while broken:
        path, api = tmp_path / f"{at}.db", Api([fate])
        broken = await attempt(path, api, asks, Fuse(at, error))
        assert not await attempt(path, api, asks, Fuse())
        status = await status_in(path)
        assert len(api.effects) <= 1 and status in STATUS[asks], f"broken off at step {at}"
        assert (status == "done") <= (len(api.effects) == 1)
        at += 1
    assert at > 5


async def attempt(path: Path, api: Api, asks: bool, fuse: Fuse) -> bool:
    """One life of the program; whether it was broken off."""
    store = await TenantStore.open(path, KEY)
    accepted = await store.accept(Inbound("api", "default", "t", "m", "c", "yes"), 1.0)
    try:
        with contextlib.suppress(ToolFailure):
            await run(store, api, call(booking(asks=asks)), fuse, accepted.conversation_id)
    except (Crash, asyncio.CancelledError):
        return True
    finally:
        await store.close()
    return False


async def status_in(path: Path) -> str:
    store = await TenantStore.open(path, KEY)
    try:
        (known,) = await store.calls("t_1")
        return known.status
    finally:
        await store.close()


async def test_a_write_that_a_turn_never_came_back_to_goes_to_the_dead_list_with_the_turns_end(tmp_path: Path) -> None:
    """The rule that made it may be gone when the turn is repeated."""
    store = await TenantStore.open(tmp_path / "edge.db", KEY)
    accepted = await store.accept(Inbound("api", "default", "t", "m", "c", "yes"), 1.0)
    made = call(booking(asks=True), turn_id=accepted.turn_id)
    with pytest.raises(Crash):
        await run(store, Api(), made, Fuse(2), accepted.conversation_id)
    assert await store.dead(10) == []
    await store.drop(accepted.turn_id, "test", 2.0)
    assert [(item.kind, item.tool) for item in await store.dead(10)] == [("call", "book")]
    await store.close()
