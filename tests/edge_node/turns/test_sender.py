"""The outbox: in order, again until it works, and to the dead list when it never will."""

import asyncio
import contextlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_node.messages import Delivery
from edge_node.turns import sender as sender_module
from edge_node.turns.backoff import wait_s
from nearside.errors import DeliveryError, StorageError
from tests.edge_node.stage import TENANT, until
from tests.edge_node.turns.outbox import BUSY, LONG_S, REFUSED, TOO_FAST, Hang, Vendor, never, outbox

pytestmark = pytest.mark.unit

GATEWAY = DeliveryError("the vendor answers 502", retryable=True, doubtful=True)


@pytest.mark.parametrize("idempotent", [True, False])
@pytest.mark.parametrize("failure", [BUSY, GATEWAY, TimeoutError(), ConnectionResetError()])
async def test_a_send_that_failed_is_tried_again_under_the_same_key(
    tmp_path: Path, failure: Exception, idempotent: bool
) -> None:
    vendor = Vendor(failure, failure, idempotent=idempotent)
    async with outbox(tmp_path, vendor) as bench:
        await bench.reply("one")
        await bench.is_empty()
        assert bench.counted("nearside_outbox_sends_total", outcome="postponed") == 2
        assert bench.counted("nearside_outbox_sends_total", outcome="sent") == 1
    assert vendor.texts() == ["one"]
    assert [asked.attempt for asked in vendor.asked] == [1, 2, 3]
    assert len({asked.key for asked in vendor.asked}) == 1


@pytest.mark.parametrize(
    ("failure", "is_doubtful"),
    [(BUSY, False), (TOO_FAST, False), (GATEWAY, True), (TimeoutError(), True), (ConnectionResetError(), True)],
)
async def test_a_repeat_says_whether_an_earlier_send_may_have_arrived(
    tmp_path: Path, failure: Exception, is_doubtful: bool
) -> None:
    vendor = Vendor(failure)
    async with outbox(tmp_path, vendor) as bench:
        await bench.reply("one")
        await bench.is_empty()
        assert bench.counted("nearside_outbox_doubtful_total") == is_doubtful
    assert [asked.doubtful for asked in vendor.asked] == [False, is_doubtful]


@pytest.mark.parametrize("failure", [REFUSED, KeyError("a fault of the channel")])
async def test_a_refused_reply_goes_to_the_dead_list_and_lets_the_next_one_go(
    tmp_path: Path, failure: Exception
) -> None:
    vendor = Vendor(failure)
    async with outbox(tmp_path, vendor) as bench:
        await bench.reply("one")
        await bench.reply("two")
        await bench.is_empty()
        assert await bench.dead() == ["refused"]
        assert bench.counted("nearside_outbox_sends_total", outcome="refused") == 1
    assert vendor.texts() == ["two"]


async def test_a_reply_is_given_up_when_its_time_is_over(tmp_path: Path) -> None:
    vendor = Vendor(*[BUSY] * 3)
    async with outbox(tmp_path, vendor, give_up_s=1.0, back_off=lambda failed, _: 0.0 if failed < 3 else 2.0) as bench:
        await bench.reply("one")
        await bench.reply("two")
        await bench.is_empty()
        assert await bench.dead() == ["gave_up"]
        assert bench.counted("nearside_outbox_sends_total", outcome="gave_up") == 1
    assert vendor.texts() == ["two"]
    assert len(vendor.asked) == 4


async def test_a_reply_of_a_channel_that_is_gone_goes_to_the_dead_list(tmp_path: Path) -> None:
    vendor = Vendor()
    async with outbox(tmp_path, vendor) as bench:
        await bench.reply("one", channel="telex")
        await bench.is_empty()
        assert await bench.dead() == ["refused"]
        assert "telex" not in bench.sender.idempotent_channels


async def test_a_send_that_hangs_is_cut_off_and_tried_again(tmp_path: Path) -> None:
    vendor = Vendor(Hang(arrives=True))
    async with outbox(tmp_path, vendor, send_within_s=0.05) as bench:
        await bench.reply("one")
        await bench.is_empty()
        assert bench.counted("nearside_outbox_doubtful_total") == 1
    assert vendor.texts() == ["one", "one"]
    assert [asked.doubtful for asked in vendor.asked] == [False, True]


async def test_a_channel_that_cancels_itself_does_not_stop_its_conversation(tmp_path: Path) -> None:
    class Cancelling(Vendor):
        def show(self, delivery: Delivery) -> bool:
            return False

        async def send(self, delivery: Delivery) -> None:
            if not self.asked:
                self.asked.append(delivery)
                raise asyncio.CancelledError
            await super().send(delivery)

    vendor = Cancelling()
    async with outbox(tmp_path, vendor) as bench:
        await bench.reply("one")
        await bench.is_empty()
    assert vendor.texts() == ["one"]


