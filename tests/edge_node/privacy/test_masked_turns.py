"""A turn with what was said before it, as it leaves."""

import asyncio

import pytest

from edge_node.messages import HistoryItem, MaskedTurn
from edge_node.privacy.masking import Blocked, Masker, mask_turn
from edge_node.privacy.policy import Privacy
from nearside.tenant_toml import PrivacySettings
from tests.edge_node.responders.desk import Customer

pytestmark = pytest.mark.unit


def leaves(*said: str, privacy: Privacy) -> MaskedTurn:
    """`said`: the customer's messages, the last one of them the question."""
    customer = Customer(history=tuple(HistoryItem("customer", text) for text in said[:-1]))
    return asyncio.run(mask_turn(customer.turn(said[-1]), Masker({}, privacy), privacy, b"key", 5.0))


def test_placeholders_count_from_the_oldest_text() -> None:
    masked = leaves("I am ana@example.com", "and bo@example.com", "write to ana@example.com", privacy=Privacy())
    assert [item.text for item in masked.history] == ["I am ⟨EMAIL_1⟩", "and ⟨EMAIL_2⟩"]
    assert masked.text == "write to ⟨EMAIL_1⟩"


def test_what_a_later_text_calls_personal_is_masked_before_it_too() -> None:
    masked = leaves("2813882583", "ok", "my phone number is 2813882583", privacy=Privacy())
    assert [item.text for item in masked.history] == ["⟨PHONE_1⟩", "ok"]


def test_what_must_not_leave_does_not_leave_where_it_is_repeated_without_its_words() -> None:
    privacy = Privacy(PrivacySettings(types={"ID": "block"}))
    with pytest.raises(Blocked):
        leaves("my passport number is C01X00T47", "no", "once more: C01X00T47", privacy=privacy)
    masked = leaves("C01X00T47", "my passport number is C01X00T47", "how heavy is the tent?", privacy=privacy)
    assert (masked.history, masked.text) == ((), "how heavy is the tent?")


def test_a_question_with_nothing_personal_is_plain() -> None:
    assert leaves("hi", "how heavy is the tent?", privacy=Privacy()).is_plain
    assert not leaves("my phone number is 2813882583", privacy=Privacy()).is_plain
