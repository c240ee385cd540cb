"""One company is flooded: the others' customers do not notice, and the flood is refused aloud where it is too much."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from edge_node.messages import Conversation, Delivery, Draft, Reply, Tenant, Turn
from edge_node.responders.base import Responder
from edge_node.responders.semantic import Semantics
from edge_node.storage.store import TenantStore
from edge_node.turns.core_step import PLACES, CoreStep
from edge_node.turns.fair import Fair, FairThread
from edge_node.turns.metrics import Metrics
from edge_node.turns.room import LookUps, TenantRoom
from edge_node.turns.turns import Limits, Turns
from edge_node.uplink.base import Answer
from nearside.encoder import DIMENSIONS, FEATURES, Encoding
from nearside.errors import Refused
from nearside.nearest import Match
from nearside.origins import Reason, Source
from tests.edge_node.stage import (
    KEY,
    TENANT,
    Answering,
    Collecting,
    NoSemantics,
    ScriptedUplink,
    inbound,
    ladder_of,
    sender_to,
    staged,
    until,
)

pytestmark = pytest.mark.unit

FLOOD, OTHER = replace(TENANT, id="flood"), replace(TENANT, id="other")
MANY, FEW = 5_000, 20


class Gate:
    """A responder that lets nobody through until it is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def answer(self, turn: Turn) -> Reply | None:
        await self.open.wait()
        return Reply("ok", Source.RULE, Reason.MATCHED)


class Meaning:
    """A responder that asks the encoder."""

    async def answer(self, turn: Turn) -> Reply | None:
        await turn.nearest()
        return Reply("ok", Source.FAQ, Reason.MATCHED)


class SlowIndex:
    """Answers nothing until it is opened; then at once."""

    def __init__(self) -> None:
        self.open = Event()

    def at_once(self, text: str) -> list[Match] | None:
        return None

    def reading(self, text: str) -> str:
        return text

    def encode(self, texts: Sequence[str]) -> Iterator[dict[int, Encoding]]:
        self.open.wait(60)
        nothing = Encoding(np.zeros(DIMENSIONS, dtype=np.float32), 1.0, np.zeros(FEATURES, dtype=np.float32))
        yield dict.fromkeys(range(len(texts)), nothing)

    def look_up(self, text: str, encoding: Encoding, limit: int) -> list[Match]:
        return []


async def no_drafts(tenant: Tenant, conversation: Conversation, draft: Draft) -> None:
    raise AssertionError("nothing streams here")


@asynccontextmanager
async def two_tenants(
    folder: Path,
    responder: Responder,
    semantics: Callable[[Tenant], LookUps],
    uplink: ScriptedUplink | None = None,
    places: Fair | None = None,
    core_s: float = 60.0,
) -> AsyncIterator[tuple[Turns, list[Delivery]]]:
    async with AsyncExitStack() as stack:
        rooms = {}
        core = CoreStep(uplink or ScriptedUplink(), KEY, core_s, places or Fair(PLACES))
        ladder = ladder_of([responder], core)
        for tenant in (FLOOD, OTHER):
            store = await TenantStore.open(folder / tenant.id / "edge.db", KEY)
            stack.push_async_callback(store.close)
            rooms[tenant.id] = TenantRoom(tenant, store, semantics(tenant), ladder, lambda _text: False)
        outlet = Collecting()
        turns = Turns(rooms, sender_to(outlet), no_drafts, Metrics(CollectorRegistry()), Limits())
        stack.push_async_callback(turns.drain, 0.2)
        yield turns, outlet.sent


async def say(turns: Turns, tenant: Tenant, number: int) -> None:
    """Each in a conversation of its own: nothing but fairness holds them apart."""
    await turns.accept(tenant, inbound(f"question {number}", f"m{number}", f"t{number}"))


async def flood_then_others(turns: Turns) -> None:
    await asyncio.gather(*(say(turns, FLOOD, number) for number in range(MANY)))
    await asyncio.gather(*(say(turns, OTHER, number) for number in range(FEW)))


def floods_before_the_last_of_the_others(sent: Sequence[Delivery]) -> int:
    tenants = [delivery.tenant.id for delivery in sent]
    last = len(tenants) - 1 - tenants[::-1].index("other")
    return tenants[:last].count("flood")


async def test_a_flood_of_rule_turns_does_not_hold_up_another_tenant(tmp_path: Path) -> None:
    gate = Gate()
    async with two_tenants(tmp_path, gate, lambda _tenant: NoSemantics()) as (turns, sent):
        await flood_then_others(turns)
        assert not sent
        gate.open.set()
        await until(lambda: len(sent) == MANY + FEW)
    assert floods_before_the_last_of_the_others(sent) < MANY / 5


async def test_a_flood_of_questions_for_the_encoder_does_not_hold_up_another_tenant(tmp_path: Path) -> None:
    index = SlowIndex()
    with ThreadPoolExecutor(1) as pool:
        encoding = FairThread(pool, index.encode)

        def semantics(tenant: Tenant) -> Semantics:
            return Semantics(index, partial(encoding.read, tenant.id), partial(encoding.run, tenant.id))

        async with two_tenants(tmp_path, Meaning(), semantics) as (turns, sent):
            await flood_then_others(turns)
            assert not sent
            index.open.set()
            await until(lambda: len(sent) == MANY + FEW)
    assert floods_before_the_last_of_the_others(sent) < MANY / 5


async def test_another_tenant_is_answered_while_the_core_holds_the_whole_flood(tmp_path: Path) -> None:
    uplink = ScriptedUplink()
    uplink.hold = asyncio.Event()

    class Rules:
        async def answer(self, turn: Turn) -> Reply | None:
            return Reply("ok", Source.RULE, Reason.MATCHED) if turn.tenant is OTHER else None

    async with two_tenants(tmp_path, Rules(), lambda _tenant: NoSemantics(), uplink) as (turns, sent):
        await flood_then_others(turns)
        await until(lambda: len(sent) == FEW)
        assert turns.waiting("flood") == MANY
        assert {delivery.tenant.id for delivery in sent} == {"other"}


