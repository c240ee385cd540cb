import json

import pytest

from edge_node.messages import Citation
from edge_node.privacy.masking import LEFT_OVER, MOST_MASKS, Masker
from edge_node.privacy.policy import Privacy
from edge_node.privacy.spans import Detector, Found
from nearside.tenant_toml import PrivacySettings

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


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+86 138 0013 8000", "13800138000"),
        ("+49 151 12345678", "0151 12345678"),
        ("手机１３８００１３８０００", "手机138-0013-8000"),
        ("Ana@Example.org", "ana@example.org"),
        ("4111 1111 1111 1111", "4111-1111-1111-1111"),
        ("DE89 3704 0044 0532 0130 00", "de89370400440532013000"),
    ],
)
def test_two_spellings_of_a_value_share_a_placeholder(one: str, other: str) -> None:
    masker = Masker({})
    masker.mask(one)
    masker.mask(other)
    assert len(masker.masks) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("13800138000", "13900138000"), ("1.23.4.5", "12.3.4.5"), ("+49 151 12345678", "+43 151 12345678")],
)
def test_two_values_that_look_alike_do_not(one: str, other: str) -> None:
    masker = Masker({})
    assert masker.mask(one) != masker.mask(other)


def test_a_conversation_goes_on_with_the_placeholders_it_has() -> None:
    first = Masker({})
    first.mask("ana@example.org, ben@example.org")
    later = Masker(first.masks)
    assert later.mask("ben@example.org or eve@example.org") == "⟨EMAIL_2⟩ or ⟨EMAIL_3⟩"


def test_of_very_many_masks_the_newest_stay_and_no_number_is_given_twice() -> None:
    masks = {f"⟨EMAIL_{number}⟩": f"a{number}@example.org" for number in range(1, MOST_MASKS + 11)}
    masker = Masker(masks)
    assert len(masker.masks) == MOST_MASKS
    assert masker.unmask("⟨EMAIL_1⟩") == LEFT_OVER
    assert masker.mask("new@example.org") == f"⟨EMAIL_{MOST_MASKS + 11}⟩"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://x.example/?m=⟨EMAIL_1⟩ or ⟨EMAIL_1⟩", "https://x.example/?m=… or ana@example.org"),
        ("[here](//x.example/⟨EMAIL_1⟩)", "[here](//x.example/…)"),
        ("www.x.example/⟨EMAIL_1⟩", "www.x.example/…"),
        ("see shop.example?m=⟨EMAIL_1⟩", "see shop.example?m=…"),
        ("mailto:eve@x.example?body=⟨EMAIL_1⟩", "mailto:eve@x.example?body=…"),
        ("见https://x.example/，邮箱⟨EMAIL_1⟩", "见https://x.example/，邮箱ana@example.org"),
        ("E-mail:⟨EMAIL_1⟩", "E-mail:ana@example.org"),
        ("⟨email_1⟩ and ⟨ EMAIL_1 ⟩", "ana@example.org and ana@example.org"),
        ("⟨PHONE_7⟩", "…"),
        ("I wrote to ⟨EMAI", "I wrote to …"),
        ("⟨x, y⟩ is a product", "⟨x, y⟩ is a product"),
    ],
)
def test_only_what_is_known_is_filled_in_and_never_inside_a_link(text: str, shown: str) -> None:
    assert Masker({"⟨EMAIL_1⟩": "ana@example.org"}).unmask(text) == shown


def test_a_citation_is_unmasked_but_for_its_address() -> None:
    masker = Masker({"⟨EMAIL_1⟩": "ana@example.org"})
    citation = masker.unmask_citation(Citation("To ⟨EMAIL_1⟩", "https://x.example/⟨EMAIL_1⟩", "⟨EMAIL_1⟩"))
    assert citation == Citation("To ana@example.org", "https://x.example/⟨EMAIL_1⟩", "ana@example.org")


def test_the_arguments_of_a_tool_are_unmasked_at_any_depth() -> None:
    masker = Masker({"⟨EMAIL_1⟩": "ana@example.org"})
    arguments = json.loads('{"to": ["⟨EMAIL_1⟩"], "order": 1042, "more": {"note": "tell ⟨EMAIL_1⟩", "gift": null}}')
    assert masker.unmask_arguments(arguments) == {
        "to": ["ana@example.org"],
        "order": 1042,
        "more": {"note": "tell ana@example.org", "gift": None},
    }


