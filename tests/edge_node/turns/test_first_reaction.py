"""The customer sees soon that somebody is at work: at once where the core is asked, in time wherever a turn waits."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from edge_node.channels.drafts import QUIET_S, Drafts
from edge_node.messages import Conversation, Draft, Reply, Tenant, Turn
from edge_node.storage.store import TenantStore
from edge_node.turns.core_step import CoreStep
from edge_node.turns.metrics import Metrics
from edge_node.turns.room import TenantRoom
from edge_node.turns.turns import Limits, Turns
from edge_node.uplink.base import Answer, Sentence
from nearside.origins import Reason, Source
from tests.edge_node.stage import (
    KEY,
    TENANT,
    Collecting,
    NoSemantics,
    ScriptedUplink,
    inbound,
    ladder_of,
    sender_to,
    until,
)

pytestmark = pytest.mark.unit

ANSWER = Answer("It weighs 2.9 kg.", True, 0.9, (), "7", True)
numbers = itertools.count()
ECHO = Reply("echo", Source.RULE, Reason.MATCHED)


class Slow:
    """A rule whose tool answers when it is let go on; other messages are passed on."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def answer(self, turn: Turn) -> Reply | None:
        if turn.text != "tool":
            return None
        await self.go_on.wait()
        return ECHO


class Seen(Collecting):
    """What the customer sees, in order: (thread, what); `fails`: the channel cannot show anything but replies."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[tuple[str, str]] = []
        self.fails = False

    async def typing(self, tenant: Tenant, conversation: Conversation, turn_id: str) -> None:
        if self.fails:
            raise ConnectionError
        self.frames.append((conversation.thread, "typing"))

    async def draft(self, tenant: Tenant, conversation: Conversation, draft: Draft) -> None:
        if self.fails:
            raise ConnectionError
        self.frames.append((conversation.thread, draft.text))

    async def send(self, delivery: object) -> None:
        await super().send(delivery)  # type: ignore[arg-type]
        self.frames.append((self.sent[-1].conversation.thread, "reply"))

    def of(self, thread: str) -> list[str]:
        return [what for whose, what in self.frames if whose == thread]


class Window:
    def __init__(self, turns: Turns, seen: Seen, uplink: ScriptedUplink, slow: Slow) -> None:
        self.turns, self.seen, self.uplink, self.slow = turns, seen, uplink, slow

    async def say(self, text: str, thread: str = "t1") -> None:
        await self.turns.accept(TENANT, inbound(text, f"m{next(numbers)}", thread))

    async def sees(self, what: str, thread: str = "t1") -> None:
        await until(lambda: what in self.seen.of(thread))


@asynccontextmanager
async def window(folder: Path, within_s: float) -> AsyncIterator[Window]:
    store = await TenantStore.open(folder / "edge.db", KEY)
    uplink, slow, seen = ScriptedUplink(Sentence(1, 0, "It weighs"), ANSWER), Slow(), Seen()
    ladder = ladder_of([slow], CoreStep(uplink, b"k" * 32, 5.0))
    rooms = {"demo": TenantRoom(TENANT, store, NoSemantics(), ladder, lambda text: text == "stop")}
    sender = sender_to(seen)
    turns = Turns(
        rooms, sender, seen.draft, Metrics(CollectorRegistry()), Limits(parallel=4, reaction_s=within_s), seen.typing
    )
    yield Window(turns, seen, uplink, slow)
    await turns.drain(0.2)
    await sender.drain(0.2)
    await store.close()


FAR = 60.0
"""Seconds: so late that a test would not see it."""


async def test_typing_shows_as_soon_as_the_core_is_asked(tmp_path: Path) -> None:
    async with window(tmp_path, FAR) as own:
        own.uplink.hold = asyncio.Event()
        await own.say("how heavy?")
        await own.sees("typing")
        assert own.seen.of("t1") == ["typing"]
        own.uplink.hold.set()
        await own.sees("reply")
        assert own.seen.of("t1") == ["typing", "It weighs", "reply"]


async def test_an_answer_that_comes_at_once_needs_no_typing(tmp_path: Path) -> None:
    async with window(tmp_path, FAR) as own:
        own.slow.go_on.set()
        await own.say("tool")
        await own.sees("reply")
        assert own.seen.of("t1") == ["reply"]


async def test_typing_shows_while_a_tool_is_awaited(tmp_path: Path) -> None:
    async with window(tmp_path, 0.01) as own:
        await own.say("tool")
        await own.sees("typing")
        assert own.seen.of("t1") == ["typing"]
        own.slow.go_on.set()
        await own.sees("reply")
        assert own.seen.of("t1") == ["typing", "reply"]


async def test_typing_shows_for_who_waits_behind_others(tmp_path: Path) -> None:
    """Half of the places is all that one company may have: the third conversation has not begun."""
    async with window(tmp_path, 0.01) as own:
        for thread in ("t1", "t2", "t3"):
            await own.say("tool", thread)
        await own.say("how heavy?", "t1")
        await own.sees("typing", "t3")
        await until(lambda: own.seen.of("t1") == ["typing"] * 2)
        assert own.uplink.asked == []
        own.slow.go_on.set()
        await own.sees("reply", "t3")


async def test_typing_shows_once_for_each_turn(tmp_path: Path) -> None:
    async with window(tmp_path, 0.01) as own:
        own.uplink.hold = asyncio.Event()
        await own.say("how heavy?")
        await own.sees("typing")
        await asyncio.sleep(0.05)
        own.uplink.hold.set()
        await own.sees("reply")
        assert own.seen.of("t1") == ["typing", "It weighs", "reply"]


async def test_a_promise_that_is_kept_later_shows_no_typing(tmp_path: Path) -> None:
    async with window(tmp_path, 0.01) as own:
        own.uplink.reason = Reason.CORE_UNREACHABLE
        await own.say("how heavy?")
        await own.sees("reply")
        own.uplink.reason, own.uplink.hold = None, asyncio.Event()
        keeping = asyncio.create_task(own.turns.deferred.run())
        await until(lambda: len(own.uplink.asked) == 2)
        await asyncio.sleep(0.05)
        own.uplink.hold.set()
        await until(lambda: len(own.seen.sent) == 2)
        keeping.cancel()
        assert own.seen.of("t1") == ["typing", "reply", "reply"]


async def test_a_channel_that_can_show_nothing_holds_nothing_up(tmp_path: Path) -> None:
    async with window(tmp_path, 0.01) as own:
        own.seen.fails = True
        await own.say("how heavy?")
        await own.sees("reply")
        assert own.seen.of("t1") == ["reply"]


def test_a_turn_is_shown_as_running_once_and_again_after_it_has_been_quiet() -> None:
    now = 0.0
    drafts, key = Drafts(lambda: now), ("demo", "web", "t1")
    assert drafts.begin(key, "t_1")
    assert not drafts.begin(key, "t_1")
    now += QUIET_S + 1
    assert drafts.frames(key) == []
    assert drafts.begin(key, "t_1")
    assert [frame["event"] for frame in drafts.frames(key)] == ["typing"]
