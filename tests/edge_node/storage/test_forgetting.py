"""A customer who is forgotten leaves no trace, and is not answered by accident."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from edge_node.messages import Accepted, ConversationState
from edge_node.storage.records import Forgotten
from edge_node.storage.store import TenantStore
from nearside.database import Connection
from nearside.errors import Refused
from tests.edge_node.storage.shelf import ANSWER, PROMISE, Shelf, shelf

pytestmark = pytest.mark.unit

PLANTED = "planted-7431"
STATE = ConversationState(slots={"order": PLANTED}, masks={"<phone-1>": PLANTED, "<phone-2>": "1"})


async def told(filled: Shelf) -> list[str]:
    """A customer's traces in every table; their turns."""
    done = await filled.answered(
        "m1", f"{PLANTED}-1", text=PLANTED, customer=PLANTED, reply=replace(ANSWER, text=PLANTED, state=STATE)
    )
    promised = await filled.answered("m2", f"{PLANTED}-1", text=PLANTED, customer=PLANTED, reply=PROMISE)
    await filled.store.mark_dropped(promised.event.id, PLANTED, 1001.0)
    calling = await filled.accept("m3", f"{PLANTED}-2", text=PLANTED, customer=PLANTED)
    await filled.store.intend_call(calling.turn_id, "1", calling.conversation_id, PLANTED, b"d", 1001.0)
    await filled.store.settle_call(calling.turn_id, "1", "done", f'"{PLANTED}"', "", 1001.0)
    return [done.event.turn_id, promised.event.turn_id, calling.turn_id]


def dump(filled: Shelf) -> str:
    tables = [name for (name,) in filled.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return "".join(str(filled.rows(f'SELECT * FROM "{table}"')) for table in tables)  # noqa: S608  names from the file


async def test_every_trace_is_removed_and_counted(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        turn_ids = await told(filled)
        other = await filled.answered("m9", "t9")
        assert PLANTED in dump(filled)
        ids = await filled.store.conversations_of(PLANTED)
        assert len(ids) == 2
        assert await filled.store.forget(PLANTED, 1002.0) == Forgotten(
            conversations=2, messages=3, replies=2, turns=3, outbox=2, calls=1, slots_and_masks=3
        )
        assert PLANTED not in dump(filled)
        assert await filled.store.erasures(10) == sorted(turn_ids)
        assert [await filled.store.load(turn_id) for turn_id in turn_ids] == [None] * 3
        assert await filled.store.forget(PLANTED, 1003.0) == Forgotten(0, 0, 0, 0, 0, 0, 0)
        assert await filled.store.reply_to(other.event.turn_id) == other.event


async def test_a_forgotten_message_that_comes_again_is_no_new_turn(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        first = await filled.accept("m1")
        await filled.store.forget("c1", 1001.0)
        await filled.reopen()
        assert await filled.accept("m1") == replace(first, duplicate=True)
        assert await filled.accept("m1", text="changed") == replace(first, duplicate=True)
        assert not (await filled.accept("m1", account="other")).duplicate
        again = await filled.accept("m2")
        assert not again.duplicate and again.conversation_id != first.conversation_id


async def test_a_message_is_known_again_in_the_commit_that_forgets_the_first_one_of_all(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        known = await filled.accept("m1")
        _, again, fresh = await asyncio.gather(
            filled.store.forget("c1", 1001.0), filled.accept("m1"), filled.accept("m2", customer="c2", thread="t2")
        )
        assert (again, fresh.duplicate) == (replace(known, duplicate=True), False)


async def test_a_forgetting_that_was_undone_leaves_a_message_as_fresh_as_it_was(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:

        def undone(db: Connection) -> None:
            filled.store._seen.remember(db, "api", "default", Accepted("m1", "t_1", "c_1", 1, duplicate=False), 1000.0)
            raise Refused(422, "no", "not this one")

        with pytest.raises(Refused):
            await filled.store._writer.run(undone)
        assert not (await filled.accept("m1")).duplicate


async def test_nothing_goes_out_to_a_customer_who_was_forgotten(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        ended = await filled.answered("m1")
        running = (await filled.accept("m2")).turn_id
        await filled.store.forget("c1", 1001.0)
        assert not filled.store.may_send(ended)
        assert await filled.store.end(running, 0, ANSWER, 1002.0, {}) is None
        await filled.store.record_attempt(ended.event.id, 1002.0)
        await filled.store.confirm_sent(ended.event.id, 1002.0)
        assert await filled.store.unsent(()) == []
        assert filled.rows("SELECT count(*) FROM log") == [(0,)]


async def test_a_channel_may_be_forgotten_alone(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        await filled.accept("m1")
        assert (await filled.store.forget("c1", 1001.0, "web")).conversations == 0
        assert (await filled.store.forget("c1", 1001.0, "api")).conversations == 1


async def test_erasures_stay_until_the_core_has_done_them(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        turn_ids = sorted([(await filled.accept(f"m{n}")).turn_id for n in range(3)])
        await filled.store.forget("c1", 1001.0)
        assert filled.store.figures().erasures == 3
        assert await filled.store.erasures(2) == turn_ids[:2]
        await filled.store.erased(turn_ids[:2])
        await filled.reopen()
        assert await filled.store.erasures(2) == turn_ids[2:]


async def test_the_write_ahead_log_keeps_nothing_of_it(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        await told(filled)
        wal = tmp_path / "edge.db-wal"
        assert wal.stat().st_size > 0
        await filled.store.forget(PLANTED, 1001.0)
        assert wal.stat().st_size == 0


async def test_freed_pages_are_wiped(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        assert await filled.store._writer.run(lambda db: db.execute("PRAGMA secure_delete").fetchone()) == (1,)


async def test_forgetting_while_others_write_and_read_harms_nobody(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:

        async def talk(store: TenantStore, number: int) -> None:
            for turn in range(10):
                await filled.answered(f"m{number}-{turn}", f"t{number}", customer=f"c{number}")
                await store.history("c", 10**9)

        forgetting = [filled.store.forget(f"c{number}", 1001.0) for number in range(4)]
        await asyncio.gather(*(talk(filled.store, number) for number in range(4, 12)), *forgetting)
        assert filled.rows("SELECT count(*) FROM inbox WHERE status = 'done'") == [(80,)]
