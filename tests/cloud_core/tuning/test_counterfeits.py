import pytest

from cloud_core.tuning.counterfeits import MOST, counterfeits
from nearside.lexical import has_cjk
from nearside.postings import content_terms, elsewhere

pytestmark = pytest.mark.unit
ENGLISH = ["Is there parking at your stores?", "How do I delete my account?", "what does shipping cost"]
CHINESE = ["可以带狗进店吗？", "多少天内可以退货？", "你们支持什么付款方式"]


def nouns(text: str) -> set[str]:
    return {term for term in content_terms(text) if term in elsewhere()}


@pytest.mark.parametrize("questions", [ENGLISH * 20, CHINESE * 20], ids=["English", "Chinese"])
def test_each_has_a_noun_of_another_trade_and_stays_in_its_language(questions: list[str]) -> None:
    made = counterfeits(questions)
    assert len(made) == len(questions)
    assert sum(bool(nouns(text)) for text in made) >= 0.9 * len(made)
    assert {has_cjk(text) for text in made} == {has_cjk(questions[0])}
    assert len(set(made)) > len(made) / 2


def test_they_are_the_same_for_the_same_questions() -> None:
    assert counterfeits(ENGLISH) == counterfeits(ENGLISH)


def test_of_many_questions_some_are_taken() -> None:
    assert len(counterfeits([f"{text} {number}" for text in ENGLISH for number in range(500)])) == MOST


def test_of_what_has_no_content_none_is_made() -> None:
    assert counterfeits(["?", "", "to be or", "的吗", "42"]) == []
