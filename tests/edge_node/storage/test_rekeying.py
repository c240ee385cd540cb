"""A new key for a file that is in use."""

import asyncio
import resource
from pathlib import Path

import pytest

from edge_node.storage.store import TenantStore
from nearside.errors import StorageError
from tests.edge_node.storage.shelf import KEY, OTHER_KEY, Shelf, shelf

pytestmark = pytest.mark.unit


async def test_nobody_who_writes_or_reads_meanwhile_fails_and_nothing_is_lost(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        for number in range(300):
            filled.store.mark_sent((await filled.answered(f"m{number}", f"t{number}")).event.id, 1001.0)
        stopping = asyncio.Event()

        async def talk(task: int) -> list[str]:
            turn_ids: list[str] = []
            while not stopping.is_set():
                ended = await filled.answered(f"n{task}-{len(turn_ids)}", f"t{task}")
                assert await filled.store.reply_to(ended.event.turn_id) == ended.event
                assert filled.store.figures().queued <= 16
                turn_ids.append(ended.event.turn_id)
            return turn_ids

        talking = [asyncio.create_task(talk(task)) for task in range(16)]
        for key in (OTHER_KEY, KEY, OTHER_KEY):
            await filled.store.rekey(key)
        stopping.set()
        ended = sum(await asyncio.gather(*talking), [])
        await filled.store.close()
        with pytest.raises(StorageError):
            await TenantStore.open(filled.path, KEY)
        filled.store = await TenantStore.open(filled.path, (KEY, OTHER_KEY))
        assert filled.store.key == OTHER_KEY
        found = {row[0] for row in filled.rows("SELECT turn_id FROM inbox WHERE status = 'done'")}
        assert found.issuperset(ended) and len(found) == 300 + len(ended)


async def test_a_new_key_changes_no_secret(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        purposes = ("conversation-token", "conversation-ref", "seen-message")
        secrets = [filled.store.secret(purpose) for purpose in purposes]
        await filled.accept("m1")
        await filled.store.forget("c1", 1001.0)
        await filled.store.rekey(OTHER_KEY)
        await filled.reopen()
        assert [filled.store.secret(purpose) for purpose in purposes] == secrets
        assert (await filled.accept("m1")).duplicate


async def test_the_first_key_that_fits_opens_the_file(tmp_path: Path) -> None:
    async with shelf(tmp_path):
        pass
    for keys in ((KEY, OTHER_KEY), (OTHER_KEY, KEY)):
        store = await TenantStore.open(tmp_path / "edge.db", keys)
        assert store.key == KEY
        await store.close()
    with pytest.raises(StorageError, match="does not open"):
        await TenantStore.open(tmp_path / "edge.db", (OTHER_KEY, bytes(32)))


async def test_where_there_is_no_space_the_file_keeps_its_key_and_goes_on(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        await filled_up(filled)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (filled.path.stat().st_size // 2, hard))
        try:
            with pytest.raises(StorageError, match="kept its key"):
                await filled.store.rekey(OTHER_KEY)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert filled.store.key == KEY
        await filled.accept("m-after")
        await filled.reopen()
        assert len(await filled.store.open_turns()) == 401
        await filled.store.rekey(OTHER_KEY)
        assert filled.store.key == OTHER_KEY


@pytest.mark.parametrize("length", [0, 16, 31, 33])
async def test_a_key_of_another_length_is_refused(tmp_path: Path, length: int) -> None:
    async with shelf(tmp_path) as filled:
        await filled.accept("m1")
        with pytest.raises(StorageError, match="32 bytes"):
            await filled.store.rekey(bytes(length))
        await filled.reopen()
        assert len(await filled.store.open_turns()) == 1


async def test_a_new_key_is_taken_though_nobody_waits_for_it(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        await filled_up(filled)
        rekeying = asyncio.create_task(filled.store.rekey(OTHER_KEY))
        await asyncio.sleep(0)
        rekeying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await rekeying
        await filled.accept("m-after")
        await filled.reopen()
        assert filled.store.key == OTHER_KEY
        assert len(await filled.store.open_turns()) == 401


async def filled_up(filled: Shelf) -> None:
    """More than SQLite keeps in its cache."""
    await asyncio.gather(*(filled.accept(f"m{n}", f"t{n}", text="x" * 8000) for n in range(400)))
