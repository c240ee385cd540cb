"""Channels that need not wait for anybody show a reply at its commit."""

from pathlib import Path

import pytest

from edge_node.messages import Delivery
from tests.edge_node.stage import TENANT
from tests.edge_node.turns.outbox import BUSY, Vendor, never, outbox

pytestmark = pytest.mark.unit


class Window(Vendor):
    """A channel that shows; for a while it may break, or have to wait."""

    def __init__(self, *script: Exception) -> None:
        super().__init__(*script, idempotent=True)
        self.broken: Exception | None = None
        self.waits = False

    def show(self, delivery: Delivery) -> bool:
        if self.broken:
            raise self.broken
        if not self.waits:
            self.arrived.append(delivery)
        return not self.waits


async def test_a_reply_is_shown_at_once_and_counts_as_sent(tmp_path: Path) -> None:
    window = Window()
    async with outbox(tmp_path, window) as bench:
        await bench.reply("one")
        assert window.texts() == ["one"] and window.asked == []
        assert bench.counted("nearside_outbox_sends_total", outcome="sent") == 1
        await bench.is_empty()
        assert window.arrived[0].attempt == 1 and window.arrived[0].key


async def test_what_cannot_be_shown_is_sent(tmp_path: Path) -> None:
    window = Window()
    async with outbox(tmp_path, window) as bench:
        window.broken = KeyError("a fault of the channel")
        await bench.reply("one")
        await bench.is_empty()
        window.broken, window.waits = None, True
        await bench.reply("two")
        await bench.is_empty()
    assert window.texts() == ["one", "two"]
    assert [asked.event.body["text"] for asked in window.asked] == ["one", "two"]


async def test_nothing_is_shown_before_an_older_reply_has_gone_out(tmp_path: Path) -> None:
    window = Window(BUSY)
    window.waits = True
    async with outbox(tmp_path, window, back_off=never) as bench:
        await bench.reply("one")
        await bench.postponed()
        window.waits = False
        await bench.reply("two")
        assert window.texts() == []


async def test_a_reply_of_before_a_takeover_is_not_shown(tmp_path: Path) -> None:
    window = Window()
    async with outbox(tmp_path, window) as bench:
        ended = await bench.commit("one")
        await bench.store.change_owner(ended.conversation.id, "agent", 1.0)
        bench.sender.send(TENANT, bench.store, ended)
        await bench.is_empty()
    assert window.texts() == []
