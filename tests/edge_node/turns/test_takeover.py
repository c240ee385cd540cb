"""A bot's turn races an agent who takes over, or a customer who is forgotten: the bot keeps quiet, for a reason."""

import asyncio
import time
from pathlib import Path

import pytest

from edge_node.messages import Reply, Turn
from edge_node.storage.store import TenantStore
from edge_node.turns.jobs import MOST_INTERRUPTED
from edge_node.uplink.base import Answer, Sentence
from nearside.origins import Reason, Source
from tests.edge_node.stage import KEY, TENANT, Answering, ScriptedUplink, Stage, inbound, staged, until

pytestmark = pytest.mark.unit

ANSWER = Answer("It weighs 2.9 kg.", True, 0.9, (), "7", True)


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_node.turns.deferred.EVERY_S", 0.01)


def holding() -> ScriptedUplink:
    uplink = ScriptedUplink(Sentence(1, 0, "It weighs 2.9 kg."), ANSWER)
    uplink.hold = asyncio.Event()
    return uplink


def let_go(uplink: ScriptedUplink) -> None:
    assert uplink.hold is not None
    uplink.hold.set()


def end_of(store: TenantStore, turn_id: str) -> tuple[str, str]:
    query = "SELECT status, reason FROM inbox WHERE turn_id = ?"
    found: tuple[str, str] = store._reader.run_now(lambda db: db.execute(query, (turn_id,)).fetchone())
    return found


def dropped(stage: Stage, reason: str) -> float | None:
    return stage.registry.get_sample_value("nearside_turns_dropped_total", {"tenant": "demo", "reason": reason})


@pytest.mark.parametrize("debounce_s", [0.0, 0.01])
async def test_a_turn_at_the_core_does_not_reply_once_an_agent_has_taken_over(
    tmp_path: Path, debounce_s: float
) -> None:
    async with staged(tmp_path, uplink=holding(), debounce_s=debounce_s) as stage:
        accepted = await stage.turns.accept(TENANT, inbound("how heavy?"))
        await until(lambda: bool(stage.uplink.asked))
        await stage.store.change_owner(accepted.conversation_id, "agent", time.time())
        let_go(stage.uplink)
        await until(lambda: stage.turns.waiting("demo") == 0)
        assert end_of(stage.store, accepted.turn_id) == ("dropped", "agent_owns")
        assert await stage.store.reply_to(accepted.turn_id) is None
        assert dropped(stage, "agent_owns") == 1
    assert (stage.sent, stage.drafts) == ([], [])


async def test_lines_answered_together_are_all_dropped_with_their_turn(tmp_path: Path) -> None:
    async with staged(tmp_path, uplink=holding(), debounce_s=10.0) as stage:
        turn_ids = [await stage.say("how", "m1"), await stage.say("heavy?", "m2")]
        stage.turns._windows.close_all()
        await until(lambda: len(stage.uplink.asked) > 0)
        (conversation_id,) = await stage.store.conversations_of("c1")
        await stage.store.change_owner(conversation_id, "agent", time.time())
        let_go(stage.uplink)
        await until(lambda: stage.turns.waiting("demo") == 0)
        assert {end_of(stage.store, turn_id) for turn_id in turn_ids} == {("dropped", "agent_owns")}
    assert stage.sent == []


async def test_many_takeovers_at_random_moments_and_never_a_reply_after_one(tmp_path: Path) -> None:
    """Each conversation is taken over somewhere between its message and its reply."""
    quiet = Answering(lambda turn: Reply("", Source.RULE, Reason.AGENT_OWNS) if turn.owner == "agent" else None)
    async with staged(tmp_path, [quiet], ScriptedUplink(ANSWER)) as stage:
        took: dict[str, int] = {}

        async def race(number: int) -> None:
            accepted = await stage.turns.accept(TENANT, inbound("how heavy?", f"m{number}", f"t{number}"))
            for _ in range(number % 30):
                await asyncio.sleep(0)
            await stage.store.change_owner(accepted.conversation_id, "agent", time.time())
            took[accepted.conversation_id] = len(stage.sent)

        await asyncio.gather(*(race(number) for number in range(90)))
        await until(lambda: stage.turns.waiting("demo") == 0)
        late = [
            delivery
            for place, delivery in enumerate(stage.sent)
            if place >= took[delivery.conversation.id] and delivery.event.body["source"] == "core"
        ]
        assert late == []
        assert await stage.store.open_turns() == []


async def test_a_message_to_an_agent_gets_what_the_rules_say_of_that(tmp_path: Path) -> None:
    rules = Answering(lambda turn: Reply(turn.owner, Source.RULE, Reason.AGENT_OWNS))
    async with staged(tmp_path, [rules]) as stage:
        accepted = await stage.turns.accept(TENANT, inbound("hello"))
        await stage.settle(1)
        await stage.store.change_owner(accepted.conversation_id, "agent", time.time())
        await stage.say("are you there?", "m2")
        assert (await stage.settle(2))[1].event.body["text"] == "agent"


