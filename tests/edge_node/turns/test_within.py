import asyncio
import contextvars

import pytest

from edge_node.turns.within import within

pytestmark = pytest.mark.unit


async def at_once() -> str:
    return "found"


async def after(waits: int, seconds: float = 0.0) -> str:
    for _ in range(waits):
        await asyncio.sleep(seconds)
    return "found"


async def broken(waits: int) -> str:
    await after(waits)
    raise LookupError


async def test_no_timer_is_set_for_what_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(asyncio, "timeout")
    assert await within(0.001, at_once()) == "found"
    with pytest.raises(AttributeError):
        await within(0.001, after(1))


@pytest.mark.parametrize("seconds", [None, 60.0])
async def test_what_waits_a_little_comes_to_its_end(seconds: float | None) -> None:
    assert await within(seconds, after(3)) == "found"
    assert await within(seconds, asyncio.create_task(after(2))) == "found"
    assert await within(seconds, within(seconds, after(2))) == "found"


async def test_what_waits_too_long_is_cancelled_where_it_waits() -> None:
    seen: list[str] = []

    async def waiting() -> None:
        try:
            await after(1)
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    with pytest.raises(TimeoutError):
        await within(0.01, waiting())
    assert seen == ["cancelled"]


async def test_the_deadline_is_one_for_all_that_is_waited_for() -> None:
    with pytest.raises(TimeoutError):
        await within(0.05, after(1_000, 0.01))


@pytest.mark.parametrize("waits", [0, 1, 2])
async def test_what_breaks_says_so_itself(waits: int) -> None:
    with pytest.raises(LookupError):
        await within(60.0, broken(waits))


@pytest.mark.parametrize("seconds", [0.0, 60.0])
async def test_who_is_cancelled_meanwhile_is_told_that_and_not_that_it_took_too_long(seconds: float) -> None:
    async def waiting() -> str:
        return await within(60.0, after(1, seconds))

    task = asyncio.create_task(waiting())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_work_that_goes_on_after_an_error_it_waited_for_is_waited_for() -> None:
    async def tried_again() -> str:
        try:
            await asyncio.create_task(broken(1))
        except LookupError:
            return await after(2)
        return "not broken"

    assert await within(60.0, tried_again()) == "found"


async def test_it_runs_as_part_of_its_task() -> None:
    mine = contextvars.ContextVar[str]("mine")
    task = asyncio.current_task()

    async def looking() -> bool:
        mine.set("before")
        await after(1)
        return mine.get() == "before" and asyncio.current_task() is task

    assert await within(60.0, looking()) and mine.get() == "before"