async def test_a_reply_that_waits_keeps_the_later_ones_of_its_conversation_behind_it(tmp_path: Path) -> None:
    vendor = Vendor(TOO_FAST)
    async with outbox(tmp_path, vendor, back_off=never) as bench:
        for text in ("one", "two", "three"):
            await bench.reply(text)
        await bench.postponed()
        await bench.reply("elsewhere", "t2")
        await until(lambda: vendor.texts("t2") == ["elsewhere"])
        assert vendor.texts() == []
        await bench.resume()
        assert [row.attempts for row in await bench.rows()] == [1, 0, 0]
        for row in await bench.rows():
            unsent = await bench.store.revived_reply(int(row.id[1:]))
            assert unsent is not None
            bench.sender.resume(TENANT, bench.store, replace(unsent, next_at=None))
        await bench.is_empty()
    assert vendor.texts() == ["one", "two", "three"]


@pytest.mark.parametrize("idempotent", [True, False])
async def test_what_the_vendor_asked_for_is_kept_over_a_restart_and_so_is_the_order(
    tmp_path: Path, idempotent: bool
) -> None:
    vendor = Vendor(TOO_FAST, idempotent=idempotent)
    async with outbox(tmp_path, vendor, back_off=wait_s) as bench:
        await bench.reply("one")
        await bench.reply("two")
        await bench.postponed()
    async with outbox(tmp_path, vendor, back_off=wait_s) as bench:
        row = (await bench.rows())[0]
        assert row.next_at is not None and 0 <= row.next_at - row.since - LONG_S < 30
        assert row.reason == "DeliveryError: the vendor answers 429"
        await bench.resume()
        await bench.reply("three")
        await bench.reply("elsewhere", "t2")
        await until(lambda: vendor.texts("t2") == ["elsewhere"])
        assert len(vendor.asked) == 2
        for unsent in await bench.store.unsent(bench.sender.idempotent_channels):
            if unsent.ended.conversation.thread == "t1":
                bench.sender.resume(TENANT, bench.store, replace(unsent, next_at=time.time() + 0.01))
        await bench.is_empty()
    assert vendor.texts() == ["one", "two", "three"]
    assert [asked.attempt for asked in vendor.asked] == [1, 1, 2, 1, 1]
    assert not any(asked.doubtful for asked in vendor.asked)


@pytest.mark.parametrize(("since_s", "end"), [(-60.0, ["gave_up"]), (0.0, [])])
async def test_the_time_of_a_reply_runs_on_over_a_restart(tmp_path: Path, since_s: float, end: list[str]) -> None:
    vendor = Vendor(BUSY, BUSY)
    async with outbox(tmp_path, vendor, back_off=never, give_up_s=2 * LONG_S) as bench:
        await bench.reply("one")
        await bench.postponed()
    async with outbox(tmp_path, vendor, give_up_s=30) as bench:
        [unsent] = await bench.store.unsent(())
        assert 0 <= time.time() - unsent.since < 30
        bench.sender.resume(TENANT, bench.store, replace(unsent, since=unsent.since + since_s, next_at=None))
        await bench.is_empty()
        assert await bench.dead() == end
    assert vendor.texts() == ([] if end else ["one"])


@pytest.mark.parametrize("failure", [TimeoutError(), ConnectionResetError(), GATEWAY])
async def test_a_send_of_unknown_outcome_waits_in_sight_and_is_one_doubt_whatever_comes(
    tmp_path: Path, failure: Exception
) -> None:
    vendor = Vendor(failure)
    async with outbox(tmp_path, vendor, back_off=never) as bench:
        ended = await bench.reply("one")
        await bench.postponed()
        [row] = await bench.rows()
        assert (row.status, row.attempts, row.doubts) == ("pending", 1, 1) and row.reason and row.next_at
        found = await bench.store.revived_reply(ended.event.id)
        assert found is not None and found.doubts == 1
    async with outbox(tmp_path, vendor, back_off=never) as bench:
        [found] = await bench.store.unsent(())
        assert (found.attempts, found.doubts) == (1, 1)
        bench.sender.resume(TENANT, bench.store, replace(found, next_at=None))
        await bench.is_empty()
        assert bench.store.figures().doubts == 1
    assert [asked.doubtful for asked in vendor.asked] == [False, True]


async def test_a_send_of_unknown_outcome_is_no_doubt_where_twice_is_once(tmp_path: Path) -> None:
    vendor = Vendor(TimeoutError(), idempotent=True)
    async with outbox(tmp_path, vendor, back_off=never) as bench:
        await bench.reply("one")
        await bench.postponed()
        assert bench.store.figures().doubts == 0


@pytest.mark.parametrize(
    ("failure", "give_up_s"), [(KeyError("a fault of the channel"), LONG_S), (TimeoutError(), -1.0)]
)
async def test_what_was_brought_back_from_the_dead_list_is_still_in_doubt(
    tmp_path: Path, failure: Exception, give_up_s: float
) -> None:
    vendor = Vendor(failure)
    async with outbox(tmp_path, vendor, give_up_s=give_up_s) as bench:
        await bench.reply("one")
        await bench.is_empty()
        [item] = await bench.store.dead(10)
        await bench.store.revive(item.id, time.time())
        unsent = await bench.store.revived_reply(int(item.id[1:]))
        assert unsent is not None and unsent.doubts == 1
        bench.sender.resume(TENANT, bench.store, unsent)
        await bench.is_empty()
    assert [asked.doubtful for asked in vendor.asked] == [False, True]