async def promised(stage: Stage) -> str:
    """A turn whose customer was told that the answer comes later."""
    stage.uplink.reason = Reason.CORE_UNREACHABLE
    await stage.say("how heavy?")
    conversation_id = (await stage.settle(1))[0].conversation.id
    stage.uplink.reason = None
    return conversation_id


async def test_a_late_answer_is_dropped_when_an_agent_takes_over_while_the_core_works_on_it(tmp_path: Path) -> None:
    async with staged(tmp_path, uplink=holding()) as stage:
        deferred = asyncio.create_task(stage.turns.deferred.run())
        conversation_id = await promised(stage)
        await until(lambda: len(stage.uplink.asked) == 2)
        await stage.store.change_owner(conversation_id, "agent", time.time())
        let_go(stage.uplink)
        await until(lambda: not stage.turns.deferred.depth("demo"))
        deferred.cancel()
        assert end_of(stage.store, stage.sent[0].event.turn_id) == ("dropped", "agent_owns")
        assert dropped(stage, "agent_owns") == 1
    assert len(stage.sent) == 1


async def forget(stage: Stage) -> None:
    conversation_ids = await stage.store.conversations_of("c1")
    await stage.store.forget("c1", time.time())
    stage.turns.forgotten(conversation_ids)


async def test_a_turn_at_the_core_stops_when_its_customer_is_forgotten(tmp_path: Path) -> None:
    async with staged(tmp_path, uplink=holding()) as stage:
        await stage.say("how heavy?", "m1")
        await stage.say("and how long?", "m2")
        await until(lambda: bool(stage.uplink.asked))
        await forget(stage)
        await until(lambda: stage.turns.waiting("demo") == 0)
        assert dropped(stage, "forgotten") == 1
        assert len(stage.uplink.asked) == 1
    assert stage.sent == []


async def test_a_late_answer_is_dropped_when_its_customer_is_forgotten_while_the_core_works_on_it(
    tmp_path: Path,
) -> None:
    async with staged(tmp_path, uplink=holding()) as stage:
        deferred = asyncio.create_task(stage.turns.deferred.run())
        await promised(stage)
        await until(lambda: len(stage.uplink.asked) == 2)
        await forget(stage)
        await until(lambda: not stage.turns.deferred.depth("demo"))
        deferred.cancel()
        assert dropped(stage, "forgotten") == 1
    assert len(stage.sent) == 1


async def test_what_was_promised_to_a_forgotten_customer_is_not_asked_for(tmp_path: Path) -> None:
    async with staged(tmp_path, uplink=ScriptedUplink(ANSWER)) as stage:
        await promised(stage)
        await forget(stage)
        assert stage.turns.deferred.depth("demo") == 0
    assert len(stage.uplink.asked) == 1


async def test_lines_held_for_a_forgotten_customer_are_not_answered(tmp_path: Path) -> None:
    echo = Answering(lambda turn: Reply(f"echo {turn.text}", Source.RULE, Reason.MATCHED))
    async with staged(tmp_path, [echo], debounce_s=10.0) as stage:
        await stage.say("one", "m1")
        await stage.say("two", "m2")
        await forget(stage)
        stage.turns._windows.close_all()
        await until(lambda: stage.turns.waiting("demo") == 0)
    assert stage.sent == []


async def test_an_interrupt_ends_the_wait_for_a_late_answer_too(tmp_path: Path) -> None:
    """Else "a human, please" would wait behind an answer nobody wants any more."""
    stop = Answering(lambda turn: _stopped(turn))

    def _stopped(turn: Turn) -> Reply | None:
        return Reply("ok", Source.RULE, Reason.MATCHED) if turn.text == "stop" else None

    async with staged(tmp_path, [stop], holding()) as stage:
        deferred = asyncio.create_task(stage.turns.deferred.run())
        await promised(stage)
        await until(lambda: len(stage.uplink.asked) == 2)
        await stage.say("stop", "m2")
        sent = await stage.settle(3)
        deferred.cancel()
        assert [delivery.event.body["reason"] for delivery in sent[1:]] == ["cancelled", "matched"]
        assert sent[1].event.body["quotes"] == "how heavy?"


async def is_settled(folder: Path) -> bool:
    """One life of a program that ends while the core works on what was promised; False if it did."""
    async with staged(folder, uplink=holding()) as stage:
        stage.grace_s = 0.0
        deferred = asyncio.create_task(stage.turns.deferred.run())
        await stage.turns.resume()
        await until(lambda: bool(stage.uplink.asked) or not stage.turns.deferred.depth("demo"))
        deferred.cancel()
        return not stage.uplink.asked


async def test_a_promise_in_which_the_program_ends_again_and_again_is_parked(tmp_path: Path) -> None:
    async with staged(tmp_path, uplink=holding()) as stage:
        await promised(stage)
    lives = 0
    while not await is_settled(tmp_path):
        lives += 1
        assert lives < 2 * MOST_INTERRUPTED
    store = await TenantStore.open(tmp_path / "edge.db", KEY)
    assert [item.reason for item in await store.dead(10)] == ["interrupted"]
    await store.close()
