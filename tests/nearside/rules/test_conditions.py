from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nearside.operator_files import Lang
from nearside.rules import Condition, Sight, bare, plain

pytestmark = pytest.mark.unit


def holds(written: dict[str, Any], text: str = "", lang: Lang = "en", **facts: Any) -> bool | None:
    return Condition.model_validate(written).holds(Sight(text=plain(text), lang=lang, **facts))


@pytest.mark.parametrize(
    ("keyword", "text", "found"),
    [
        ("hat", "a red HAT, please", True),
        ("hat", "what is that", False),
        ("where is my order", "Where  is\nmy order?", True),
        ("订单", "我的订单到哪了", True),
        ("订单", "我的订 单到哪了", True),
        ("vip", "我是VIP会员", True),
        ("vip", "vips", False),
        ("don't", "I don\u2019t know", True),
        ("1042", "订单１０４２", True),
        ("1042", "10420", False),
        ("c++", "do you know c++?", True),
    ],
)
def test_a_keyword_is_a_word_in_english_and_a_part_in_chinese(keyword: str, text: str, found: bool) -> None:
    assert holds({"keywords": [keyword]}, text) is found


@pytest.mark.parametrize(
    ("text", "found"), [("Hi!", True), ("hi :-) ", True), ("hi, how much is shipping?", False), ("“hi”…", True)]
)
def test_exactly_is_the_whole_message_without_punctuation(text: str, found: bool) -> None:
    assert holds({"exactly": ["hi"]}, text) is found


def test_every_key_of_a_condition_must_hold() -> None:
    written = {"keywords": "order", "lang": "en", "hours": "open"}
    assert holds(written, "my order") is True
    assert holds(written, "my order", lang="zh") is False
    assert holds(written, "my order", is_open=False) is False


def test_any_all_and_not_combine() -> None:
    written = {"all": [{"any": [{"keywords": "a1"}, {"keywords": "b1"}]}, {"not": {"keywords": "c1"}}]}
    assert holds(written, "b1") is True
    assert holds(written, "b1 c1") is False
    assert holds(written, "d1") is False


def test_an_unknown_intent_leaves_the_decision_open_only_where_it_matters() -> None:
    either = {"any": [{"keywords": "order"}, {"intent": "order_status"}]}
    assert holds(either, "order") is True
    assert holds(either, "parcel") is None
    assert holds({"all": [{"keywords": "order"}, {"intent": "x"}]}, "parcel") is False
    assert holds({"not": {"intent": "x"}}, "parcel") is None
    assert holds(either, "parcel", intent=("order_status", 0.9), intent_known=True) is True
    assert holds(either, "parcel", intent=("order_status", 0.5), intent_known=True) is False
    assert holds(either, "parcel", intent=None, intent_known=True) is False


def test_a_cel_condition_sees_the_conversation() -> None:
    written = {"condition": "channel == 'web' && (has(slots.n) || hours.open)"}
    assert holds(written, channel="web") is True
    assert holds(written, channel="api") is False
    assert holds({"condition": "slots.n == '1'"}, slots={"n": "1"}) is True
    assert holds({"condition": "slots.n == '1'"}) is False, "a slot that is not filled"
    assert holds({"condition": "int(slots.n) > 3"}, slots={"n": "many"}) is False


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"keywords": [""]},
        {"keywords": ["!"], "exactly": ["!"]},
        {"condition": "slots["},
        {"condition": "turn.text == 'x'"},
        {"condition": "[1, 2].all(x, x > 0)"},
        {"condition": "slots.n > 3"},
        {"condition": "nope('x')"},
        {"condition": "lang"},
        {"condition": "lang == 'en' && " * 40 + "true"},
        {"regex": "(a+)+"},
        {"keyword": "x"},
        {"hours": "sometimes"},
    ],
)
def test_a_condition_that_cannot_work_is_refused_when_loaded(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Condition.model_validate(written)


def test_bare_text_keeps_words_only() -> None:
    assert bare(plain("That’s  ALL, thanks!! 🙂")) == "thats all thanks"
    assert bare(plain("好的，谢谢。88")) == "好的谢谢88"


@given(st.text(max_size=100))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert plain(plain(text)) == plain(text)


@given(st.text(max_size=40), st.text(max_size=80))
def test_any_keyword_and_any_text_give_an_answer(keyword: str, text: str) -> None:
    try:
        condition = Condition.model_validate({"any": [{"keywords": [keyword]}, {"exactly": [keyword]}]})
    except ValidationError:
        return
    assert condition.holds(Sight(text=plain(text), lang="en")) in (True, False)
    assert condition.holds(Sight(text=plain(keyword), lang="en")) is True


def test_a_keyword_inside_another_word_does_not_hide_one_that_follows() -> None:
    assert holds({"keywords": ["aa b", "b c"]}, "xaa b c") is True
    assert holds({"keywords": ["hat"]}, "that hat") is True
