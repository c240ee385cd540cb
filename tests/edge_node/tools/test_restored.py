"""The writes of a turn that a backup brought back: it may have made them since, and nothing at the edge says so."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_node.messages import DeadReason, Inbound, Reply
from edge_node.storage.store import TenantStore
from nearside.content import TenantContent
from nearside.origins import Reason, Source
from nearside.tools import ToolFailure
from tests.edge_node.tools.rooms import KEY, Opened, company, opened
from tests.edge_node.tools.shaky import ShakyShop, shaky_shop

pytestmark = pytest.mark.server

CALL = "cancel-order/cancel_order"
DONE = {"number": "1042", "refund": "479.00"}
PROMISE = Reply("Later.", Source.FALLBACK, Reason.CORE_UNREACHABLE, final=False)


@pytest.fixture
def shop() -> Iterator[ShakyShop]:
    with shaky_shop() as running:
        yield running


async def cancels(room: Opened, turn_id: str) -> Any:
    """The tool's result, or the kind of its failure."""
    try:
        return await room.tools.run("cancel_order", {"order_number": "1042"}, turn_id, CALL, room.conversation_id)
    except ToolFailure as error:
        return error.kind


async def backed_up_and_restored(folder: Path, content: TenantContent, *, made_since: bool) -> None:
    async with opened(folder, content) as room:
        await room.store.snapshot(folder / "copy")
        if made_since:
            assert await cancels(room, room.turn_id) == DONE
    os.replace(folder / "copy", folder / "edge.db")
    TenantStore.mark_restored(folder / "edge.db", (KEY,))


async def settled(room: Opened) -> None:
    assert await room.store.settle_doubtful_turns({"api"}) == 0


async def settled_and_deferred(room: Opened) -> None:
    await settled(room)
    assert await room.store.end(room.turn_id, 0, PROMISE, 2.0, {})


async def parked_and_revived(room: Opened) -> None:
    assert await room.store.settle_doubtful_turns(()) == 1
    assert await room.store.revive(room.turn_id, 2.0)


@pytest.mark.parametrize("taken_up", [settled, settled_and_deferred, parked_and_revived])
@pytest.mark.parametrize(
    ("asks", "made_since", "end", "writes"),
    [
        (True, True, DONE, 1),
        (True, False, DONE, 1),
        (False, True, "outcome_unknown", 1),
        (False, False, "outcome_unknown", 0),
    ],
)
async def test_a_write_of_a_restored_turn_is_asked_for_first_and_never_repeated_unknowingly(
    tmp_path: Path, shop: ShakyShop, taken_up: Any, asks: bool, made_since: bool, end: Any, writes: int
) -> None:
    content = company(tmp_path, shop.url, asks=asks)
    await backed_up_and_restored(tmp_path, content, made_since=made_since)
    for _ in range(2):
        async with opened(tmp_path, content) as room:
            if (await room.store.calls(room.turn_id)) == []:
                await taken_up(room)
            assert await cancels(room, room.turn_id) == end
            assert (shop.writes, len(shop.effects)) == (writes, writes)
            [made] = await room.store.calls(room.turn_id)
            assert made.status == ("unknown" if end != DONE else "done")


async def test_a_turn_that_was_dead_at_the_backup_and_revived_since_is_asked_for_too(
    tmp_path: Path, shop: ShakyShop
) -> None:
    content = company(tmp_path, shop.url, asks=False)
    async with opened(tmp_path, content) as room:
        assert await room.store.end(room.turn_id, 0, PROMISE, 1.0, {}, parked=DeadReason.TURN_FAILED)
    await backed_up_and_restored(tmp_path, content, made_since=True)
    async with opened(tmp_path, content) as room:
        assert await room.store.revive(room.turn_id, 2.0)
        assert await cancels(room, room.turn_id) == "outcome_unknown"
    assert shop.writes == 1


async def test_a_turn_of_after_the_restore_writes_without_asking(tmp_path: Path, shop: ShakyShop) -> None:
    content = company(tmp_path, shop.url, asks=False)
    await backed_up_and_restored(tmp_path, content, made_since=False)
    async with opened(tmp_path, content) as room:
        new = await room.store.accept(Inbound("api", "default", "t", "m2", "c", "yes"), 3.0)
        assert await cancels(room, new.turn_id) == DONE
    assert shop.writes == 1