async def test_a_reply_brought_back_from_the_dead_list_goes_out(tmp_path: Path) -> None:
    vendor = Vendor(REFUSED)
    async with outbox(tmp_path, vendor) as bench:
        await bench.reply("one")
        await bench.is_empty()
        [item] = await bench.store.dead(10)
        await bench.store.revive(item.id, time.time())
        unsent = await bench.store.revived_reply(int(item.id[1:]))
        assert unsent is not None
        bench.sender.resume(TENANT, bench.store, unsent)
        await bench.is_empty()
    assert vendor.texts() == ["one"]


async def test_a_full_store_makes_no_reply_go_out_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "STORE_AGAIN_S", 0.01)
    vendor = Vendor()
    refusals: list[str] = []
    async with outbox(tmp_path, vendor) as bench:
        for name in ("record_attempt", "confirm_sent"):
            monkeypatch.setattr(bench.store, name, refusing(getattr(bench.store, name), refusals))
        await bench.reply("one")
        await bench.reply("two")
        await bench.is_empty()
    assert vendor.texts() == ["one", "two"]
    assert len(refusals) == 8


def refusing(record: Any, refusals: list[str]) -> Any:
    """The store's method, failing twice for each reply before it works."""
    left: dict[int, int] = {}

    async def refuse(event_id: int, at: float) -> None:
        left[event_id] = left.get(event_id, 2) - 1
        if left[event_id] >= 0:
            refusals.append(record.__name__)
            raise StorageError("the disk is full")
        await record(event_id, at)

    return refuse


async def test_forgotten_conversations_get_nothing_more(tmp_path: Path) -> None:
    vendor = Vendor(Hang(), TOO_FAST)
    async with outbox(tmp_path, vendor, back_off=never) as bench:
        hanging = await bench.reply("one", "t1")
        await until(lambda: len(vendor.asked) == 1)
        waiting = await bench.reply("one", "t2")
        await bench.reply("two", "t2")
        await bench.postponed()
        bench.sender.forget("demo", [hanging.conversation.id, waiting.conversation.id, "unknown"])
        await bench.reply("new", "t1")
        await bench.reply("new", "t2")
        await until(lambda: len(vendor.arrived) == 2)
    assert vendor.texts("t1") == vendor.texts("t2") == ["new"]


async def test_a_channel_that_will_not_be_cancelled_sends_nothing_more_to_who_was_forgotten(tmp_path: Path) -> None:
    class Deaf(Vendor):
        def show(self, delivery: Delivery) -> bool:
            return False

        async def send(self, delivery: Delivery) -> None:
            with contextlib.suppress(asyncio.CancelledError):
                await super().send(delivery)

    vendor = Deaf(Hang(), TOO_FAST)
    async with outbox(tmp_path, vendor, back_off=never) as bench:
        hanging = await bench.reply("one")
        await bench.reply("two")
        await until(lambda: len(vendor.asked) == 1)
        bench.sender.forget("demo", [hanging.conversation.id])
        await bench.reply("new")
        await bench.reply("newer")
        await bench.postponed()
    assert [asked.event.body["text"] for asked in vendor.asked] == ["one", "new"]


async def test_a_stop_lets_a_send_end_and_leaves_the_rest(tmp_path: Path) -> None:
    vendor = Vendor(idempotent=False)
    async with outbox(tmp_path, vendor) as bench:
        await bench.reply("one")
        await bench.sender.drain(10)
        assert vendor.texts() == ["one"]
        await bench.reply("two")
        await asyncio.sleep(0.05)
        assert [row.attempts for row in await bench.rows()] == [0]
    async with outbox(tmp_path, vendor) as bench:
        await bench.resume()
        await bench.is_empty()
    assert vendor.texts() == ["one", "two"]


async def test_a_send_cut_off_by_the_stop_is_a_counted_doubt(tmp_path: Path) -> None:
    vendor = Vendor(Hang(arrives=True))
    async with outbox(tmp_path, vendor) as bench:
        await bench.reply("one")
        await until(lambda: len(vendor.arrived) == 1)
    async with outbox(tmp_path, vendor) as bench:
        await bench.resume()
        await bench.is_empty()
        assert bench.store.figures().doubts == 1
        assert bench.counted("nearside_outbox_doubtful_total") == 1
    assert [arrived.doubtful for arrived in vendor.arrived] == [False, True]


def test_the_wait_doubles_under_jitter_up_to_five_minutes_and_the_vendors_word_wins() -> None:
    assert [wait_s(failed, chance=lambda: 1.0) for failed in (1, 2, 3, 9, 10, 99)] == [1, 2, 4, 256, 300, 300]
    assert wait_s(9, chance=lambda: 0.25) == 64
    assert [wait_s(1, asked, lambda: 0.5) for asked in (0.0, -5.0, 7200.0)] == [0.5, 0.5, 7200.5]
