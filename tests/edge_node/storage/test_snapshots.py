"""A copy of a file in use, and what becomes of what was open in it."""

import asyncio
from pathlib import Path

import pytest

from edge_node.messages import DeadReason
from edge_node.storage.store import TenantStore
from edge_node.turns.jobs import begun
from nearside.errors import StorageError
from tests.edge_node.storage.shelf import KEY, OTHER_KEY, PROMISE, Shelf, shelf

pytestmark = pytest.mark.unit


async def restored(filled: Shelf) -> None:
    """The shelf's file as it comes back from a backup."""
    await filled.store.close()
    TenantStore.mark_restored(filled.path, (OTHER_KEY, KEY))
    filled.store = await TenantStore.open(filled.path, KEY)


async def test_a_copy_holds_all_that_was_acknowledged_before_it_and_nothing_by_halves(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        stopping = asyncio.Event()
        acknowledged: list[str] = []

        async def talk(task: int) -> None:
            while not stopping.is_set():
                ended = await filled.answered(f"{task}-{len(acknowledged)}", f"t{task}")
                acknowledged.append(ended.event.turn_id)

        talking = [asyncio.create_task(talk(task)) for task in range(8)]
        for number in range(5):
            await asyncio.sleep(0.02)
            before = list(acknowledged)
            await filled.store.snapshot(tmp_path / f"copy{number}")
            copy = Shelf(filled.store, tmp_path / f"copy{number}")
            (broken,) = copy.rows(
                "SELECT count(*) FROM inbox i LEFT JOIN log l ON l.turn_id = i.turn_id AND l.kind = 'reply'"
                " LEFT JOIN outbox o ON o.event_id = l.id WHERE i.status = 'done' AND o.event_id IS NULL"
            )
            assert broken == (0,)
            assert copy.rows("PRAGMA integrity_check") == [("ok",)]
            assert {row[0] for row in copy.rows("SELECT turn_id FROM inbox WHERE status = 'done'")}.issuperset(before)
        stopping.set()
        await asyncio.gather(*talking)
        assert not (tmp_path / "copy0-wal").exists()


async def test_a_copy_is_sealed_with_the_files_own_key(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        await filled.accept("m1", text="planted-7431")
        await filled.store.rekey(OTHER_KEY)
        await filled.store.snapshot(tmp_path / "copy")
        content = (tmp_path / "copy").read_bytes()
        assert b"planted" not in content and b"SQLite" not in content
        assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
        with pytest.raises(StorageError):
            await TenantStore.open(tmp_path / "copy", KEY)
        copy = await TenantStore.open(tmp_path / "copy", OTHER_KEY)
        assert len(await copy.open_turns()) == 1
        await copy.close()


async def test_a_copy_that_cannot_be_made_says_so_and_harms_nothing(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        await filled.accept("m1")
        (tmp_path / "folder").mkdir()
        with pytest.raises(StorageError):
            await filled.store.snapshot(tmp_path / "folder")
        assert filled.store.condition is None
        assert len(await filled.store.open_turns()) == 1


async def test_what_was_open_at_the_backup_is_doubtful_until_it_is_settled(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        queued = (await filled.accept("m1", "t1")).turn_id
        promised = (await filled.answered("m2", "t2", PROMISE)).event.turn_id
        done = (await filled.answered("m3", "t3")).event.turn_id
        await restored(filled)
        found = {turn.turn_id: turn for turn in await filled.store.open_turns()}
        assert {turn_id: turn.doubtful for turn_id, turn in found.items()} == {queued: True, promised: True}
        assert await filled.store.load(queued) is None
        assert filled.store.figures().queued == 2
        assert await filled.store.settle_doubtful_turns({"web"}) == 2
        assert [item.id for item in await filled.store.dead(10, DeadReason.RESTORED)] != []
        assert filled.state_of(queued) == filled.state_of(promised) == ("dead", "restored")
        assert filled.state_of(done) == ("done", "matched")
        await filled.store.revive(promised, 2000.0)
        loaded = await filled.store.load(promised)
        assert loaded is not None and loaded.replied


async def test_doubtful_turns_run_again_where_a_second_reply_does_no_harm(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        turn_id = (await filled.answered("m2", "t2", PROMISE)).event.turn_id
        await restored(filled)
        assert await filled.store.settle_doubtful_turns({"api"}) == 0
        loaded = await filled.store.load(turn_id)
        assert loaded is not None and loaded.replied
        (found,) = await filled.store.open_turns()
        assert not found.doubtful
        assert await filled.store.settle_doubtful_turns(()) == 0


async def test_what_may_have_begun_before_the_restore_is_not_joined_by_what_comes_after(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        promised = (await filled.answered("m1", reply=PROMISE)).event.turn_id
        first, last = [(await filled.accept(f"m{n}")).turn_id for n in (2, 3)]
        await restored(filled)
        assert await filled.store.settle_doubtful_turns({"api"}) == 0
        new = (await filled.accept("m4")).turn_id
        fresh, groups = begun(await filled.store.open_turns())
        assert [[turn.turn_id for turn in group] for group in (*groups, fresh)] == [[promised], [first, last], [new]]


@pytest.mark.parametrize(("idempotent", "dead"), [({"api"}, 0), (set[str](), 2)])
async def test_doubtful_replies_are_sent_only_where_twice_is_once(
    tmp_path: Path, idempotent: set[str], dead: int
) -> None:
    async with shelf(tmp_path) as filled:
        pending, sending, sent = [await filled.answered(f"m{n}") for n in range(3)]
        await filled.store.record_attempt(sending.event.id, 1001.0)
        await filled.store.confirm_sent(sent.event.id, 1001.0)
        await restored(filled)
        assert [row.status for row in await filled.store.outbox_rows(10)] == ["doubtful"] * 2
        found = await filled.store.unsent(idempotent)
        assert all(one.since > 1_000_000 for one in found), "with all its time before it"
        assert [(one.ended, one.doubtful) for one in found] == [(pending, True), (sending, True)][dead:]
        assert len(await filled.store.dead(10, DeadReason.RESTORED)) == dead
        assert filled.store.figures().pending == 2 - dead


async def test_a_restored_log_goes_on_beyond_every_clients_cursor(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        await restored(filled)
        first = await filled.accept("m1")
        assert first.event_id == 1_000_001
        await filled.store.snapshot(tmp_path / "copy")
        lost = await filled.accept("m2")
        TenantStore.mark_restored(tmp_path / "copy", (KEY,))
        filled.path = tmp_path / "copy"
        await filled.reopen()
        assert (await filled.answered("m3")).event.id > lost.event_id
