"""The dead list, and the figures that tell how long it is."""

from pathlib import Path

import pytest

from edge_node.messages import DeadReason
from edge_node.storage import dead, figures, outbox, retention
from edge_node.storage.records import DeadItem, Figures
from nearside.database import open_database
from tests.edge_node.storage.shelf import KEY, PROMISE, Shelf, shelf

pytestmark = pytest.mark.unit


async def one_of_each(filled: Shelf) -> tuple[str, str, str]:
    """Ids of a dead turn, a dead reply and a call of unknown outcome, in the order in which they died."""
    turn_id = (await filled.accept("m1", text="Where?")).turn_id
    await filled.store.begin_attempt(turn_id)
    await filled.store.park(turn_id, DeadReason.TURN_FAILED, 1001.0)
    reply = await filled.answered("m2", thread="t2", text="How?")
    await filled.store.record_attempt(reply.event.id, 1001.5)
    await filled.store.mark_dead(reply.event.id, DeadReason.REFUSED, 1002.0)
    calling = await filled.accept("m3", thread="t3", text="Cancel it!")
    await filled.store.intend_call(calling.turn_id, "a/1", calling.conversation_id, "cancel_order", b"d", 1002.5)
    await filled.store.settle_call(calling.turn_id, "a/1", "unknown", "", "timeout", 1003.0)
    await filled.end(calling.turn_id)
    return turn_id, f"r{reply.event.id}", f"{calling.turn_id}/a/1"


