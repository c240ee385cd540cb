import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from edge_node.messages import Citation, Reply, Turn
from edge_node.turns.turns import Limits
from edge_node.uplink.base import Answer, Sentence
from nearside.errors import DeliveryError, Refused
from nearside.origins import Reason, Source
from tests.edge_node.stage import TENANT, Answering, ScriptedUplink, inbound, staged, until

pytestmark = pytest.mark.unit

ANSWER = Answer("It weighs 2.9 kg.", True, 0.8, (Citation("Skua", "skua.md", "It weighs 2.9 kg."),), "7", True)


def echo(turn: Turn) -> Reply:
    return Reply(f"echo {turn.text}", Source.RULE, Reason.MATCHED)


def only(word: str) -> Answering:
    return Answering(lambda turn: echo(turn) if turn.text == word else None)


async def test_a_message_gets_one_reply_and_its_repetition_none(tmp_path: Path) -> None:
    async with staged(tmp_path, [Answering(echo)]) as stage:
        first = await stage.turns.accept(TENANT, inbound("hello"))
        await stage.settle(1)
        again = await stage.turns.accept(TENANT, inbound("hello"))
        await asyncio.sleep(0.05)
    assert (again.turn_id, again.event_id, again.duplicate) == (first.turn_id, first.event_id, True)
    assert [delivery.event.body["text"] for delivery in stage.sent] == ["echo hello"]


async def test_a_message_id_used_with_another_body_is_refused(tmp_path: Path) -> None:
    async with staged(tmp_path, [Answering(echo)]) as stage:
        await stage.say("hello")
        with pytest.raises(Refused) as refused:
            await stage.say("something else")
    assert refused.value.status == 422


async def test_replies_come_in_the_order_of_the_messages(tmp_path: Path) -> None:
    async with staged(tmp_path, [Answering(echo)]) as stage:
        for number in range(40):
            await stage.say(str(number), message_id=f"m{number}", thread=f"t{number % 3}")
        await stage.settle(40)
    for thread in ("t0", "t1", "t2"):
        texts = [d.event.body["text"] for d in stage.sent if d.conversation.thread == thread]
        assert texts == [f"echo {n}" for n in range(40) if f"t{n % 3}" == thread]


async def test_a_slow_conversation_holds_up_only_itself(tmp_path: Path) -> None:
    uplink = ScriptedUplink(ANSWER)
    uplink.hold = asyncio.Event()
    async with staged(tmp_path, [only("quick")], uplink) as stage:
        await stage.say("slow question", "m1", "slow")
        await stage.say("quick", "m2", "slow")
        await stage.say("quick", "m3", "other")
        await stage.settle(1)
        assert [d.conversation.thread for d in stage.sent] == ["other"]
        uplink.hold.set()
        await stage.settle(3)
    assert [d.event.body["source"] for d in stage.sent if d.conversation.thread == "slow"] == ["core", "rule"]


async def test_an_answer_of_the_core_is_streamed_and_carries_its_citations(tmp_path: Path) -> None:
    uplink = ScriptedUplink(Sentence(1, 0, "It weighs 2.9 kg."), ANSWER)
    async with staged(tmp_path, uplink=uplink) as stage:
        await stage.say("how heavy?")
        body = (await stage.settle(1))[0].event.body
    assert [draft.text for draft in stage.drafts] == ["It weighs 2.9 kg."]
    assert (body["source"], body["reason"], body["final"], body["knowledge_version"]) == ("core", "grounded", True, "7")
    assert body["citations"] == [{"title": "Skua", "uri": "skua.md", "quote": "It weighs 2.9 kg."}]


async def test_nothing_personal_reaches_the_core_and_it_comes_back_unmasked(tmp_path: Path) -> None:
    uplink = ScriptedUplink(replace(ANSWER, text="I wrote down ⟨EMAIL_1⟩ and ⟨PHONE_9⟩."))
    async with staged(tmp_path, uplink=uplink) as stage:
        await stage.say("my mail is ana@example.org, call 13812345678")
        body = (await stage.settle(1))[0].event.body
    asked = uplink.asked[0]
    assert asked.text == "my mail is ⟨EMAIL_1⟩, call ⟨PHONE_1⟩"
    assert "t1" not in asked.conversation_ref
    assert body["text"] == "I wrote down ana@example.org and …."


async def test_the_same_value_keeps_its_placeholder_through_the_conversation(tmp_path: Path) -> None:
    uplink = ScriptedUplink(ANSWER)
    async with staged(tmp_path, uplink=uplink) as stage:
        await stage.say("ana@example.org", "m1")
        await stage.say("bob@example.org", "m2")
        await stage.say("again ana@example.org", "m3")
        await stage.settle(3)
    assert uplink.asked[2].text == "again ⟨EMAIL_1⟩"
    assert [item.text for item in uplink.asked[2].history if item.role == "customer"] == ["⟨EMAIL_1⟩", "⟨EMAIL_2⟩"]


