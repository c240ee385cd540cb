"""Lines written one after the other, answered together. `quiet` stands for the time that passes."""

import asyncio
from pathlib import Path

import pytest

from edge_node.messages import TEXT_LIMIT, Reply, Turn
from edge_node.storage.store import TenantStore
from edge_node.turns.jobs import MOST_TOGETHER
from edge_node.turns.turns import Limits
from edge_node.turns.windows import LONGEST, Windows
from edge_node.uplink.base import Answer
from nearside.origins import Reason, Source
from tests.edge_node.stage import TENANT, Answering, ScriptedUplink, Stage, inbound, staged, until

pytestmark = pytest.mark.unit

LONG_S = 60.0
ANSWER = Answer("It weighs 2.9 kg.", True, 0.9, (), "7", True)


def echo(turn: Turn) -> Reply:
    return Reply(f"echo {turn.text}", Source.RULE, Reason.MATCHED)


def quiet(stage: Stage) -> None:
    """All customers have been quiet for long enough."""
    for window in stage.turns._windows._open.values():
        window.closed.set()


def texts(stage: Stage) -> list[str]:
    return [delivery.event.body["text"] for delivery in stage.sent]


async def test_lines_within_the_window_get_one_answer_and_each_turn_ends_with_it(tmp_path: Path) -> None:
    async with staged(tmp_path, [Answering(echo)], debounce_s=LONG_S) as stage:
        turn_ids = [await stage.say(text, f"m{n}") for n, text in enumerate(["my tent", "is wet", "what now?"])]
        assert stage.turns.waiting("demo") == 3
        quiet(stage)
        reply = (await stage.settle(1))[0].event
        assert (reply.body["text"], reply.turn_id) == ("echo my tent\nis wet\nwhat now?", turn_ids[2])
        assert reply.body["answers"] == turn_ids
        assert await stage.store.open_turns() == []
        assert stage.turns.waiting("demo") == 0
        for turn_id in turn_ids:
            found = await stage.store.reply_to(turn_id)
            assert found is not None and found.id == reply.id


async def test_the_history_of_lines_answered_together_is_what_was_said_before_the_first(tmp_path: Path) -> None:
    uplink = ScriptedUplink(ANSWER)
    async with staged(tmp_path, uplink=uplink, debounce_s=LONG_S) as stage:
        await stage.say("hello", "m0")
        quiet(stage)
        await stage.settle(1)
        await stage.say("my tent", "m1")
        await stage.say("is wet", "m2")
        quiet(stage)
        await stage.settle(2)
    assert uplink.asked[1].text == "my tent\nis wet"
    assert [item.text for item in uplink.asked[1].history] == ["hello", ANSWER.text]


async def test_a_line_that_comes_while_its_conversation_is_answered_opens_the_next_window(tmp_path: Path) -> None:
    uplink = ScriptedUplink(ANSWER)
    uplink.hold = asyncio.Event()
    async with staged(tmp_path, uplink=uplink, debounce_s=LONG_S) as stage:
        await stage.say("one", "m1")
        quiet(stage)
        await until(lambda: len(uplink.asked) == 1)
        await stage.say("two", "m2")
        await stage.say("three", "m3")
        uplink.hold.set()
        await stage.settle(1)
        quiet(stage)
        await stage.settle(2)
    assert [turn.text for turn in uplink.asked] == ["one", "two\nthree"]


async def test_a_window_holds_up_no_other_conversation(tmp_path: Path) -> None:
    async with staged(tmp_path, [Answering(echo)], debounce_s=LONG_S, limits=Limits(parallel=1)) as stage:
        await stage.say("one", "m1", "held")
        await stage.say("two", "m2", "other")
        stage.turns._windows._open["demo", await conversation_of(stage, "other")].closed.set()
        await stage.settle(1)
        assert texts(stage) == ["echo two"]
        quiet(stage)
        await stage.settle(2)


async def conversation_of(stage: Stage, thread: str) -> str:
    found = await stage.store.conversation("api", "default", thread)
    assert found is not None
    return found[0].id


