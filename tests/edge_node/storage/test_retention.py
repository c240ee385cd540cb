"""What is old and over goes; what still wants something stays."""

from dataclasses import replace
from pathlib import Path

import pytest

from edge_node.messages import DeadReason
from tests.edge_node.storage.shelf import PROMISE, Shelf, shelf

pytestmark = pytest.mark.unit

LATER = 9000.0


async def swept(filled: Shelf, before: float = 5000.0, limit: int = 500) -> int:
    removed = 0
    while found := await filled.store.sweep(before, LATER, limit):
        removed += found
    return removed


async def sent(filled: Shelf, message_id: str, thread: str = "t1") -> str:
    ended = await filled.answered(message_id, thread)
    await filled.store.confirm_sent(ended.event.id, filled.now)
    return ended.event.turn_id


def counts(filled: Shelf) -> list[int]:
    tables = ("conversations", "log", "inbox", "outbox", "calls")
    return [filled.rows(f"SELECT count(*) FROM {table}")[0][0] for table in tables]  # noqa: S608  our own names


async def test_what_is_over_goes_with_its_conversation(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        accepted = await filled.accept("m1")
        await filled.store.intend_call(accepted.turn_id, "1", accepted.conversation_id, "refund", b"", 1000.0)
        await filled.store.settle_call(accepted.turn_id, "1", "done", "{}", "", 1000.0)
        ended = await filled.end(accepted.turn_id)
        await filled.store.confirm_sent(ended.event.id, 1000.0)
        assert counts(filled) == [1, 2, 1, 1, 1]
        assert await swept(filled) == 6
        assert counts(filled) == [0, 0, 0, 0, 0]
        assert await filled.accept("m1") == replace(accepted, duplicate=True)


async def test_what_is_young_stays_and_keeps_its_conversation(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        await sent(filled, "m1")
        filled.now = 6000.0
        young = await sent(filled, "m2")
        assert await swept(filled) == 4
        assert counts(filled) == [1, 2, 1, 1, 0]
        assert await filled.store.reply_to(young) is not None


async def test_a_turn_that_ended_lately_stays_as_a_whole(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        turn_id = (await filled.accept("m1")).turn_id
        promise = await filled.end(turn_id, PROMISE)
        await filled.store.confirm_sent(promise.event.id, 1000.0)
        assert await swept(filled) == 0
        filled.now = 6000.0
        await filled.store.confirm_sent((await filled.end(turn_id)).event.id, 6000.0)
        assert await swept(filled) == 0
        assert counts(filled) == [1, 3, 1, 2, 0]
        assert await swept(filled, before=7000.0) == 7


async def test_what_still_wants_something_stays_however_old(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        queued = (await filled.accept("m1", "t1")).turn_id
        unsent = await filled.answered("m2", "t2")
        dead_reply = await filled.answered("m3", "t3")
        await filled.store.mark_dead(dead_reply.event.id, DeadReason.REFUSED, 1000.0)
        dead_turn = (await filled.accept("m4", "t4")).turn_id
        await filled.store.park(dead_turn, DeadReason.TURN_FAILED, 1000.0)
        calling = await filled.accept("m5", "t5")
        await filled.store.intend_call(calling.turn_id, "1", calling.conversation_id, "refund", b"", 1000.0)
        called = await filled.end(calling.turn_id)
        await filled.store.confirm_sent(called.event.id, 1000.0)
        merged = (await filled.accept("m6", "t6")).turn_id
        answering = (await filled.accept("m7", "t6")).turn_id
        promise = await filled.end(answering, PROMISE, merged=(merged,))
        await filled.store.confirm_sent(promise.event.id, 1000.0)
        assert await swept(filled) == 0
        loaded = await filled.store.load(answering)
        assert loaded is not None and loaded.merged == (merged,)
        await filled.store.drop(queued, "expired", 2000.0)
        await filled.store.mark_dropped(unsent.event.id, "agent_owns", 2000.0)
        for item in await filled.store.dead(10):
            await filled.store.discard(item.id, 2000.0)
        await filled.end(answering)
        for row in await filled.store.outbox_rows(10):
            await filled.store.confirm_sent(int(row.id[1:]), 2000.0)
        await swept(filled)
        assert counts(filled) == [0] * 5


async def test_a_sweep_stops_at_its_limit_and_goes_on_with_the_next(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        for number in range(6):
            await sent(filled, f"m{number}", f"t{number % 2}")
        assert await filled.store.sweep(5000.0, LATER, limit=4) == 4 + 4
        assert counts(filled) == [2, 8, 4, 4, 0]
        assert await swept(filled, limit=3) == 8 + 8 + 2
        assert counts(filled) == [0] * 5


async def test_lines_dated_into_the_future_do_not_hide_what_came_after_them(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        filled.now = 1_000_000.0
        await sent(filled, "m1", "t1")
        filled.now = 1000.0
        await sent(filled, "m2", "t2")
        assert await swept(filled) == 5
        assert counts(filled) == [1, 2, 1, 1, 0]
