"""Handoff is fenced: a bot's reply of an older epoch never goes out, wherever the takeover meets it."""

import asyncio
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest

from edge_node.messages import Delivery
from tests.edge_node.stage import TENANT
from tests.edge_node.turns.outbox import BUSY, Outbox, Vendor, never, outbox

pytestmark = pytest.mark.unit

BOTH = pytest.mark.parametrize("idempotent", [True, False])


@BOTH
async def test_a_takeover_between_a_replys_commit_and_its_send_keeps_it_back(tmp_path: Path, idempotent: bool) -> None:
    vendor = Vendor(idempotent=idempotent)
    async with outbox(tmp_path, vendor) as bench:
        ended = await bench.commit("one")
        await bench.store.change_owner(ended.conversation.id, "agent", time.time())
        bench.sender.send(TENANT, bench.store, ended)
        await bench.is_empty()
        assert bench.counted("nearside_outbox_sends_total", outcome="dropped") == 1
        assert await bench.dead() == []
    assert vendor.asked == []


@BOTH
async def test_a_takeover_during_a_back_off_keeps_the_reply_back(tmp_path: Path, idempotent: bool) -> None:
    vendor = Vendor(BUSY, idempotent=idempotent)
    async with outbox(tmp_path, vendor, back_off=never) as bench:
        ended = await bench.reply("one")
        await bench.postponed()
        unsent = await bench.store.revived_reply(ended.event.id)
        assert unsent is not None
        await bench.store.change_owner(ended.conversation.id, "agent", time.time())
        bench.sender.resume(TENANT, bench.store, replace(unsent, next_at=None))
        await bench.is_empty()
    assert len(vendor.asked) == 1
    assert vendor.arrived == []


async def test_a_takeover_while_the_attempt_is_being_recorded_keeps_the_reply_back(tmp_path: Path) -> None:
    vendor = Vendor()
    async with outbox(tmp_path, vendor) as bench:
        record = bench.store.record_attempt

        async def record_and_take_over(event_id: int, at: float) -> None:
            await record(event_id, at)
            await bench.store.change_owner(ended.conversation.id, "agent", time.time())

        bench.store.record_attempt = record_and_take_over  # type: ignore[method-assign]
        ended = await bench.reply("one")
        await bench.is_empty()
    assert vendor.asked == []


@BOTH
async def test_a_takeover_while_the_edge_is_down_keeps_the_reply_back(tmp_path: Path, idempotent: bool) -> None:
    vendor = Vendor(BUSY, idempotent=idempotent)
    async with outbox(tmp_path, vendor, back_off=never) as bench:
        ended = await bench.reply("one")
        await bench.postponed()
    async with outbox(tmp_path, vendor) as bench:
        await bench.store.change_owner(ended.conversation.id, "agent", time.time())
    async with outbox(tmp_path, vendor) as bench:
        await bench.resume()
        assert await bench.rows() == []
    assert vendor.arrived == []


@BOTH
async def test_the_reply_that_hands_over_goes_out_itself_and_keeps_back_those_before_it(
    tmp_path: Path, idempotent: bool
) -> None:
    vendor = Vendor(BUSY, idempotent=idempotent)
    async with outbox(tmp_path, vendor, back_off=never) as bench:
        waiting = await bench.reply("one")
        await bench.postponed()
        unsent = await bench.store.revived_reply(waiting.event.id)
        assert unsent is not None
        await bench.reply("a colleague takes over", owner="agent")
        bench.sender.resume(TENANT, bench.store, replace(unsent, next_at=None))
        await bench.is_empty()
    assert vendor.texts() == ["a colleague takes over"]


class Watched(Vendor):
    """Notes every send that begins after its conversation was taken over."""

    def __init__(self, idempotent: bool) -> None:
        super().__init__(idempotent=idempotent)
        self.taken_over: set[str] = set()
        self.too_late: list[str] = []

    def show(self, delivery: Delivery) -> bool:
        return False

    async def send(self, delivery: Delivery) -> None:
        if delivery.conversation.thread in self.taken_over:
            self.too_late.append(delivery.conversation.thread)
        await super().send(delivery)


async def race(bench: Outbox, vendor: Watched, thread: str, chance: random.Random) -> None:
    """One conversation gets replies while an agent takes it over at any moment."""
    first = await bench.commit("0", thread)

    async def speak() -> None:
        bench.sender.send(TENANT, bench.store, first)
        for text in ("1", "2"):
            try:
                await bench.reply(text, thread)
            except AssertionError:
                return  # the turn was dropped: an agent owns the conversation

    async def take_over() -> None:
        for _ in range(chance.randrange(12)):
            await asyncio.sleep(0)
        await asyncio.sleep(chance.choice([0, 0, 0.001, 0.003]))
        await bench.store.change_owner(first.conversation.id, "agent", time.time())
        vendor.taken_over.add(thread)

    await asyncio.gather(speak(), take_over())


@BOTH
async def test_no_send_begins_once_a_takeover_is_committed(tmp_path: Path, idempotent: bool) -> None:
    vendor, chance = Watched(idempotent), random.Random(3)
    async with outbox(tmp_path, vendor) as bench:
        for round_of in range(8):
            await asyncio.gather(*(race(bench, vendor, f"t{round_of}-{number}", chance) for number in range(25)))
        await bench.is_empty()
    assert vendor.too_late == []
    seen = [vendor.texts(thread) for thread in vendor.taken_over]
    assert all(texts == ["0", "1", "2"][: len(texts)] for texts in seen)
    assert 0 < sum(map(len, seen)) < 3 * len(seen), "the takeover came first every time, or never"
