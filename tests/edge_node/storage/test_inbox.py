"""Messages become turns once, and a turn is in one state at a time."""

from dataclasses import replace
from pathlib import Path

import pytest

from edge_node.messages import DeadReason
from nearside.errors import Refused
from tests.edge_node.storage.shelf import ANSWER, PROMISE, shelf

pytestmark = pytest.mark.unit


async def test_a_message_that_comes_again_is_the_same_turn(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        first = await filled.accept("m1")
        await filled.end(first.turn_id)
        await filled.reopen()
        assert await filled.accept("m1") == replace(first, duplicate=True)
        with pytest.raises(Refused) as refused:
            await filled.accept("m1", text="What?")
        assert refused.value.status == 422
        assert filled.rows("SELECT count(*) FROM log") == [(2,)]


async def test_only_attempts_of_an_open_turn_are_counted(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        turn_id = (await filled.accept("m1")).turn_id
        assert [await filled.store.begin_attempt(turn_id) for _ in range(2)] == [1, 2]
        await filled.reopen()
        (found,) = await filled.store.open_turns()
        loaded = await filled.store.load(turn_id)
        assert loaded is not None
        assert (found.attempts, loaded.attempts, found.channel) == (2, 2, "api")
        await filled.end(turn_id)
        assert await filled.store.begin_attempt(turn_id) == 0
        assert await filled.store.load(turn_id) is None


async def test_turns_that_are_answered_together_end_together(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        first, second, third = [(await filled.accept(f"m{n}", text=f"line {n}")).turn_id for n in range(3)]
        other = (await filled.accept("m9", thread="t2")).turn_id
        await filled.end(third, merged=(first, second))
        assert [filled.state_of(turn_id) for turn_id in (first, second)] == [("done", "merged")] * 2
        assert [found.turn_id for found in await filled.store.open_turns()] == [other]
        replies = [await filled.store.reply_to(turn_id) for turn_id in (first, second, third)]
        assert len({reply.id for reply in replies if reply}) == 1
        assert replies[0] is not None and replies[0].body["answers"] == [first, second, third]


async def test_a_promise_for_several_messages_is_kept_for_all_of_them(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        accepted = [await filled.accept(f"m{n}", text=f"line {n}") for n in range(2)]
        first, second = (one.turn_id for one in accepted)
        await filled.end(second, PROMISE, merged=(first,))
        await filled.reopen()
        loaded = await filled.store.load(second)
        assert loaded is not None
        assert (loaded.text, loaded.merged, loaded.replied) == ("line 0\nline 1", (first,), True)
        assert loaded.event_id == accepted[0].event_id
        third = (await filled.accept("m2", text="line 2")).turn_id
        await filled.end(third, PROMISE, merged=(first, second))
        answer = await filled.end(third, merged=(first, second))
        assert await filled.store.reply_to(first) == await filled.store.reply_to(third) == answer.event


async def test_the_first_reply_to_a_turn_is_no_second_one(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        turn_id = (await filled.accept("m1")).turn_id
        loaded = await filled.store.load(turn_id)
        assert loaded is not None and not loaded.replied
        await filled.end(turn_id, PROMISE)
        (found,) = await filled.store.open_turns()
        loaded = await filled.store.load(turn_id)
        assert loaded is not None and loaded.replied and found.deferred


async def test_an_apology_goes_out_for_a_turn_that_is_dead(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        turn_id = (await filled.accept("m1")).turn_id
        ended = await filled.end(turn_id, PROMISE, parked=DeadReason.TURN_FAILED)
        assert filled.state_of(turn_id) == ("dead", "turn_failed")
        assert await filled.store.open_turns() == []
        assert [unsent.ended for unsent in await filled.store.unsent(())] == [ended]


async def test_what_has_ended_does_not_end_again(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        done, parked, dropped = [(await filled.accept(f"m{n}")).turn_id for n in range(3)]
        await filled.end(done)
        await filled.store.park(parked, DeadReason.INTERRUPTED, 1001.0)
        await filled.store.drop(dropped, "expired", 1001.0)
        for turn_id in (done, parked, dropped):
            await filled.store.drop(turn_id, "late", 1002.0)
            await filled.store.park(turn_id, DeadReason.TURN_FAILED, 1002.0)
            assert await filled.store.end(turn_id, 0, ANSWER, 1002.0, {}) is None
        assert [filled.state_of(turn_id) for turn_id in (done, parked, dropped)] == [
            ("done", "matched"),
            ("dead", "interrupted"),
            ("dropped", "expired"),
        ]
