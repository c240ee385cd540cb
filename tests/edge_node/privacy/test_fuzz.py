"""Masking against texts made to break it: whatever comes, nothing raises, and what was masked comes back."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_node.messages import TEXT_LIMIT
from edge_node.privacy.finding import find
from edge_node.privacy.folding import Folded
from edge_node.privacy.masking import CLOSED, PLACEHOLDER, Masker, defused
from edge_node.privacy.spans import Span
from tests.data_sets import read_json
from tests.edge_node.privacy import chinese

pytestmark = pytest.mark.unit

VALUES = (
    "ana@example.org", "+49 151 12345678", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "11010519491231002X",
    "10.0.0.7", "12 Baker Street, London", "建国路88号3栋2单元501室", "京A12345", "https://x.example/?token=abcdef",
    "1\u200b3800138000", "身份证", "phone", "IBAN ", "is my passport", "\u0301",
    "⟨", "⟩", "⟨PHONE_1⟩", "…", "１２３", "\ud800",
)  # fmt: skip
texts = st.one_of(st.text(max_size=200), st.lists(st.one_of(st.sampled_from(VALUES), st.text(max_size=8))).map("".join))

HOSTILE = (
    "1", "1 ", "1-", "12 ", "4 ", "4111 ", "a@", "a.", "a@a.com ", "(1", "+", "0 1", ":", "f:", "http://a?token=",
    "GB12 ABCD ",
    "路1号", "北京市区", "一 ", "１", "12 main st ", "Rue de ", "Apt 1 ", "12 Aa, ", "passport number is ", "call me ",
    "eyJ.", "-",
    "[at]", "a dot ", "ab艾特", "\u200b1", "⟨", "京A1", "〒1", "강남구 로1 ", "is my ",
    "1 Aa\n", "Aweg 1 ", "plate: AB ", "A 1 ",
)  # fmt: skip


@given(texts)
def test_finds_lie_in_order_in_the_text_and_never_overlap(text: str) -> None:
    spans = find(text)
    ends = [0, *(span.end for span in spans)]
    for span, end in zip(spans, ends, strict=False):
        assert end <= span.start < span.end <= len(text)


@given(texts)
def test_any_text_survives_the_way_up_and_down(text: str) -> None:
    masker = Masker({})
    left = masker.mask(text)
    back = masker.unmask(left)
    assert not PLACEHOLDER.search(back)
    if not CLOSED.search(left):  # what stands in a link does not come back
        assert back == up_to_spelling(masker, defused(text))


@given(texts)
def test_masking_a_text_twice_gives_the_same(text: str) -> None:
    first = Masker({})
    assert first.mask(text) == first.mask(text)


@given(texts)
def test_a_value_that_was_masked_is_not_in_what_leaves(text: str) -> None:
    masker = Masker({})
    left = masker.mask(text)
    for placeholder in masker.masks:
        assert placeholder in left
    for span in find(left):
        assert "⟨" not in left[span.start : span.end]


@given(st.text())
def test_each_place_of_a_folded_text_has_one_in_the_original(text: str) -> None:
    folded = Folded(text)
    places = [folded.place(position) for position in range(len(folded.text))]
    assert places == sorted(set(places))
    assert all(0 <= place < len(text) for place in places)


@pytest.mark.parametrize("unit", HOSTILE)
def test_a_text_made_to_run_away_is_masked_in_the_time_of_a_test(unit: str) -> None:
    for text in ((unit * TEXT_LIMIT)[:TEXT_LIMIT], f"phone card {unit * TEXT_LIMIT}"[:TEXT_LIMIT]):
        masker = Masker({})
        assert masker.unmask(masker.mask(text)) == up_to_spelling(masker, defused(text))


def test_a_mixture_of_such_texts_is_masked_in_the_time_of_a_test() -> None:
    chosen = random.Random(3)
    for _ in range(40):
        units = chosen.sample(HOSTILE, 3)
        find("".join(chosen.choices(units, k=TEXT_LIMIT))[:TEXT_LIMIT])


def test_a_hundred_chinese_messages_as_one_are_masked_and_come_back() -> None:
    text = "\n".join(text for text, _, _ in chinese.texts(100, seed=8))
    masker = Masker({})
    assert masker.unmask(masker.mask(text)) == up_to_spelling(masker, text)


def test_every_naughty_string_is_masked_and_comes_back() -> None:
    for text in read_json("naughty_strings/blns.json"):
        masker = Masker({})
        assert masker.unmask(masker.mask(text)) == up_to_spelling(masker, defused(text))


def up_to_spelling(masker: Masker, text: str) -> str:
    """`text` with each value as it was first written in it: two spellings share a placeholder."""
    pieces, position = [], 0
    for span in Masker({}).find(text):
        value = text[span.start : span.end]
        first = masker.unmask(masker.replace(value, [Span(0, len(value), span.kind)]))
        assert is_same(first, value)
        pieces += [text[position : span.start], first]
        position = span.end
    return "".join([*pieces, text[position:]])


def is_same(one: str, other: str) -> bool:
    """Letters and digits, with the country's before a phone number or without them."""
    plain = ["".join(filter(str.isalnum, Folded(text).text.casefold())) for text in (one, other)]
    return plain[0].endswith(plain[1].lstrip("0")) or plain[1].endswith(plain[0].lstrip("0"))
