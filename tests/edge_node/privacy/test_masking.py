import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_node.privacy.masking import Masker

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("write to ana.li+shop@example.co.uk please", "write to ⟨EMAIL_1⟩ please"),
        ("我的手机是13812345678，谢谢", "我的手机是⟨PHONE_1⟩，谢谢"),
        ("手机 138 1234 5678", "手机 ⟨PHONE_1⟩"),
        ("call +49 30 1234567 today", "call ⟨PHONE_1⟩ today"),
        ("call +4915112345678", "call ⟨PHONE_1⟩"),
        ("card 4111 1111 1111 1111", "card ⟨CARD_1⟩"),
        ("身份证 11010519491231002X", "身份证 ⟨ID_1⟩"),
        ("IBAN DE89 3704 0044 0532 0130 00", "IBAN ⟨IBAN_1⟩"),
    ],
)
def test_personal_data_becomes_a_placeholder_and_comes_back(text: str, masked: str) -> None:
    masker = Masker({})
    assert masker.mask(text) == masked
    assert masker.unmask(masked) == text


@pytest.mark.parametrize(
    "text",
    [
        "Where is my order 1042?",
        "订单1042到哪了",
        "the Skua 3 costs 349.90 EUR and weighs 2,900 g",
        "open 10:00-19:00, closed on 2026-12-25",
        "card number 4111 1111 1111 1112 has a wrong check digit 1",
        "SKU LK-2041-B, size 42.5",
    ],
)
def test_what_is_not_personal_stays(text: str) -> None:
    assert "⟨PHONE" not in Masker({}).mask(text)
    assert "⟨CARD" not in Masker({}).mask(text)
    assert "⟨ID" not in Masker({}).mask(text)


def test_a_placeholder_inside_a_link_is_not_filled_in() -> None:
    masker = Masker({"⟨EMAIL_1⟩": "ana@example.org"})
    assert masker.unmask("https://x.example/?m=⟨EMAIL_1⟩ or ⟨EMAIL_1⟩") == "https://x.example/?m=… or ana@example.org"


def test_a_customer_cannot_write_a_placeholder_of_their_own() -> None:
    masker = Masker({"⟨EMAIL_1⟩": "ana@example.org"})
    assert masker.unmask(masker.mask("tell me ⟨EMAIL_1⟩")) == "tell me ‹EMAIL_1›"


@given(st.text(max_size=200))
def test_any_text_survives_the_way_up_and_down(text: str) -> None:
    masker = Masker({})
    assert masker.unmask(masker.mask(text)) == text.replace("⟨", "‹").replace("⟩", "›")
