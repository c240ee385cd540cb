"""Turns that fail: raising, raising for a while, ending the program; and what becomes of them in the dead list."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

from edge_node.messages import ConversationState, DeadReason, FormState, MaskedTurn, Reply, Turn
from edge_node.storage.records import Ended, LoadedTurn
from edge_node.storage.store import TenantStore
from edge_node.turns.jobs import MOST_INTERRUPTED
from edge_node.turns.runner import MOST_ATTEMPTS
from edge_node.uplink.base import Answer, Sentence, UplinkEvent
from nearside.errors import StorageError
from nearside.origins import Reason, Source
from tests.edge_node.stage import KEY, Answering, ScriptedUplink, Stage, staged, until

pytestmark = pytest.mark.unit

ANSWER = Answer("It weighs 2.9 kg.", True, 0.9, (), "7", True)


def echo(turn: Turn) -> Reply:
    return Reply(f"echo {turn.text}", Source.RULE, Reason.MATCHED)


def raising(times: int, word: str = "poison") -> Callable[[Turn], Reply]:
    """Raises so many times over messages with that word."""
    left = times

    def answer(turn: Turn) -> Reply:
        nonlocal left
        if word in turn.text and left:
            left -= 1
            raise ZeroDivisionError("secret words of the customer")
        return echo(turn)

    return answer


def bodies(stage: Stage) -> list[tuple[str, str, bool]]:
    return [(d.event.body["text"], d.event.body["reason"], d.event.body["final"]) for d in stage.sent]


async def attempts_of(stage: Stage) -> list[int]:
    return [turn.attempts for turn in await stage.store.open_turns()]


async def test_a_turn_that_always_raises_is_told_and_parked_and_holds_up_nobody(tmp_path: Path) -> None:
    async with staged(tmp_path, [Answering(raising(99))]) as stage:
        poison = await stage.say("poison", "m1")
        await stage.say("next", "m2")
        await stage.settle(2)
        assert [body[1:] for body in bodies(stage)] == [("turn_failed", False), ("matched", True)]
        (item,) = await stage.store.dead(10)
        assert (item.id, item.kind, item.reason) == (poison, "turn", DeadReason.TURN_FAILED)
        assert await stage.store.open_turns() == []
        assert stage.turns.waiting("demo") == stage.turns.deferred.depth("demo") == 0


async def test_a_turn_that_raises_twice_is_answered_and_the_customer_hears_nothing_of_it(tmp_path: Path) -> None:
    async with staged(tmp_path, [Answering(raising(2))]) as stage:
        await stage.say("poison")
        await stage.settle(1)
        assert bodies(stage) == [("echo poison", "matched", True)]
        assert await stage.store.dead(10) == []


async def test_a_fresh_turn_records_no_attempt_and_a_failing_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    begin_attempt = TenantStore.begin_attempt

    async def counting(store: TenantStore, turn_id: str) -> int:
        counted.append(await begin_attempt(store, turn_id))
        return counted[-1]

    monkeypatch.setattr(TenantStore, "begin_attempt", counting)
    async with staged(tmp_path, [Answering(raising(2))]) as stage:
        await stage.say("hello", "m1")
        await stage.settle(1)
        assert counted == []
        await stage.say("poison", "m2")
        await stage.settle(2)
    assert counted == [1, 2]


async def test_a_parked_turn_that_a_person_tries_again_ends_in_one_final_reply_with_the_question(
    tmp_path: Path,
) -> None:
    async with staged(tmp_path, [Answering(raising(3))]) as stage:
        turn_id = await stage.say("poison", "m1")
        await stage.say("hello", "m2")
        await stage.settle(2)
        assert await stage.store.revive(turn_id, time.time())
        await stage.turns.retry("demo", turn_id)
        late = (await stage.settle(3))[2].event
        assert (late.turn_id, late.body["text"], late.body["final"]) == (turn_id, "echo poison", True)
        assert late.body["quotes"] == "poison"
        assert await stage.store.dead(10) == []
        await stage.turns.retry("demo", turn_id)
        assert await stage.store.revive(turn_id, time.time()) is None
    assert len(stage.sent) == 3


async def test_a_turn_that_fails_again_after_a_retry_is_parked_without_a_second_apology(tmp_path: Path) -> None:
    async with staged(tmp_path, [Answering(raising(99))]) as stage:
        turn_id = await stage.say("poison")
        await stage.settle(1)
        await stage.store.revive(turn_id, time.time())
        await stage.turns.retry("demo", turn_id)
        await until(lambda: stage.turns.waiting("demo") == 0)
        assert [item.id for item in await stage.store.dead(10)] == [turn_id]
    assert len(stage.sent) == 1


async def test_a_turn_tried_again_after_an_agent_took_over_is_dropped_for_that_reason(tmp_path: Path) -> None:
    async with staged(tmp_path, [Answering(raising(3))]) as stage:
        turn_id = await stage.say("poison")
        conversation_id = (await stage.settle(1))[0].conversation.id
        await stage.store.change_owner(conversation_id, "agent", time.time())
        await stage.store.revive(turn_id, time.time())
        await stage.turns.retry("demo", turn_id)
        await until(lambda: stage.turns.waiting("demo") == 0)
        assert (await stage.store.dead(10), await stage.store.open_turns()) == ([], [])
        assert reason_of(stage, turn_id) == ("dropped", "agent_owns")
    assert len(stage.sent) == 1


def reason_of(stage: Stage, turn_id: str) -> tuple[str, str]:
    query = "SELECT status, reason FROM inbox WHERE turn_id = ?"
    found: tuple[str, str] = stage.store._reader.run_now(lambda db: db.execute(query, (turn_id,)).fetchone())
    return found


async def test_a_retried_turn_leaves_the_form_alone_that_the_customer_fills_by_now(tmp_path: Path) -> None:
    """Else a "yes" of last week would confirm what is asked today."""
    form = FormState("cancel-order", "confirm")

    def answer(turn: Turn) -> Reply:
        if turn.text == "cancel":
            return Reply("Sure?", Source.RULE, Reason.CONFIRM, state=ConversationState(form=form, lang="en"))
        if turn.text == "show":
            return Reply(repr(turn.state.form), Source.RULE, Reason.MATCHED)
        return Reply("no form", Source.RULE, Reason.MATCHED, state=turn.state) if not turn.state.form else _confirm()

    def _confirm() -> Reply:
        raise AssertionError("confirmed what nobody asked for")

    broken = Answering(raising(3))
    async with staged(tmp_path, [Answering(lambda turn: broken_first(turn))]) as stage:

        def broken_first(turn: Turn) -> Reply | None:
            return broken._function(turn) if turn.text == "poison yes" and not stage.sent else answer(turn)

        turn_id = await stage.say("poison yes", "m1")
        await stage.settle(1)
        await stage.say("cancel", "m2")
        await stage.settle(2)
        await stage.store.revive(turn_id, time.time())
        await stage.turns.retry("demo", turn_id)
        await stage.settle(3)
        await stage.say("show", "m3")
        sent = await stage.settle(4)
    assert [delivery.event.body["text"] for delivery in sent[2:]] == ["no form", repr(form)]


async def test_a_turn_whose_apology_fails_too_is_parked_without_one(tmp_path: Path) -> None:
    async with staged(tmp_path, [Answering(raising(99))]) as stage:
        stage.store.end = unwritable  # type: ignore[method-assign]
        turn_id = await stage.say("poison")
        await until(lambda: stage.turns.waiting("demo") == 0)
        assert [(item.id, item.reason) for item in await stage.store.dead(10)] == [(turn_id, "turn_failed")]
    assert stage.sent == []


async def unwritable(*_args: object, **_kwargs: object) -> None:
    raise ZeroDivisionError


async def killed(folder: Path, *texts: str) -> tuple[list[int], list[str]]:
    """One life of a program that ends while its turns wait for the core: the attempts they stand at, what was sent."""
    uplink = holding()
    async with staged(folder, uplink=uplink) as stage:
        stage.grace_s = 0.0
        await stage.turns.resume()
        for number, text in enumerate(texts):
            await stage.say(text, f"m{number}", f"t{number}")
        await until(lambda: bool(uplink.asked) or bool(stage.sent) or not stage.turns.waiting("demo"))
        return await attempts_of(stage), [delivery.event.body["reason"] for delivery in stage.sent]


async def test_a_turn_in_which_the_program_ends_again_and_again_is_told_and_parked(tmp_path: Path) -> None:
    assert await killed(tmp_path, "poison") == ([0], [])
    for life in range(1, MOST_INTERRUPTED + 1):
        assert await killed(tmp_path) == ([life], [])
    assert await killed(tmp_path) == ([], ["turn_failed"])
    assert await killed(tmp_path) == ([], [])
    store = await TenantStore.open(tmp_path / "edge.db", KEY)
    assert [item.reason for item in await store.dead(10)] == [DeadReason.INTERRUPTED]
    await store.close()


async def test_where_even_the_apology_ends_the_program_the_turn_is_parked_without_one(tmp_path: Path) -> None:
    async with staged(tmp_path, uplink=holding()) as stage:
        stage.grace_s = 0.0
        turn_id = await stage.say("poison")
        for _ in range(MOST_INTERRUPTED + MOST_ATTEMPTS):
            await stage.store.begin_attempt(turn_id)
    assert await killed(tmp_path) == ([], [])
    store = await TenantStore.open(tmp_path / "edge.db", KEY)
    assert [item.reason for item in await store.dead(10)] == [DeadReason.INTERRUPTED]
    await store.close()


def holding() -> ScriptedUplink:
    uplink = ScriptedUplink()
    uplink.hold = asyncio.Event()
    return uplink


async def test_only_the_turn_that_ends_the_program_is_parked_not_those_it_took_along(tmp_path: Path) -> None:
    """In each life the poison ends the program as soon as it begins, while others wait for the core."""
    innocent, lives = 10, 0
    async with staged(tmp_path, uplink=holding()) as stage:
        stage.grace_s = 0.0
        for number in range(innocent):
            await stage.say(f"question {number}", f"m{number}", f"t{number}")
        await stage.say("poison", "mp", "tp")
        await until(lambda: len(stage.uplink.asked) == innocent + 1)
    while await ends_by_poison(tmp_path):
        lives += 1
        assert lives < 2 * MOST_INTERRUPTED
    store = await TenantStore.open(tmp_path / "edge.db", KEY)
    assert [item.reason for item in await store.dead(99)] == [DeadReason.INTERRUPTED]
    assert await store.open_turns() == []
    await store.close()
    assert lives == MOST_INTERRUPTED


class Thinking(ScriptedUplink):
    """A core that takes its time."""

    async def answer(self, turn: MaskedTurn) -> AsyncGenerator[UplinkEvent]:
        await asyncio.sleep(0.2)
        yield ANSWER


async def ends_by_poison(folder: Path) -> bool:
    """One life; False if all turns end in it."""
    ended = asyncio.Event()

    class Poison:
        async def answer(self, turn: Turn) -> Reply | None:
            if turn.text == "poison":
                ended.set()
                await asyncio.Event().wait()
            return None

    async with staged(folder, [Poison()], Thinking()) as stage:
        stage.grace_s = 0.0
        await stage.turns.resume()
        await until(lambda: ended.is_set() or not stage.turns.waiting("demo"))
        return ended.is_set()


async def test_a_draft_of_a_later_attempt_takes_the_place_of_what_was_shown_before(tmp_path: Path) -> None:
    uplink = ScriptedUplink(Sentence(2, 0, "It weighs"), ANSWER)
    revisions = []
    async with staged(tmp_path, uplink=uplink) as stage:
        stage.store.end = unwritable  # type: ignore[method-assign]
        stage.grace_s = 0.0
        await stage.say("how heavy?")
        await until(lambda: len(stage.drafts) == 2)
        revisions += [draft.revision for draft in stage.drafts]
    async with staged(tmp_path, uplink=uplink) as stage:
        await stage.turns.resume()
        await stage.settle(1)
        revisions += [draft.revision for draft in stage.drafts]
    assert revisions[0] == 2 and sorted(set(revisions)) == revisions


async def test_a_store_that_refuses_for_a_while_costs_no_attempt_and_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer of the core is kept until it can be written; it is not asked for again."""
    end, refused = TenantStore.end, list[int]()

    async def refusing(store: TenantStore, *args: Any, **kwargs: Any) -> Ended | None:
        if len(refused) < 3:
            refused.append(1)
            raise StorageError("the store refuses: full")
        return await end(store, *args, **kwargs)

    monkeypatch.setattr(TenantStore, "end", refusing)
    monkeypatch.setattr("edge_node.turns.endings.STORE_AGAIN_S", 0.001)
    uplink = ScriptedUplink(ANSWER)
    async with staged(tmp_path, uplink=uplink) as stage:
        await stage.say("how heavy?", "m1")
        await stage.say("and how long?", "m2")
        await stage.settle(2)
        assert [delivery.event.body["reason"] for delivery in stage.sent] == ["grounded", "grounded"]
        assert (len(uplink.asked), len(refused), await stage.store.dead(10)) == (2, 3, [])


async def test_a_store_that_cannot_be_read_for_a_while_costs_no_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, refused = TenantStore.load, list[int]()

    async def refusing(store: TenantStore, turn_id: str) -> LoadedTurn | None:
        if len(refused) < MOST_ATTEMPTS + 1:
            refused.append(1)
            raise StorageError("the store cannot be read")
        return await load(store, turn_id)

    monkeypatch.setattr(TenantStore, "load", refusing)
    monkeypatch.setattr("edge_node.turns.runner.STORE_AGAIN_S", 0.001)
    async with staged(tmp_path, [Answering(echo)]) as stage:
        await stage.say("hello")
        await stage.settle(1)
        assert (bodies(stage), await stage.store.dead(10)) == ([("echo hello", "matched", True)], [])