async def test_without_the_core_the_customer_hears_so_and_gets_the_answer_later(tmp_path: Path) -> None:
    uplink = ScriptedUplink(ANSWER)
    uplink.reason = Reason.CORE_UNREACHABLE
    async with staged(tmp_path, uplink=uplink) as stage:
        deferred = asyncio.create_task(stage.turns.deferred.run())
        await stage.say("how heavy?")
        apology = (await stage.settle(1))[0].event.body
        assert (apology["source"], apology["reason"], apology["final"]) == ("fallback", "core_unreachable", False)
        assert stage.store.figures().deferred == 1
        uplink.reason = None
        late = (await stage.settle(2))[1].event.body
        deferred.cancel()
        assert (late["source"], late["final"], late["quotes"]) == ("core", True, "how heavy?")
        assert stage.store.figures().deferred == 0


async def test_a_deferred_turn_does_not_hold_up_its_conversation(tmp_path: Path) -> None:
    uplink = ScriptedUplink(ANSWER)
    uplink.reason = Reason.CORE_DEADLINE
    async with staged(tmp_path, [only("quick")], uplink) as stage:
        await stage.say("how heavy?", "m1")
        await stage.say("quick", "m2")
        sent = await stage.settle(2)
    assert [d.event.body["reason"] for d in sent] == ["core_deadline", "matched"]


async def test_a_promise_that_cannot_be_kept_ends_with_a_notice(tmp_path: Path) -> None:
    uplink = ScriptedUplink()
    uplink.reason = Reason.CORE_UNREACHABLE
    async with staged(tmp_path, uplink=uplink, limits=Limits(expiry_s=0.0)) as stage:
        deferred = asyncio.create_task(stage.turns.deferred.run())
        await stage.say("how heavy?")
        notice = (await stage.settle(2))[1].event.body
        deferred.cancel()
    assert (notice["reason"], notice["final"], notice["quotes"]) == ("expired", True, "how heavy?")


async def test_a_late_answer_is_dropped_once_an_agent_has_taken_over(tmp_path: Path) -> None:
    uplink = ScriptedUplink(ANSWER)
    uplink.reason = Reason.CORE_UNREACHABLE
    handoff = Answering(
        lambda turn: Reply("ok", Source.RULE, Reason.HANDOFF, owner="agent") if turn.text == "human" else None
    )
    async with staged(tmp_path, [handoff], uplink) as stage:
        deferred = asyncio.create_task(stage.turns.deferred.run())
        await stage.say("how heavy?", "m1")
        await stage.say("human", "m2")
        await stage.settle(2)
        uplink.reason = None
        await until(lambda: not stage.turns.deferred.depth("demo"))
        assert stage.store.figures().deferred == 0
        deferred.cancel()
    assert len(stage.sent) == 2
    assert uplink.asked[1:] == []


async def test_a_stop_open_turns_outlive_the_process(tmp_path: Path) -> None:
    uplink = ScriptedUplink(ANSWER)
    uplink.hold = asyncio.Event()
    async with staged(tmp_path, uplink=uplink) as stage:
        await stage.say("first", "m1")
        await stage.say("second", "m2")
    assert stage.sent == []
    async with staged(tmp_path, [Answering(echo)]) as stage:
        assert await stage.turns.resume() == 2
        sent = await stage.settle(2)
    assert [d.event.body["text"] for d in sent] == ["echo first", "echo second"]


async def test_a_reply_that_was_committed_but_not_sent_is_sent_after_the_restart(tmp_path: Path) -> None:
    async with staged(tmp_path, [Answering(echo)]) as stage:
        stage.failing.append(DeliveryError("the vendor is down", retryable=True))
        await stage.say("hello")
        await until(lambda: not stage.failing)
    async with staged(tmp_path) as stage:
        await stage.turns.resume()
        sent = await stage.settle(1)
    assert sent[0].event.body["text"] == "echo hello"


async def test_an_interruption_ends_the_wait_for_the_core(tmp_path: Path) -> None:
    uplink = ScriptedUplink(ANSWER)
    uplink.hold = asyncio.Event()
    async with staged(tmp_path, [only("stop")], uplink) as stage:
        await stage.say("a long story", "m1")
        await until(lambda: bool(uplink.asked))
        await stage.say("stop", "m2")
        sent = await stage.settle(2)
    assert [(d.event.body["reason"], d.event.body["final"]) for d in sent] == [("cancelled", True), ("matched", True)]


async def test_a_turn_that_keeps_failing_ends_with_an_honest_reply(tmp_path: Path) -> None:
    def broken(_turn: Turn) -> Reply:
        raise ZeroDivisionError("secret words of the customer")

    async with staged(tmp_path, [Answering(broken)]) as stage:
        await stage.say("hello")
        body = (await stage.settle(1))[0].event.body
    assert (body["source"], body["reason"], body["final"]) == ("fallback", "turn_failed", False)


