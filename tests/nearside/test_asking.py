import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nearside.asking import fingerprint, question_of

pytestmark = pytest.mark.unit

any_text = st.text(st.characters(exclude_categories=[]), max_size=200)


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Hi there, I have a quick question. How do I return this?", "how do i return this?"),
        ("Could you please tell me: is shipping free?", "is shipping free?"),
        ("I was wondering if you ship to Norway", "you ship to norway"),
        ("can you help me with my invoice", "my invoice"),
        ("Sorry to bother you, but where are your stores?", "where are your stores?"),
        ("Do you repair tents? Thank you very much!", "do you repair tents"),
        ("Is shipping free? Kind regards, Anna Miller", "is shipping free"),
        ("想咨询一下运费多少钱？", "运费多少钱?"),
        ("请教一下怎么退货", "怎么退货"),
        ("您好，我有个问题想问一下：怎么换码", "怎么换码"),
        ("麻烦帮我看看我的发票在哪，谢谢", "我的发票在哪"),
        ("弱弱地问一句，能分期付款吗", "能分期付款吗"),
        ("打听一下你们会员等级", "会员等级"),
    ],
)
def test_the_words_around_a_question_are_cut(text: str, question: str) -> None:
    assert question_of(text) == question


@pytest.mark.parametrize(
    "text",
    [
        "How do I return this?",
        "Hello!",
        "thanks a lot",
        "can you help me",
        "请问",
        "你好，谢谢",
        "我要退货",
        "问题商品怎么换",
        "帮我取消订单",
        "Dear me " * 100,
    ],
)
def test_what_is_all_question_or_all_courtesy_stays_as_written(text: str) -> None:
    assert question_of(text) == text


def test_texts_that_differ_in_courtesy_case_and_marks_have_one_fingerprint() -> None:
    assert (
        len({fingerprint(text) for text in ("Is shipping free?", "is shipping free", "hi, is shipping free pls")}) == 1
    )
    assert len({fingerprint(text) for text in ("包邮吗？", "亲，包邮吗", "请问包邮呢", "包邮")}) == 1
    assert fingerprint("where is order 1042") == fingerprint("Where is order 77231?")
    assert fingerprint("is the Glim 400 waterproof") != fingerprint("is the Glim 600 waterproof")


@given(any_text)
@example("," * 100_000)
@example("急" * 100_000)
@example("的" * 100_000)
@example("please " * 20_000)
def test_no_text_breaks_the_cutting(text: str) -> None:
    question = question_of(text)
    assert bool(question.strip()) or not text.strip() or question == text
    fingerprint(text)
