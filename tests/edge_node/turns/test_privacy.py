import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from edge_node.messages import Citation
from edge_node.privacy.masking import LONG
from edge_node.privacy.policy import Privacy
from edge_node.turns.texts import KINDS as NAMED
from edge_node.turns.texts import blocked
from edge_node.uplink.base import Answer
from nearside.origins import Reason
from nearside.personal_data import KINDS
from nearside.tenant_toml import PrivacySettings
from tests.edge_node.stage import ScriptedUplink, staged

pytestmark = pytest.mark.unit

ANSWER = Answer("Noted.", True, 0.9, (Citation("Skua", "skua.md", "Noted."),), "7", False)
IBAN = "DE89 3704 0044 0532 0130 00"
BLOCKING = Privacy(PrivacySettings(types={"IBAN": "block"}))


async def test_what_may_not_leave_ends_the_turn_at_the_edge_and_says_how_to_go_on(tmp_path: Path) -> None:
    uplink = ScriptedUplink(ANSWER)
    async with staged(tmp_path, uplink=uplink, privacy=BLOCKING) as stage:
        await stage.say(f"please refund to {IBAN}")
        body = (await stage.settle(1))[0].event.body
        assert await stage.store.open_turns() == []
    assert uplink.asked == []
    assert (body["source"], body["reason"], body["final"]) == ("fallback", "privacy_blocked", True)
    assert "a bank account number" in body["text"] and "without it" in body["text"]


async def test_in_chinese_it_says_so_in_chinese(tmp_path: Path) -> None:
    async with staged(tmp_path, uplink=ScriptedUplink(ANSWER), privacy=BLOCKING) as stage:
        await stage.say(f"请退款到 {IBAN}")
        body = (await stage.settle(1))[0].event.body
    assert "银行账号" in body["text"] and "转人工" in body["text"]


async def test_what_was_blocked_is_no_history_of_the_next_turn(tmp_path: Path) -> None:
    uplink = ScriptedUplink(ANSWER)
    async with staged(tmp_path, uplink=uplink, privacy=BLOCKING) as stage:
        await stage.say(f"please refund to {IBAN}", "m1")
        await stage.settle(1)
        await stage.say("all right, without it", "m2")
        await stage.settle(2)
    (asked,) = uplink.asked
    assert [item.role for item in asked.history] == ["assistant"]
    assert "DE89" not in repr(asked)


async def test_with_the_core_away_a_blocked_turn_is_not_promised_an_answer(tmp_path: Path) -> None:
    uplink = ScriptedUplink(ANSWER)
    uplink.reason = Reason.CORE_UNREACHABLE
    async with staged(tmp_path, uplink=uplink, privacy=BLOCKING) as stage:
        await stage.say(f"please refund to {IBAN}")
        body = (await stage.settle(1))[0].event.body
    assert (body["reason"], body["final"]) == ("privacy_blocked", True)


async def test_a_late_answer_speaks_of_what_its_own_turn_said(tmp_path: Path) -> None:
    """Its placeholders were given out when the core was asked first, before those of the turns since."""
    uplink = ScriptedUplink(replace(ANSWER, text="I call ⟨PHONE_1⟩."))
    uplink.reason = Reason.CORE_DEADLINE
    async with staged(tmp_path, uplink=uplink) as stage:
        await stage.say("call 13812345678", "m1")
        await stage.settle(1)
        await stage.say("or call 13900001111", "m2")
        await stage.settle(2)
        uplink.reason = None
        deferred = asyncio.create_task(stage.turns.deferred.run())
        late = [delivery.event.body for delivery in (await stage.settle(4))[2:]]
        deferred.cancel()
    assert {body["quotes"]: body["text"] for body in late} == {
        "call 13812345678": "I call 13812345678.",
        "or call 13900001111": "I call 13812345678.",
    }
    assert [turn.text for turn in uplink.asked[:2]] == ["call ⟨PHONE_1⟩", "or call ⟨PHONE_2⟩"]


async def test_a_long_turn_is_masked_too(tmp_path: Path) -> None:
    uplink = ScriptedUplink(ANSWER)
    async with staged(tmp_path, uplink=uplink) as stage:
        await stage.say("ana@example.org " + "x" * LONG)
        await stage.settle(1)
    assert uplink.asked[0].text.startswith("⟨EMAIL_1⟩ xx")


@pytest.mark.parametrize("text", ["ana@example.org", "what ⟨is⟩ it?"])
async def test_an_answer_to_something_personal_is_not_kept_for_others(tmp_path: Path, text: str) -> None:
    uplink = ScriptedUplink(ANSWER)
    async with staged(tmp_path, uplink=uplink, privacy=Privacy(PrivacySettings(policy="allow"))) as stage:
        await stage.say("how heavy is it?", "m1")
        await stage.say(text, "m2")
        await stage.settle(2)
    assert [turn.is_plain for turn in uplink.asked] == [True, False]


def test_every_kind_has_a_name_that_customers_know_in_both_languages() -> None:
    assert set(NAMED) == set(KINDS)
    assert blocked("en", ["CARD", "IBAN", "ACCOUNT", "MEMBER"]).startswith(
        "Your message contains a card number and a bank account number and personal data, "
    )
    assert blocked("zh", ["CARD"]).startswith("您的消息里有银行卡号，")
