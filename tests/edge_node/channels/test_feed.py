"""What subscribers are handed."""

import asyncio
import contextlib

import pytest

from edge_node.channels.drafts import Frame
from edge_node.channels.feed import BEHIND, Feed, Subscription

pytestmark = pytest.mark.unit

KEY = ("demo", "web", "t1")


def frame(number: int) -> Frame:
    return {"type": "event", "number": number}


async def test_all_that_has_come_is_handed_out_at_once_and_in_order() -> None:
    subscription = Subscription()
    for number in range(3):
        subscription.put(frame(number))
    assert list(await subscription.all()) == [frame(0), frame(1), frame(2)]
    reading = asyncio.create_task(subscription.all())
    await asyncio.sleep(0)
    subscription.put(frame(3))
    subscription.put(frame(4))
    assert list(await reading) == [frame(3), frame(4)]


async def test_one_who_stops_waiting_misses_nothing() -> None:
    subscription = Subscription()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.01):
            await subscription.next()
    subscription.put(frame(1))
    assert await subscription.next() == frame(1)


async def test_one_who_is_too_far_behind_is_cut_off_once() -> None:
    subscription = Subscription()
    for number in range(BEHIND + 1):
        subscription.put(frame(number))
    subscription.put(frame(BEHIND + 1))
    assert list(await subscription.all()) == [None]


async def test_the_close_of_the_feed_reaches_one_who_waits() -> None:
    feed = Feed()
    with feed.subscribe(KEY) as subscription:
        waiting = asyncio.create_task(subscription.next())
        await asyncio.sleep(0)
        feed.close()
        assert await waiting is None


async def test_others_are_those_who_look_besides_oneself() -> None:
    feed = Feed()
    with feed.subscribe(KEY) as subscription:
        assert not feed.others(KEY, besides=subscription)
        assert feed.others(KEY)
        with feed.subscribe(KEY):
            assert feed.others(KEY, besides=subscription)
    assert not feed.others(KEY)