def test_a_customer_cannot_write_a_placeholder_of_their_own() -> None:
    masker = Masker({"⟨EMAIL_1⟩": "ana@example.org"})
    assert masker.unmask(masker.mask("tell me ⟨EMAIL_1⟩")) == "tell me ‹EMAIL_1›"


def test_a_bare_number_is_read_with_the_question_before_it() -> None:
    assert Masker({}).mask("2813882583", asked="What is your phone number?") == "⟨PHONE_1⟩"
    assert Masker({}).mask("2813882583", asked="What is your order number?") == "2813882583"


def test_a_company_treats_each_kind_as_it_likes() -> None:
    privacy = Privacy(PrivacySettings(policy="mask", types={"EMAIL": "allow", "IBAN": "block"}))
    spans = privacy.find("ana@example.org, DE89 3704 0044 0532 0130 00, 13800138000")
    assert [span.kind for span in spans] == ["EMAIL", "IBAN", "PHONE"]
    assert [span.kind for span in privacy.masked(spans)] == ["IBAN", "PHONE"]
    assert privacy.blocked(spans) == ["IBAN"]
    assert Masker({}, privacy).mask("ana@example.org 13800138000") == "ana@example.org ⟨PHONE_1⟩"


def test_a_kind_that_is_allowed_is_not_taken_for_another() -> None:
    privacy = Privacy(PrivacySettings(types={"CARD": "allow"}))
    assert Masker({}, privacy).mask("card number 4111 1111 1111 1111") == "card number 4111 1111 1111 1111"


def test_a_company_has_kinds_of_its_own() -> None:
    privacy = Privacy(PrivacySettings(patterns={"MEMBER": r"LK-\d{6}"}))
    masker = Masker({}, privacy)
    assert masker.mask("会员ＬＫ－１２３４５６") == "会员⟨MEMBER_1⟩"
    assert masker.unmask("⟨MEMBER_1⟩") == "ＬＫ－１２３４５６"


def test_a_kind_of_the_companys_is_found_all_over_a_long_text() -> None:
    privacy = Privacy(PrivacySettings(patterns={"MEMBER": r"LK-\d{6}"}))
    for before in range(590, 610):
        assert Masker({}, privacy).mask("x" * before + "LK-123456" + "x" * 7_000).count("⟨MEMBER_1⟩") == 1


def test_what_the_tools_need_is_let_through_whole_or_not_at_all() -> None:
    privacy = Privacy(PrivacySettings(let_through=(r"020-\d{4}-\d{4}",)))
    assert Masker({}, privacy).mask("020-1234-5678 or 030-1234-5678") == "020-1234-5678 or ⟨PHONE_1⟩"
    part = Privacy(PrivacySettings(let_through=(r"\d{4}",)))
    assert Masker({}, part).mask("020-1234-5678") == "⟨PHONE_1⟩"


def test_a_finder_of_names_can_be_added() -> None:
    def names(text: str) -> Found:
        return [(place, place + 3) for place in [text.find("Ana")] if place >= 0]

    masker = Masker({}, Privacy(more=[Detector("NAME", names)]))
    assert masker.mask("Ana wrote from ana@example.org") == "⟨NAME_1⟩ wrote from ⟨EMAIL_1⟩"


def test_a_value_is_masked_wherever_else_it_stands() -> None:
    masker = Masker({})
    assert masker.mask("phone 2813882583. Is 2813882583 right?") == "phone ⟨PHONE_1⟩. Is ⟨PHONE_1⟩ right?"
    assert masker.mask("yes, 2813882583") == "yes, ⟨PHONE_1⟩"
    assert masker.mask("item 12813882583 is another") == "item 12813882583 is another"


@pytest.mark.parametrize("asked", ["", "请提供订单号", "Please give me the tracking number:", "is it 12", "88 and"])
@pytest.mark.parametrize("text", ["13800138000", "4111 1111 1111 1111", "DE89370400440532013000", "ana@example.com"])
def test_what_was_asked_before_makes_nothing_less_personal(asked: str, text: str) -> None:
    assert [(span.start, span.end) for span in Privacy().find(text, asked)] == [(0, len(text))]


def test_what_was_asked_before_tells_what_a_bare_number_is() -> None:
    privacy = Privacy()
    assert not privacy.find("2813882583")
    assert [span.kind for span in privacy.find("2813882583", "What is your phone number?")] == ["PHONE"]
