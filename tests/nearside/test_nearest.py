from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearside.confidence import DEFAULT_THRESHOLD
from nearside.encoder import Encoding, TextEncoder
from nearside.nearest import Example, Match, NearestIndex

pytestmark = pytest.mark.unit

FAQ = {
    "faq:shipping-cost": "How much does shipping cost?|what are the delivery charges|运费多少钱？|邮费怎么算",
    "faq:returns-window": "How long do I have to return something?|return period|多少天内可以退货？|退货期限",
    "faq:return-how": "How do I return an item?|where do I get a return label|怎么退货？|退货流程是什么",
    "faq:gift-cards": "Do you sell gift cards?|can I buy a gift voucher|有礼品卡卖吗？|可以买购物卡吗",
    "faq:warranty": "How long is the warranty?|what guarantee do you give|保修期多久？|质保几年",
    "faq:parking": "Is there parking at your stores?|where can I park|门店可以停车吗？|附近有停车场吗",
    "faq:password": "I forgot my password, what can I do?|reset password|忘记密码怎么办？|密码怎么重置",
    "faq:payment": "Which payment methods do you accept?|can I pay by card|支持哪些付款方式？|能用支付宝吗",
    "faq:jobs": "Are you hiring?|job openings|你们招人吗？|有什么职位",
    "faq:dogs": "Can I bring my dog into the store?|are pets allowed|可以带狗进店吗？|宠物能进吗",
}
EXAMPLES = [
    Example(label, text, "zh" if index > 1 else "en")
    for label, texts in FAQ.items()
    for index, text in enumerate(texts.split("|"))
]
any_text = st.text(st.characters(exclude_categories=[]), max_size=200)


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder()


@pytest.fixture(scope="module")
def index(encoder: TextEncoder) -> NearestIndex:
    return NearestIndex.build(EXAMPLES, encoder)


def best(index: NearestIndex, encoder: TextEncoder, text: str) -> Match:
    return index.query(text, encoder.encode(text))[0]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.text)
def test_every_example_finds_its_own_label(index: NearestIndex, encoder: TextEncoder, example: Example) -> None:
    match = best(index, encoder, example.text)
    assert (match.label, match.confidence) == (example.label, 0.99)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("how much do you charge for shipping", "faq:shipping-cost"),
        ("What's the period for returns?", "faq:returns-window"),
        ("do you have gift cards", "faq:gift-cards"),
        ("how many years of warranty are there", "faq:warranty"),
        ("i have forgotten my password", "faq:password"),
        ("are dogs allowed in the store", "faq:dogs"),
        ("快递费多少", "faq:shipping-cost"),
        ("几天之内可以退货", "faq:returns-window"),
        ("我的密码忘了", "faq:password"),
        ("你们店可以停车吗", "faq:parking"),
        ("能带宠物进店吗", "faq:dogs"),
        ("你们支持什么付款方式", "faq:payment"),
    ],
)
def test_paraphrases_pass_the_threshold(index: NearestIndex, encoder: TextEncoder, text: str, label: str) -> None:
    match = best(index, encoder, text)
    assert match.label == label and match.confidence >= DEFAULT_THRESHOLD


@pytest.mark.parametrize(
    "text",
    [
        "do you sell wedding dresses?",
        "can I rent a car from you",
        "how long is the battery life of the headlamp",
        "how much does the two person tent weigh",
        "can dogs eat chocolate",
        "how do I return a library book",
        "what is the capital of France",
        "where is my order 1042",
        "你们卖婚纱吗",
        "头灯的电池能用多久",
        "狗可以吃巧克力吗",
        "明天天气怎么样",
        "法国的首都是哪里",
        "🎉",
    ],
)
def test_what_the_examples_do_not_answer_stays_under_the_threshold(
    index: NearestIndex, encoder: TextEncoder, text: str
) -> None:
    assert all(match.confidence < DEFAULT_THRESHOLD for match in index.query(text, encoder.encode(text)))


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Hello, quick question: how much does shipping cost please", "faq:shipping-cost"),
        ("想咨询一下质保几年，谢谢", "faq:warranty"),
        ("do you sell gfit cards", "faq:gift-cards"),
        ("ar epets allowed", "faq:dogs"),
        ("支持哪些付方式？", "faq:payment"),
    ],
)
def test_courtesy_and_slips_do_not_lower_the_confidence(
    index: NearestIndex, encoder: TextEncoder, text: str, label: str
) -> None:
    match = best(index, encoder, text)
    assert match.label == label and match.confidence >= 0.9