async def test_an_interrupt_ends_the_window_and_what_it_held_and_is_answered_by_itself(tmp_path: Path) -> None:
    async with staged(tmp_path, [Answering(echo)], debounce_s=LONG_S) as stage:
        turn_ids = [await stage.say(text, f"m{n}") for n, text in enumerate(["my tent", "is wet", "stop"])]
        sent = await stage.settle(2)
    assert [delivery.event.body["reason"] for delivery in sent] == ["cancelled", "matched"]
    assert [delivery.event.body["answers"] for delivery in sent] == [turn_ids[:2], turn_ids[2:]]


async def test_an_interrupt_ends_the_wait_for_the_core_too(tmp_path: Path) -> None:
    uplink = ScriptedUplink(ANSWER)
    uplink.hold = asyncio.Event()
    only_stop = Answering(lambda turn: echo(turn) if turn.text == "stop" else None)
    async with staged(tmp_path, [only_stop], uplink, debounce_s=LONG_S) as stage:
        await stage.say("a long story", "m1")
        quiet(stage)
        await until(lambda: bool(uplink.asked))
        await stage.say("stop", "m2")
        sent = await stage.settle(2)
    assert [delivery.event.body["reason"] for delivery in sent] == ["cancelled", "matched"]


async def test_a_repeated_line_neither_joins_twice_nor_opens_a_window(tmp_path: Path) -> None:
    async with staged(tmp_path, [Answering(echo)], debounce_s=LONG_S) as stage:
        first = await stage.turns.accept(TENANT, inbound("hello", "m1"))
        again = await stage.turns.accept(TENANT, inbound("hello", "m1"))
        assert (again.duplicate, again.turn_id) == (True, first.turn_id)
        quiet(stage)
        await stage.settle(1)
        assert (await stage.turns.accept(TENANT, inbound("hello", "m1"))).duplicate
        assert stage.turns._windows._open == {}
    assert texts(stage) == ["echo hello"]


async def test_after_a_kill_in_the_middle_of_a_window_its_lines_are_answered_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(Windows, "close_all", lambda _windows: None)  # a stop begins what is written so far
        async with staged(tmp_path, [Answering(echo)], debounce_s=LONG_S) as stage:
            stage.grace_s = 0.0
            await stage.say("my tent", "m1")
            await stage.say("is wet", "m2")
    assert stage.sent == []
    async with staged(tmp_path, [Answering(echo)], debounce_s=LONG_S) as stage:
        assert await stage.turns.resume() == 2
        await stage.say("what now?", "m3")
        quiet(stage)
        await stage.settle(1)
        assert await stage.store.open_turns() == []
    assert texts(stage) == ["echo my tent\nis wet\nwhat now?"]


async def test_lines_that_began_together_stay_together_after_a_restart_without_what_came_later(tmp_path: Path) -> None:
    """What a turn did is known by its id: a write must be found again, not made again under another."""
    uplink = ScriptedUplink(ANSWER)
    uplink.hold = asyncio.Event()
    async with staged(tmp_path, uplink=uplink, debounce_s=LONG_S) as stage:
        stage.grace_s = 0.0
        await stage.say("one", "m1")
        await stage.say("two", "m2")
        quiet(stage)
        await until(lambda: bool(uplink.asked))
        await stage.say("three", "m3")
        await stage.say("four", "m4")
    uplink.hold.set()
    async with staged(tmp_path, uplink=uplink, debounce_s=LONG_S) as stage:
        await stage.turns.resume()
        await stage.settle(1)
        quiet(stage)
        await stage.settle(2)
    assert [turn.text for turn in uplink.asked] == ["one\ntwo", "one\ntwo", "three\nfour"]
    assert uplink.asked[0].turn_id == uplink.asked[1].turn_id


async def test_a_stop_of_the_program_does_not_wait_for_the_customer_to_be_quiet(tmp_path: Path) -> None:
    async with staged(tmp_path, [Answering(echo)], debounce_s=LONG_S) as stage:
        stage.grace_s = 15.0
        await stage.say("hello")
    assert texts(stage) == ["echo hello"]


