"""Nobody waits for a stranger: neither for another channel, nor for another conversation of the same one."""

import asyncio
from pathlib import Path

import pytest

from edge_node.messages import Delivery
from edge_node.turns.lines import PLACES, PLACES_OF_REPEATS
from tests.edge_node.stage import until
from tests.edge_node.turns.outbox import BUSY, Hang, Vendor, outbox

pytestmark = pytest.mark.unit

CROWD = 200


class Down(Vendor):
    """Fails every time, or never answers."""

    def __init__(self, step: Exception | Hang) -> None:
        super().__init__()
        self._step = step

    def show(self, delivery: Delivery) -> bool:
        return False

    async def send(self, delivery: Delivery) -> None:
        self.script.append(self._step)
        await super().send(delivery)


@pytest.mark.parametrize("step", [BUSY, Hang()])
async def test_a_crowd_that_fails_on_one_channel_does_not_slow_another(tmp_path: Path, step: Exception | Hang) -> None:
    down, up = Down(step), Vendor()
    async with outbox(tmp_path, down, {"other": up}, back_off=lambda *_: 0.5) as bench:
        await asyncio.gather(*(bench.reply("one", f"t{number}") for number in range(CROWD)))
        await until(lambda: len(down.asked) >= PLACES)
        for text in ("one", "two", "three"):
            await bench.reply(text, "flowing", channel="other")
        await until(lambda: up.texts("flowing") == ["one", "two", "three"])
        assert down.arrived == []
        await until(lambda: bench.store.figures().pending == CROWD)


class Stubborn(Vendor):
    """Refuses each conversation's first send for now and never answers the second; new conversations flow."""

    def show(self, delivery: Delivery) -> bool:
        return False

    async def send(self, delivery: Delivery) -> None:
        if delivery.conversation.thread.startswith("stuck"):
            self.script.append(BUSY if delivery.attempt == 1 else Hang())
        await super().send(delivery)


async def test_conversations_that_hang_again_and_again_leave_room_for_the_others(tmp_path: Path) -> None:
    vendor = Stubborn()
    async with outbox(tmp_path, vendor) as bench:
        await asyncio.gather(*(bench.reply("one", f"stuck{number}") for number in range(CROWD)))
        await until(lambda: len(vendor.asked) == CROWD + PLACES_OF_REPEATS)
        for number in range(PLACES):
            await bench.reply("one", f"flowing{number}")
        await until(lambda: len(vendor.arrived) == PLACES)
        assert len(vendor.asked) == CROWD + PLACES_OF_REPEATS + PLACES


async def test_an_account_is_sent_to_from_a_bounded_number_of_places(tmp_path: Path) -> None:
    class Counting(Vendor):
        now = most = 0

        def show(self, delivery: Delivery) -> bool:
            return False

        async def send(self, delivery: Delivery) -> None:
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0.001)
            self.now -= 1
            await super().send(delivery)

    vendor = Counting()
    async with outbox(tmp_path, vendor) as bench:
        await asyncio.gather(*(bench.reply("one", f"t{number}") for number in range(CROWD)))
        await bench.is_empty()
    assert len(vendor.arrived) == CROWD
    assert 1 < vendor.most <= PLACES


async def test_replies_that_wait_hold_no_task(tmp_path: Path) -> None:
    vendor = Vendor(*[BUSY] * CROWD)
    async with outbox(tmp_path, vendor, back_off=lambda *_: 60.0) as bench:
        await asyncio.gather(*(bench.reply("one", f"t{number}") for number in range(CROWD)))
        await bench.postponed(CROWD)
        await until(lambda: len(asyncio.all_tasks()) == 1)
        assert vendor.arrived == []