@pytest.mark.parametrize(
    "text", ["is there parking at the airport", "do you sell lottery tickets", "你们酒店可以带宠物吗"]
)
def test_a_noun_of_another_trade_keeps_a_small_index_silent(
    index: NearestIndex, encoder: TextEncoder, text: str
) -> None:
    assert best(index, encoder, text).confidence < 0.45


def test_a_noun_that_the_examples_have_is_nothing_strange(encoder: TextEncoder) -> None:
    airport = [*EXAMPLES, Example("faq:airport", "is there parking at the airport", "en")]
    match = best(NearestIndex.build(airport, encoder), encoder, "can I park at the airport")
    assert match.label == "faq:airport" and match.confidence >= 0.45


def test_matches_come_best_first_and_one_for_each_label(index: NearestIndex, encoder: TextEncoder) -> None:
    matches = index.query("return", encoder.encode("return"), limit=5)
    confidences = [match.confidence for match in matches]
    assert confidences == sorted(confidences, reverse=True)
    assert len({match.label for match in matches}) == 5


def test_a_text_that_belongs_to_two_labels_is_not_certain(encoder: TextEncoder) -> None:
    twice = [*EXAMPLES, Example("faq:other", "Are you hiring?", "en")]
    assert best(NearestIndex.build(twice, encoder), encoder, "Are you hiring?").confidence < DEFAULT_THRESHOLD


def test_another_order_number_matches_as_well(encoder: TextEncoder) -> None:
    index = NearestIndex.build([*EXAMPLES, Example("intent:order", "where is order 1042", "en")], encoder)
    assert best(index, encoder, "where is order 77231").confidence >= DEFAULT_THRESHOLD


def test_an_index_without_examples_finds_nothing(encoder: TextEncoder) -> None:
    assert NearestIndex.build([], encoder).query("hello", encoder.encode("hello")) == []


def test_a_text_without_words_finds_nothing(index: NearestIndex, encoder: TextEncoder) -> None:
    assert index.query(" ?! ", encoder.encode(" ?! ")) == []


@settings(max_examples=60, deadline=None)
@given(any_text)
def test_no_text_breaks_the_index(index: NearestIndex, encoder: TextEncoder, text: str) -> None:
    encoding = encoder.encode(text)
    matches = index.query(text, encoding)
    assert all(0 <= match.confidence <= 1 for match in matches)
    assert matches == index.query(text, encoding)


class CountingEncoder(TextEncoder):
    encoded = 0

    def encode_in_runs(self, texts: Sequence[str]) -> Iterator[dict[int, Encoding]]:
        self.encoded += len(texts)
        return super().encode_in_runs(texts)


def test_a_second_start_takes_the_vectors_from_the_cache(tmp_path: Path) -> None:
    cache = tmp_path / "vectors.npz"
    NearestIndex.build(EXAMPLES, TextEncoder(), cache)
    encoder = CountingEncoder()
    NearestIndex.build(EXAMPLES, encoder, cache)
    assert encoder.encoded == 0
    NearestIndex.build([*EXAMPLES, Example("faq:new", "something new", "en")], encoder, cache)
    assert encoder.encoded == 1


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty", "foreign", "unreal", "flat"])
def test_a_damaged_cache_is_replaced(tmp_path: Path, encoder: TextEncoder, damage: str) -> None:
    cache = tmp_path / "vectors.npz"
    NearestIndex.build(EXAMPLES, encoder, cache)
    content = cache.read_bytes()
    match damage:
        case "cut":
            cache.write_bytes(content[: len(content) // 2])
        case "garbage":
            cache.write_bytes(b"PK\x03\x04" + bytes(range(256)) * 20)
        case "empty":
            cache.write_bytes(b"")
        case "foreign":
            np.savez(cache, other=np.zeros(3))
        case "unreal":
            unreal = np.full((1, 384), np.nan, np.float32), np.eye(1, 1536, dtype=np.float16)
            np.savez(cache, keys=np.array(["0" * 64]), vectors=unreal[0], unknown=[0.0], features=unreal[1])
        case "flat":
            with np.load(cache) as stored:
                arrays = dict(stored)
            np.savez(cache, **arrays | {"features": arrays["features"][:, :384]})
    index = NearestIndex.build(EXAMPLES, encoder, cache)
    assert best(index, encoder, "Are you hiring?").label == "faq:jobs"
    assert cache.stat().st_size >= len(content) - 100


def test_a_cache_that_cannot_be_written_does_not_stop_the_start(tmp_path: Path, encoder: TextEncoder) -> None:
    (tmp_path / "file").write_text("")
    NearestIndex.build(EXAMPLES, encoder, tmp_path / "file" / "vectors.npz")
