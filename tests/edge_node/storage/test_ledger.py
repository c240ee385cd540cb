"""The ledger of write calls."""

from pathlib import Path

import pytest

from edge_node.messages import DeadReason
from edge_node.storage.records import KnownCall
from nearside.errors import StorageError
from tests.edge_node.storage.shelf import PROMISE, Shelf, shelf

pytestmark = pytest.mark.unit


async def intended(filled: Shelf, message_id: str = "m1", call_id: str = "1") -> str:
    accepted = await filled.accept(message_id)
    known = await filled.store.intend_call(
        accepted.turn_id, call_id, accepted.conversation_id, "cancel_order", b"digest", 1001.0
    )
    assert known is None
    return accepted.turn_id


async def test_a_call_is_new_once(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        turn_id = await intended(filled)
        await filled.reopen()
        again = await filled.store.intend_call(turn_id, "1", "c", "refund", b"other", 1002.0)
        assert again == KnownCall("1", "cancel_order", b"digest", "intended", "", "")
        await filled.store.settle_call(turn_id, "1", "done", '{"ok":true}', "", 1003.0)
        assert await filled.store.calls(turn_id) == [
            KnownCall("1", "cancel_order", b"digest", "done", '{"ok":true}', "")
        ]


async def test_only_what_was_never_sent_is_released(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        turn_id = await intended(filled)
        await filled.store.release_call(turn_id, "1")
        assert await filled.store.calls(turn_id) == []
        assert await intended(filled) == turn_id
        await filled.store.settle_call(turn_id, "1", "failed", '{"status":409}', "conflict", 1002.0)
        await filled.store.release_call(turn_id, "1")
        assert [(call.status, call.kind) for call in await filled.store.calls(turn_id)] == [("failed", "conflict")]


async def test_a_call_left_open_when_its_turn_ends_is_for_a_person(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        ended, parked, deferred = [await intended(filled, f"m{n}") for n in range(3)]
        await filled.end(ended)
        await filled.store.park(parked, DeadReason.INTERRUPTED, 1002.0)
        await filled.end(deferred, PROMISE)
        states = [(await filled.store.calls(turn_id))[0].status for turn_id in (ended, parked, deferred)]
        assert states == ["unknown", "unknown", "intended"]
        await filled.store.settle_call(ended, "1", "done", "{}", "", 1003.0)
        assert [item.id for item in await filled.store.dead(9, DeadReason.OUTCOME_UNKNOWN)] == [f"{parked}/1"]


async def test_nothing_is_done_for_a_customer_who_was_forgotten(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        accepted = await filled.accept("m1")
        await filled.store.forget("c1", 1001.0)
        with pytest.raises(StorageError):
            await filled.store.intend_call(accepted.turn_id, "1", accepted.conversation_id, "refund", b"", 1002.0)
        await filled.store.settle_call(accepted.turn_id, "1", "done", "{}", "", 1003.0)
        assert filled.rows("SELECT count(*) FROM calls") == [(0,)]
