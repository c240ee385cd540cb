import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearside.lexical import (
    char_ngrams,
    content_words,
    has_cjk,
    is_stop_word,
    language_of,
    normalise,
    search_terms,
    stem,
    words,
)

pytestmark = pytest.mark.unit

any_text = st.text(st.characters(exclude_categories=[]), max_size=200)


@pytest.mark.parametrize(
    "forms",
    [
        ["return", "returns", "returned", "returning", "returnable"],
        ["ship", "ships", "shipped", "shipping", "shipment"],
        ["cancel", "cancelled", "cancelling", "cancellation", "cancels"],
        ["exchange", "exchanges", "exchanged", "exchanging"],
        ["delivery", "deliveries", "deliver", "delivered"],
        ["warranty", "warranties"],
        ["pay", "paid", "pays", "paying", "payment"],
        ["address", "addresses", "addressed"],
        ["box", "boxes"],
        ["size", "sizes", "sized"],
        ["child", "children", "kids"],
    ],
)
def test_forms_of_one_word_share_a_stem(forms: list[str]) -> None:
    assert len({stem(form) for form in forms}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("order", "border"), ("store", "story"), ("bus", "but"), ("need", "new"), ("string", "strong"), ("ship", "shop")],
)
def test_different_words_keep_different_stems(one: str, other: str) -> None:
    assert stem(one) != stem(other)


def test_normalise_folds_width_case_punctuation_and_invisible_characters() -> None:
    assert normalise("ＡＢＣ　１２３！") == "abc 123!"
    assert normalise("你好，世界。「引用」") == '你好,世界."引用"'
    assert normalise("re\u200bfu\u202end\ufeff") == "refund"
    assert normalise("  a\n\t b\x00c ") == "a b c"


def test_language_is_that_of_most_of_the_text() -> None:
    assert language_of("怎么退货？") == "zh"
    assert language_of("iPhone15手机壳多少钱") == "zh"
    assert language_of("What does 退货 mean in your terms?") == "en"
    assert language_of("") == language_of("12345 ?!") == "en"
    assert has_cjk("ok 好") and not has_cjk("naïve café Grüße")


def test_words_segment_chinese_and_stem_english() -> None:
    assert words("我想申请退款，order #1042") == ["我", "想", "申请", "退款", "order", "1042"]


def test_numbers_stay_whole() -> None:
    assert words("1,042.50 at 18:30") == ["1,042.50", "at", "18:30"]


def test_content_words_have_no_stop_words_of_either_language() -> None:
    assert content_words("How do I return the shoes?") == [stem("return"), stem("shoes")]
    assert content_words("请问可以退货吗") == ["退货"]
    assert is_stop_word("the") and is_stop_word("的") and not is_stop_word("return")


def test_search_terms_hold_words_and_chinese_bigrams() -> None:
    terms = search_terms("申请退款 refunds")
    assert {"申请", "退款", "请退", "refund"} <= set(terms)
    assert "的了" not in search_terms("的了")


def test_a_document_is_found_by_another_form_of_its_words() -> None:
    assert set(search_terms("refunded")) <= set(search_terms("All refunds are made within five days"))
    assert set(search_terms("退款")) <= set(search_terms("所有退款在五日内完成"))


def test_char_ngrams_never_cross_words() -> None:
    assert char_ngrams("ab 退货款", (2, 3)) == [" ab", "ab ", "退货", "货款", "退货款"]


@given(any_text)
def test_normalise_is_idempotent(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(any_text)
def test_no_text_breaks_the_analysis(text: str) -> None:
    assert all(words(text))
    assert set(content_words(text)) <= set(words(text))
    assert all(1 < len(gram) < 5 for gram in char_ngrams(text))
    assert language_of(text) in ("en", "zh")
    search_terms(text)