async def test_too_much_for_one_message_is_answered_in_several(tmp_path: Path) -> None:
    long = "x" * (TEXT_LIMIT // 2)
    async with staged(tmp_path, [Answering(lambda turn: Reply(str(len(turn.text)), *ORIGIN))], debounce_s=60) as stage:
        for number in range(4):
            await stage.say(long, f"m{number}")
        quiet(stage)
        await stage.settle(4)
        for number in range(MOST_TOGETHER + 1):
            await stage.say("hi", f"n{number}")
        quiet(stage)
        await stage.settle(6)
        assert stage.turns.waiting("demo") == 0
    assert texts(stage)[-2:] == [str(3 * MOST_TOGETHER - 1), "2"]
    assert all(int(text) <= TEXT_LIMIT for text in texts(stage))


ORIGIN = (Source.RULE, Reason.MATCHED)


async def test_lines_whose_answer_is_promised_for_later_are_all_in_the_late_answer(tmp_path: Path) -> None:
    uplink = ScriptedUplink(ANSWER)
    uplink.reason = Reason.CORE_UNREACHABLE
    async with staged(tmp_path, uplink=uplink, debounce_s=LONG_S) as stage:
        turn_ids = [await stage.say("how", "m1"), await stage.say("heavy?", "m2")]
        quiet(stage)
        await stage.settle(1)
    uplink.reason = None
    async with staged(tmp_path, uplink=uplink, debounce_s=LONG_S) as stage:
        deferred = asyncio.create_task(stage.turns.deferred.run())
        assert await stage.turns.resume() == 1
        late = (await stage.settle(1))[0].event.body
        deferred.cancel()
    assert (late["quotes"], late["answers"], late["final"]) == ("how\nheavy?", turn_ids, True)
    assert uplink.asked[-1].text == "how\nheavy?"


async def test_lines_that_fail_together_are_parked_as_one_and_tried_again_as_one(tmp_path: Path) -> None:
    def broken(turn: Turn) -> Reply:
        if not stage.sent:
            raise ZeroDivisionError
        return echo(turn)

    async with staged(tmp_path, [Answering(broken)], debounce_s=LONG_S) as stage:
        turn_ids = [await stage.say("poison", "m1"), await stage.say("me", "m2")]
        quiet(stage)
        await stage.settle(1)
        (item,) = await stage.store.dead(10)
        assert item.id == turn_ids[1] and await stage.store.open_turns() == []
        await stage.store.revive(item.id, 0.0)
        await stage.turns.retry("demo", item.id)
        late = (await stage.settle(2))[1].event.body
    assert (late["text"], late["quotes"], late["answers"]) == ("echo poison\nme", "poison\nme", turn_ids)


async def test_a_line_that_ended_meanwhile_is_left_out_and_counted_out(tmp_path: Path) -> None:
    async with staged(tmp_path, [Answering(echo)], debounce_s=LONG_S) as stage:
        await stage.say("one", "m1")
        gone = await stage.say("two", "m2")
        await stage.say("three", "m3")
        await stage.store.drop(gone, "discarded", 0.0)
        quiet(stage)
        await stage.settle(1)
        await until(lambda: stage.turns.waiting("demo") == 0)
    assert texts(stage) == ["echo one\nthree"]


async def test_lines_that_cannot_be_read_together_are_answered_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, failing = TenantStore.load, [ZeroDivisionError()]

    async def breaking(store: TenantStore, turn_id: str) -> object:
        if failing:
            raise failing.pop()
        return await load(store, turn_id)

    monkeypatch.setattr(TenantStore, "load", breaking)
    async with staged(tmp_path, [Answering(echo)], debounce_s=LONG_S) as stage:
        await stage.say("one", "m1")
        await stage.say("two", "m2")
        quiet(stage)
        await stage.settle(2)
        await until(lambda: stage.turns.waiting("demo") == 0)
    assert texts(stage) == ["echo one", "echo two"]


async def test_a_customer_who_never_stops_writing_is_answered_all_the_same() -> None:
    windows, key, loop = Windows(), ("demo", "c"), asyncio.get_running_loop()
    began = loop.time()
    assert windows.add(key, "t0", 60.0)
    for number in range(1, 50):
        assert not windows.add(key, f"t{number}", 60.0 * number)
    timer = windows._open[key].timer
    assert timer is not None and timer.when() <= began + LONGEST * 60.0 + 1.0
    assert windows.take(key) == [f"t{number}" for number in range(50)]
