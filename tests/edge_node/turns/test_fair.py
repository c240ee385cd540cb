import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_node.turns.fair import Fair, FairThread, Rotation, Slot
from edge_node.turns.serial import Serial
from nearside.encoder import Encoding
from tests.edge_node.stage import until

pytestmark = pytest.mark.unit

TENANTS = st.sampled_from(["a", "b", "c"])


def drained(rotation: Rotation[int]) -> list[tuple[str, int]]:
    taken = []
    while (found := rotation.take()) is not None:
        taken.append(found)
    return taken


def no_texts(texts: Sequence[str]) -> Iterator[dict[int, Encoding]]:
    raise AssertionError("nothing is to be read")


def test_each_tenant_has_its_turn_whatever_the_others_have_put_in_before() -> None:
    rotation: Rotation[int] = Rotation()
    for number in range(100):
        rotation.put("flood", number)
    rotation.put("other", 0)
    rotation.put("other", 1)
    assert drained(rotation)[:4] == [("flood", 0), ("other", 0), ("flood", 1), ("other", 1)]


@given(st.lists(TENANTS))
def test_a_rotation_loses_nothing_and_keeps_each_tenants_order(tenants: list[str]) -> None:
    rotation: Rotation[int] = Rotation()
    for number, tenant in enumerate(tenants):
        rotation.put(tenant, number)
    taken = drained(rotation)
    for name in set(tenants):
        assert [n for tenant, n in taken if tenant == name] == [n for n, tenant in enumerate(tenants) if tenant == name]
    waiting = Counter(tenants)
    for (tenant, _), (following, _) in zip(taken, taken[1:], strict=False):
        waiting[tenant] -= 1
        assert following != tenant or set(+waiting) == {tenant}


@pytest.mark.parametrize(("tenants", "share"), [(1, 6), (2, 4), (3, 3), (5, 2)])
async def test_there_is_always_room_for_one_more_tenant(tenants: int, share: int) -> None:
    slots, held = Fair(12), Counter[str]()

    async def hold(tenant: str) -> None:
        await slots.take(tenant)
        held[tenant] += 1

    floods = [asyncio.create_task(hold(f"flood{n % tenants}")) for n in range(100)]
    await asyncio.sleep(0)
    assert set(held.values()) == {share}
    await asyncio.wait_for(hold("late"), 5)
    assert held["late"] == 1
    for task in floods:
        task.cancel()
    await asyncio.gather(*floods, return_exceptions=True)


@given(st.integers(1, 4), st.lists(st.tuples(TENANTS, st.integers(0, 3), st.booleans()), max_size=40))
def test_slots_are_never_lost_nor_doubled(width: int, takers: list[tuple[str, int, bool]]) -> None:
    """Takers hold their slot for some rounds of the loop; some are cancelled, waiting or holding."""

    async def attack() -> None:
        slots, holding = Fair(width), 0

        async def take(tenant: str, rounds: int) -> None:
            nonlocal holding
            await slots.take(tenant)
            holding += 1
            assert holding <= width
            try:
                for _ in range(rounds):
                    await asyncio.sleep(0)
            finally:
                holding -= 1
                slots.give_back(tenant)

        tasks = []
        for tenant, rounds, is_cancelled in takers:
            tasks.append(asyncio.create_task(take(tenant, rounds)))
            await asyncio.sleep(0)
            if is_cancelled:
                tasks[len(tasks) // 2].cancel()
        for _ in range(10 * len(tasks)):
            await asyncio.sleep(0)
        assert all(task.done() for task in tasks)
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert not [one for one in ended if isinstance(one, AssertionError)]
        assert slots._free == width

    asyncio.run(attack())


async def test_the_encoders_thread_goes_round_between_tenants_and_leaves_out_who_went_away() -> None:
    done: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        thread, began, gate = FairThread(pool, no_texts), asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def hold() -> None:
            loop.call_soon_threadsafe(began.set)
            asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(20)

        flood = [asyncio.create_task(thread.run("flood", hold))]
        await began.wait()
        flood += [asyncio.create_task(thread.run("flood", partial(done.append, "flood"))) for _ in range(1_000)]
        other = [asyncio.create_task(thread.run("other", partial(done.append, "other"))) for _ in range(20)]
        gone = asyncio.create_task(thread.run("other", partial(done.append, "gone")))
        await asyncio.sleep(0)
        gone.cancel()
        gate.set()
        await asyncio.gather(*other)
        await asyncio.gather(*flood)
    assert done.index("other") <= 2 and len(done) - done[::-1].index("other") <= 42
    assert "gone" not in done and len(done) == 1_020


async def test_what_the_encoder_raises_reaches_the_one_who_asked() -> None:
    with ThreadPoolExecutor(1) as pool:
        thread = FairThread(pool, no_texts)
        with pytest.raises(ZeroDivisionError):
            await thread.run("a", lambda: 1 // 0)
        assert await thread.run("a", lambda: 7) == 7


async def test_suspects_begin_one_at_a_time_and_hold_up_nobody_else() -> None:
    serial, gate, began = Serial(8), asyncio.Event(), list[str]()

    async def work(name: str, waits: bool, slot: Slot) -> None:
        began.append(name)
        if waits:
            await gate.wait()

    for number in range(3):
        serial.submit(("t", f"s{number}"), partial(work, f"suspect {number}", True), suspect=True)
    serial.submit(("t", "c"), partial(work, "innocent", False))
    await until(lambda: "innocent" in began)
    assert sorted(began) == ["innocent", "suspect 0"]
    gate.set()
    assert await serial.drain(20)
    assert [name for name in began if name != "innocent"] == ["suspect 0", "suspect 1", "suspect 2"]


async def test_a_suspect_that_only_waits_is_let_be_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_node.turns.serial.ALONE_S", 0.05)
    serial, began = Serial(8), list[str]()

    async def work(name: str, slot: Slot) -> None:
        began.append(name)
        await asyncio.Event().wait()

    for name in ("one", "two"):
        serial.submit(("t", name), partial(work, name), suspect=True)
    await until(lambda: began == ["one", "two"])
    assert not await serial.drain(0.01)


async def test_what_a_piece_of_work_waits_for_first_takes_no_slot() -> None:
    serial, quiet, done = Serial(1), asyncio.Event(), list[str]()

    async def work(name: str, slot: Slot) -> None:
        done.append(name)

    async def ready() -> None:
        await quiet.wait()

    serial.submit(("t", "one"), partial(work, "held"), ready=ready)
    serial.submit(("t", "one"), partial(work, "after it"))
    serial.submit(("t", "two"), partial(work, "other"))
    await until(lambda: done == ["other"])
    quiet.set()
    assert await serial.drain(20)
    assert done == ["other", "held", "after it"]