async def test_more_turns_than_may_wait_are_refused_with_a_time_to_retry(tmp_path: Path) -> None:
    uplink = ScriptedUplink(ANSWER)
    uplink.hold = asyncio.Event()
    async with staged(tmp_path, uplink=uplink, limits=Limits(queued=2)) as stage:
        await stage.say("one", "m1")
        await stage.say("two", "m2")
        with pytest.raises(Refused) as refused:
            await stage.say("three", "m3")
        uplink.hold.set()
        await stage.settle(2)
    assert (refused.value.status, refused.value.retry_after_s) == (429, 5)


@pytest.mark.parametrize(
    ("text", "lang"), [("你好", "zh"), ("hello", "en"), ("1042", "zh"), ("🙂", "zh"), ("Skua 3 多重", "zh")]
)
async def test_a_reply_speaks_the_language_of_its_message(tmp_path: Path, text: str, lang: str) -> None:
    say_lang = Answering(lambda turn: Reply(turn.lang, Source.RULE, Reason.MATCHED))
    async with staged(tmp_path, [say_lang]) as stage:
        await stage.say("你好", "m0")
        await stage.say(text, "m1")
        sent = await stage.settle(2)
    assert sent[1].event.body["text"] == lang


async def test_a_core_that_keeps_refusing_is_asked_less_and_less_often(tmp_path: Path) -> None:
    uplink = Refusing()
    async with staged(tmp_path, uplink=uplink) as stage:
        deferred = asyncio.create_task(stage.turns.deferred.run())
        await stage.say("how heavy?")
        await until(lambda: len(uplink.asked) >= 2)
        await asyncio.sleep(1.5)
        deferred.cancel()
        assert stage.turns.deferred.depth("demo") == 1
    assert len(uplink.asked) == 2


class Refusing(ScriptedUplink):
    """Up, and refuses every turn."""

    def __init__(self) -> None:
        super().__init__()
        self.reason = Reason.CORE_REFUSED

    async def is_up(self) -> bool:
        return True


@pytest.mark.parametrize("again", [False, True])
async def test_attachments_are_kept_with_the_message_and_belong_to_it(tmp_path: Path, again: bool) -> None:
    photo = {"name": "a.jpg", "url": "https://files.example/a.jpg", "media_type": "image/jpeg"}
    message = replace(inbound("see photo"), attachments=(photo,))
    async with staged(tmp_path, [Answering(echo)]) as stage:
        accepted = await stage.turns.accept(TENANT, message)
        events = await stage.store.events(accepted.conversation_id, 0, 10)
        assert events[0].body["attachments"] == [photo]
        if again:
            assert (await stage.turns.accept(TENANT, message)).duplicate
        else:
            with pytest.raises(Refused):
                await stage.turns.accept(TENANT, replace(message, attachments=()))


class Likely:
    """Approved answers with one that is likely."""

    async def likely(self, turn: Turn, *, core_was_asked: bool) -> Reply | None:
        return Reply("approved", Source.FAQ, Reason.MATCHED, 0.5) if core_was_asked else None

    async def suggest(self, turn: Turn, reply: Reply) -> Reply:
        return reply


@pytest.mark.parametrize(
    ("grounded", "confidence", "source"), [(True, 0.95, "core"), (True, 0.6, "faq"), (False, 0.95, "faq")]
)
async def test_a_likely_approved_answer_goes_before_an_unsure_one_of_the_core(
    tmp_path: Path, grounded: bool, confidence: float, source: str
) -> None:
    uplink = ScriptedUplink(
        Sentence(1, 0, "It weighs 2.9 kg."), replace(ANSWER, grounded=grounded, confidence=confidence)
    )
    async with staged(tmp_path, uplink=uplink, approved=Likely()) as stage:
        await stage.say("how heavy?")
        body = (await stage.settle(1))[0].event.body
    assert body["source"] == source
    assert stage.drafts == []


async def test_a_full_store_refuses_before_it_acknowledges_and_takes_the_message_later(
    tmp_path: Path,
) -> None:
    async with staged(tmp_path, [Answering(echo)]) as stage:
        connection = stage.store._writer._connection
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        long = "x" * 8_000
        with pytest.raises(Refused) as refused:
            for number in range(40):
                await stage.say(long, f"m{number}")
        assert (refused.value.status, refused.value.retry_after_s) == (503, 5)
        connection.execute("PRAGMA max_page_count = 1000000")
        await until(lambda: stage.store.condition is None)
        again = await stage.turns.accept(TENANT, inbound(long, f"m{number}"))
        assert not again.duplicate
        await stage.settle(number + 1)


async def test_a_delivery_that_breaks_does_not_take_the_next_one_with_it(tmp_path: Path) -> None:
    async with staged(tmp_path, [Answering(echo)]) as stage:
        stage.failing.append(ZeroDivisionError("secret words"))
        await stage.say("one", "m1")
        await stage.say("two", "m2")
        sent = await stage.settle(1)
    assert [delivery.event.body["text"] for delivery in sent] == ["echo two"]
