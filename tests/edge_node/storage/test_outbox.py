"""Replies leave in order, each send that may have arrived is known, and none passes a change of owner."""

from dataclasses import replace
from pathlib import Path

import pytest

from edge_node.messages import DeadReason, Owner
from edge_node.storage.records import Unsent
from nearside.errors import StorageError
from tests.edge_node.storage.shelf import ANSWER, Shelf, shelf

pytestmark = pytest.mark.unit


async def unsent(filled: Shelf) -> list[Unsent]:
    """As found after a stop."""
    await filled.reopen()
    return await filled.store.unsent(())


def state_of(filled: Shelf, event_id: int) -> tuple[str, str, int, int]:
    (row,) = filled.rows("SELECT status, reason, attempts, doubts FROM outbox WHERE event_id = ?", event_id)
    return row


async def test_a_stop_in_the_middle_of_a_send_is_one_doubt(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        ended = await filled.answered("m1")
        await filled.store.record_attempt(ended.event.id, 1001.0)
        (found,) = await unsent(filled)
        assert (found.ended, found.attempts, found.doubts, found.doubtful) == (ended, 1, 1, False)
        (again,) = await unsent(filled)
        assert again.doubts == 1
        await filled.store.record_attempt(ended.event.id, 1002.0)
        await filled.store.confirm_sent(ended.event.id, 1003.0)
        assert await unsent(filled) == []
        assert state_of(filled, ended.event.id) == ("sent", "", 2, 1)
        assert filled.store.figures().doubts == 1


async def test_an_attempt_is_counted_once(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        recorded, unrecorded = [(await filled.answered(f"m{n}")).event.id for n in range(2)]
        await filled.store.record_attempt(recorded, 1001.0)
        for event_id in (recorded, unrecorded):
            await filled.store.postpone(event_id, "timeout", 1500.0)
        assert [(one.attempts, one.next_at, one.doubts) for one in await unsent(filled)] == [(1, 1500.0, 0)] * 2
        filled.store.mark_sent(unrecorded, 1600.0)
        await filled.store.mark_dead(recorded, DeadReason.REFUSED, 1600.0)
        assert await unsent(filled) == []
        assert state_of(filled, unrecorded)[:3] == ("sent", "", 2)
        assert state_of(filled, recorded)[:3] == ("dead", "refused", 2)


async def test_a_doubt_is_counted_when_it_is_known_and_not_again_at_the_start(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        waiting, dead = [(await filled.answered(f"m{n}")).event.id for n in range(2)]
        for event_id in (waiting, dead):
            await filled.store.record_attempt(event_id, 1001.0)
        await filled.store.postpone(waiting, "timeout", 1500.0, doubt=True)
        await filled.store.mark_dead(dead, DeadReason.GAVE_UP, 1500.0, doubt=True)
        assert state_of(filled, waiting) == ("pending", "timeout", 1, 1)
        assert state_of(filled, dead) == ("dead", "gave_up", 1, 1)
        for _ in range(2):
            assert [(one.next_at, one.doubts) for one in await unsent(filled)] == [(1500.0, 1)]
        await filled.store.record_attempt(waiting, 1501.0)
        assert [one.doubts for one in await unsent(filled)] == [2]


async def test_a_reply_that_is_hastened_is_due_and_keeps_all_else(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        waiting, sending, sent = [(await filled.answered(f"m{n}")).event.id for n in range(3)]
        await filled.store.postpone(waiting, "timeout", 1500.0, doubt=True)
        await filled.store.postpone(sending, "busy", 1500.0)
        await filled.store.record_attempt(sending, 1501.0)
        await filled.store.confirm_sent(sent, 1501.0)
        for event_id in (waiting, sending, sent, 999):
            await filled.store.hasten(event_id)
        assert state_of(filled, waiting) == ("pending", "timeout", 1, 1)
        assert [(row.status, row.next_at) for row in await filled.store.outbox_rows(9)] == [
            ("pending", None),
            ("sending", 1500.0),
        ]


async def test_a_replys_time_runs_from_its_making_over_every_restart(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        event_id = (await filled.answered("m1")).event.id
        await filled.store.postpone(event_id, "timeout", 1500.0)
        for _ in range(2):
            assert [one.since for one in await unsent(filled)] == [1000.0]


async def test_a_reply_that_was_never_tried_has_all_its_time_from_the_start_that_finds_it(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        event_id = (await filled.answered("m1")).event.id
        (found,) = await unsent(filled)
        assert found.since > 1_000_000
        await filled.store.postpone(event_id, "timeout", 1500.0)
        assert [one.since for one in await unsent(filled)] == [found.since]


async def test_what_was_sent_stays_sent(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        event_id = (await filled.answered("m1")).event.id
        await filled.store.confirm_sent(event_id, 1001.0)
        await filled.store.postpone(event_id, "late", 1002.0)
        await filled.store.record_attempt(event_id, 1002.0)
        await filled.store.mark_dead(event_id, DeadReason.GAVE_UP, 1002.0)
        await filled.store.mark_dropped(event_id, "agent_owns", 1002.0)
        assert state_of(filled, event_id) == ("sent", "", 1, 0)


async def test_no_reply_of_an_older_epoch_leaves(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        early = await filled.answered("m1")
        other = await filled.answered("m2", thread="t2")
        conversation_id = early.conversation.id
        assert filled.store.may_send(early)
        assert await filled.store.change_owner(conversation_id, "agent", 1001.0) == 1
        assert await filled.store.change_owner(conversation_id, "agent", 1002.0) == 1
        assert (filled.store.may_send(early), filled.store.may_send(other)) == (False, True)
        assert [found.ended for found in await unsent(filled)] == [other]
        assert state_of(filled, early.event.id)[:2] == ("dropped", "agent_owns")


async def test_a_reply_that_gives_the_conversation_away_passes_and_what_was_said_before_does_not(
    tmp_path: Path,
) -> None:
    async with shelf(tmp_path) as filled:
        early = await filled.answered("m1")
        handoff = await filled.answered("m2", reply=replace(ANSWER, owner="agent"))
        assert (handoff.epoch, handoff.event.body["owner"]) == (1, "agent")
        assert (filled.store.may_send(early), filled.store.may_send(handoff)) == (False, True)
        still_agent = await filled.answered("m3", reply=replace(ANSWER, owner="agent"))
        assert still_agent.epoch == 1 and filled.store.may_send(handoff)
        assert [found.ended for found in await unsent(filled)] == [handoff, still_agent]


async def test_a_turn_of_an_older_epoch_ends_without_a_reply(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        first, second = [(await filled.accept(f"m{n}")).turn_id for n in range(2)]
        loaded = await filled.store.load(second)
        assert loaded is not None
        await filled.store.change_owner(loaded.conversation.id, "agent", 1001.0)
        assert await filled.store.end(second, loaded.epoch, ANSWER, 1002.0, {}, merged=(first,)) is None
        assert [filled.state_of(turn_id) for turn_id in (first, second)] == [("dropped", "agent_owns")] * 2
        assert await unsent(filled) == []


@pytest.mark.parametrize("owner", ["bot", "agent"])
async def test_nobody_owns_an_unknown_conversation(tmp_path: Path, owner: Owner) -> None:
    async with shelf(tmp_path) as filled:
        with pytest.raises(StorageError):
            await filled.store.change_owner("c_unknown", owner, 1001.0)


async def test_a_change_of_owner_holds_though_nobody_waits_for_it(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        ended = await filled.answered("m1")
        changing = filled.store.change_owner(ended.conversation.id, "agent", 1001.0)
        changing.send(None)
        changing.close()
        await filled.accept("m2")
        assert not filled.store.may_send(ended)