async def test_a_company_whose_core_hangs_still_answers_by_rule(tmp_path: Path) -> None:
    """Waiting for the core takes no slot from those who could be answered at once."""
    uplink = ScriptedUplink()
    uplink.hold = asyncio.Event()
    rule = Answering(lambda turn: Reply("ok", Source.RULE, Reason.MATCHED) if turn.text == "hours" else None)
    async with staged(tmp_path, [rule], uplink, Limits(parallel=4)) as stage:
        for number in range(20):
            await stage.say("how heavy?", f"m{number}", f"t{number}")
        await until(lambda: len(uplink.asked) == 20)
        await stage.say("hours", "m20", "t20")
        await stage.settle(1)


async def test_a_flood_of_questions_for_the_core_leaves_places_there_for_another_tenant(tmp_path: Path) -> None:
    uplink = ScriptedUplink()
    uplink.hold = asyncio.Event()
    nobody = Answering(lambda _turn: None)
    async with two_tenants(tmp_path, nobody, lambda _tenant: NoSemantics(), uplink, Fair(8)) as (turns, _):
        await asyncio.gather(*(say(turns, FLOOD, number) for number in range(100)))
        await until(lambda: len(uplink.asked) == 4)
        await asyncio.gather(*(say(turns, OTHER, number) for number in range(2)))
        await until(lambda: len(uplink.asked) == 6)
        assert [turn.tenant_id for turn in uplink.asked] == ["flood"] * 4 + ["other"] * 2


async def test_a_turn_that_finds_no_place_at_the_core_in_time_is_promised_its_answer(tmp_path: Path) -> None:
    uplink = ScriptedUplink()
    uplink.hold = asyncio.Event()
    nobody, places = Answering(lambda _turn: None), Fair(1)
    await places.take("another")
    async with two_tenants(tmp_path, nobody, lambda _tenant: NoSemantics(), uplink, places, 0.05) as (turns, sent):
        await say(turns, OTHER, 0)
        await until(lambda: len(sent) == 1)
        assert (sent[0].event.body["reason"], sent[0].event.body["final"]) == ("core_overloaded", False)
        assert uplink.asked == []


async def test_a_place_at_the_core_comes_back_whatever_comes_of_it(tmp_path: Path) -> None:
    uplink = ScriptedUplink(Answer("It weighs 2.9 kg.", True, 0.9, (), "7", True))
    nobody = Answering(lambda _turn: None)
    async with two_tenants(tmp_path, nobody, lambda _tenant: NoSemantics(), uplink, Fair(1)) as (turns, sent):
        for number, reason in enumerate([Reason.CORE_UNREACHABLE, None, Reason.ENGINE_FAILED, None]):
            uplink.reason = reason
            await say(turns, OTHER, number)
            await until(lambda number=number: len(sent) == number + 1)  # type: ignore[misc]
    said = [delivery.event.body["reason"] for delivery in sent]
    assert said == ["core_unreachable", "grounded", "engine_failed", "grounded"]


async def test_promises_do_not_take_all_places_when_the_core_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_node.turns.deferred.EVERY_S", 0.01)
    monkeypatch.setattr("edge_node.turns.deferred.MOST_UNDER_WAY", 3)
    uplink = ScriptedUplink()
    uplink.reason = Reason.CORE_UNREACHABLE
    async with staged(tmp_path, uplink=uplink) as stage:
        for number in range(10):
            await stage.say("how heavy?", f"m{number}", f"t{number}")
        await stage.settle(10)
        uplink.asked.clear()
        uplink.reason, uplink.hold = None, asyncio.Event()
        deferred = asyncio.create_task(stage.turns.deferred.run())
        await until(lambda: len(uplink.asked) == 3)
        await stage.say("and how long?", "m10", "t10")
        await until(lambda: len(uplink.asked) == 4)
        assert uplink.asked[3].text == "and how long?"
        deferred.cancel()


async def test_exactly_as_many_turns_as_may_wait_are_taken_and_each_refusal_is_told(tmp_path: Path) -> None:
    uplink = ScriptedUplink()
    uplink.hold = asyncio.Event()
    async with staged(tmp_path, uplink=uplink, limits=Limits(queued=10)) as stage:
        said = [stage.say(f"question {n}", f"m{n}", f"t{n}") for n in range(100)]
        told = await asyncio.gather(*said, return_exceptions=True)
        refused = [one for one in told if isinstance(one, Refused)]
        taken = [one for one in told if isinstance(one, str)]
        assert (len(taken), len(refused)) == (10, 90)
        assert {(one.status, one.retry_after_s) for one in refused} == {(429, 5)}
        assert {turn.turn_id for turn in await stage.store.open_turns()} == set(taken)
        assert stage.turns.waiting("demo") == 10


async def test_places_come_back_from_repetitions_and_refusals(tmp_path: Path) -> None:
    uplink = ScriptedUplink()
    uplink.hold = asyncio.Event()
    async with staged(tmp_path, uplink=uplink, limits=Limits(queued=3)) as stage:
        await stage.say("hello", "m1")
        for _ in range(5):
            assert (await stage.turns.accept(TENANT, inbound("hello", "m1"))).duplicate
            with pytest.raises(Refused) as refused:
                await stage.say("something else", "m1")
            assert refused.value.status == 422
        assert stage.turns.waiting("demo") == 1
        await stage.say("more", "m2", "t2")
        await stage.say("more", "m3", "t3")
