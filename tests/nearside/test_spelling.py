import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nearside.asking import fingerprint
from nearside.encoder import TextEncoder
from nearside.spelling import LostCharacter, Spelling

pytestmark = pytest.mark.unit

TEXTS = ["How much does shipping cost?", "where can I find a parcel locker", "how long does delivery take", "paddles"]


@pytest.fixture(scope="module")
def spelling() -> Spelling:
    return Spelling(TEXTS, TextEncoder().is_word)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("how much does sihpping cost?", "how much does shipping cost?"),
        ("How much does shiping cost", "how much does shipping cost"),
        ("where is the parcell locker", "where is the parcel locker"),
        ("ho wlong does delivery take", "how long does delivery take"),
        ("how long does delivrey take", "how long does delivery take"),
    ],
)
def test_a_slip_becomes_the_word_of_the_examples(spelling: Spelling, written: str, meant: str) -> None:
    assert spelling.repair(written) == meant


@pytest.mark.parametrize(
    "text", ["Do you sell saddles?", "shopping", "coast", "snowboarding lessons", "我要退货", "kayak"]
)
def test_real_words_and_distant_ones_stay(spelling: Spelling, text: str) -> None:
    assert spelling.repair(text) == text


@pytest.fixture(scope="module")
def lost() -> LostCharacter:
    examples = {
        "可以送到快递柜吗": "locker",
        "退货政策是什么": "returns",
        "可以退税吗": "tax",
        "我要租车": "a",
        "我要租船": "b",
    }
    return LostCharacter({fingerprint(text): label for text, label in examples.items()})


def test_a_question_that_lost_a_character_is_still_known(lost: LostCharacter) -> None:
    assert lost.label(fingerprint("可以送到快柜吗")) == "locker"
    assert lost.label(fingerprint("退货政是什么")) == "returns"


def test_what_may_be_meant_as_it_stands_is_not_completed(lost: LostCharacter) -> None:
    assert lost.label(fingerprint("可以退吗")) is None
    assert lost.label(fingerprint("我要租")) is None
    assert lost.label(fingerprint("完全是别的问题")) is None


@given(st.text(st.characters(exclude_categories=[]), max_size=200))
@example("a" * 100_000)
@example("ab " * 30_000)
def test_no_text_breaks_the_repair(spelling: Spelling, text: str) -> None:
    assert spelling.repair(text) is not None