async def test_the_list_says_what_died_and_why_the_newest_first(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        turn, reply, call = await one_of_each(filled)
        found = await filled.store.dead(10)
        conversations = [item.conversation_id for item in found]
        assert found == [
            DeadItem(
                call, "call", conversations[0], "api", "default", "outcome_unknown", 1, "cancel_order", 1002.5, 1003.0
            ),
            DeadItem(reply, "reply", conversations[1], "api", "default", "refused", 1, "", 1000.0, 1002.0),
            DeadItem(turn, "turn", conversations[2], "api", "default", "turn_failed", 1, "", 1000.0, 1001.0),
        ]
        assert await filled.store.dead(2) == found[:2]
        for item in found:
            assert await filled.store.dead(10, DeadReason(item.reason)) == [item]
        assert await filled.store.dead(10, DeadReason.RESTORED) == []


async def test_a_person_sees_what_was_said(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        shown = [await filled.store.dead_detail(item_id) for item_id in await one_of_each(filled)]
        assert [(one.message, one.reply, one.customer, one.tool) for one in shown if one] == [
            ("Where?", "", "c1", ""),
            ("How?", "Tomorrow.", "c1", ""),
            ("Cancel it!", "", "c1", "cancel_order"),
        ]


async def test_what_is_revived_is_open_again_and_leaves_the_list(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        turn, reply, call = await one_of_each(filled)
        revived = [await filled.store.revive(item_id, 1004.0) for item_id in (turn, reply, call)]
        assert [item and item.id for item in revived] == [turn, reply, None]
        assert [item.id for item in await filled.store.dead(10)] == [call]
        loaded = await filled.store.load(turn)
        assert loaded is not None and loaded.attempts == 0 and not loaded.replied
        unsent = await filled.store.revived_reply(int(reply[1:]))
        assert unsent is not None and (unsent.attempts, unsent.next_at) == (1, None)
        assert await filled.store.revive(turn, 1005.0) is None
        await filled.end(turn)
        assert filled.state_of(turn) == ("done", "matched")


async def test_a_revived_turn_remembers_its_apology(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        first, last = [(await filled.accept(f"m{n}", text=f"line {n}")).turn_id for n in range(2)]
        await filled.end(last, PROMISE, merged=(first,), parked=DeadReason.TURN_FAILED)
        shown = await filled.store.dead_detail(last)
        assert shown is not None and shown.message == "line 0\nline 1"
        await filled.store.revive(last, 1004.0)
        loaded = await filled.store.load(last)
        assert loaded is not None
        assert (loaded.text, loaded.merged, loaded.replied) == ("line 0\nline 1", (first,), True)


async def test_a_revived_reply_does_not_pass_a_change_of_owner(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        ended = await filled.answered("m1")
        await filled.store.mark_dead(ended.event.id, DeadReason.GAVE_UP, 1001.0)
        await filled.store.change_owner(ended.conversation.id, "agent", 1002.0)
        await filled.reopen()
        await filled.store.revive(f"r{ended.event.id}", 1003.0)
        unsent = await filled.store.revived_reply(ended.event.id)
        assert unsent is not None and not filled.store.may_send(unsent.ended)


async def test_the_time_of_a_revived_reply_begins_anew_and_runs_on_over_a_restart(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        event_id = (await filled.answered("m1")).event.id
        await filled.store.mark_dead(event_id, DeadReason.GAVE_UP, 90_000.0)
        await filled.store.revive(f"r{event_id}", 95_000.0)
        revived = await filled.store.revived_reply(event_id)
        assert revived is not None and revived.since == 95_000.0
        await filled.store.postpone(event_id, "busy", 95_010.0)
        await filled.reopen()
        (found,) = await filled.store.unsent(())
        assert found.since == 95_000.0
        assert [row.since for row in await filled.store.outbox_rows(1)] == [1000.0], "lists say since when it waits"


async def test_what_is_discarded_is_gone_for_good(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        ids = await one_of_each(filled)
        assert [item and item.id for item in [await filled.store.discard(one, 1004.0) for one in ids]] == [*ids]
        assert [await filled.store.discard(one, 1005.0) for one in ids] == [None] * 3
        assert [await filled.store.revive(one, 1005.0) for one in ids] == [None] * 3
        assert await filled.store.dead(10) == []
        assert filled.state_of(ids[0]) == ("dropped", "discarded")
        (call,) = await filled.store.calls(ids[2].partition("/")[0])
        assert call.status == "settled"


@pytest.mark.parametrize("item_id", ["", "/", "r", "r٣", "r9999999999999999999999", "t_unknown", "t_unknown/1", "'"])
async def test_an_id_that_nobody_has_finds_nothing(tmp_path: Path, item_id: str) -> None:
    async with shelf(tmp_path) as filled:
        await one_of_each(filled)
        assert await filled.store.dead_detail(item_id) is None
        assert await filled.store.revive(item_id, 1004.0) is None
        assert await filled.store.discard(item_id, 1004.0) is None


async def test_the_lists_and_figures_tell_what_is_under_way(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        await one_of_each(filled)
        filled.now = 2000.0
        promise = await filled.answered("m4", reply=PROMISE)
        filled.now = 3000.0
        waiting = await filled.accept("m5")
        await filled.store.postpone(promise.event.id, "timeout", 4000.0)
        turns = [(row.id, row.status, row.since) for row in await filled.store.inbox_rows(10)]
        assert turns == [(promise.event.turn_id, "deferred", 2000.0), (waiting.turn_id, "queued", 3000.0)]
        assert len(await filled.store.inbox_rows(1)) == 1
        assert filled.store.figures() == Figures(
            queued=1,
            deferred=1,
            oldest_turn_at=2000.0,
            pending=2,
            oldest_reply_at=1000.0,
            doubts=0,
            dead_turns=1,
            dead_replies=1,
            dead_calls=1,
            erasures=0,
        )
        replies = [(row.id, row.status, row.reason, row.next_at) for row in await filled.store.outbox_rows(10)]
        assert replies[1:] == [(f"r{promise.event.id}", "pending", "timeout", 4000.0)]


async def test_no_question_walks_through_all_that_has_ended(tmp_path: Path) -> None:
    queries = (
        figures.FIGURES,
        dead.TURNS,
        dead.REPLIES,
        dead.CALLS,
        f"{outbox.REPLIES} {outbox.TO_SEND}",
        retention.NOT_OVER,
    )
    async with shelf(tmp_path) as filled:
        reading = open_database(filled.path, KEY, read_only=True)
        steps = [step[3] for query in queries for step in reading.execute(f"EXPLAIN QUERY PLAN {query}")]
        reading.close()
    walks = {step for step in steps if step.startswith("SCAN") and "unsettled" not in step and "unknown" not in step}
    assert walks == {"SCAN CONSTANT ROW", "SCAN erasures"}
