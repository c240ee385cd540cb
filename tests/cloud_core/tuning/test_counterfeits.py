import pytest

from cloud_core.tuning.counterfeits import MOST, counterfeits, is_foreign
from nearside.lexical import has_cjk
from nearside.postings import content_terms, elsewhere

pytestmark = pytest.mark.unit
ENGLISH = ["Is there parking at your stores?", "How do I delete my account?", "what does shipping cost"]
CHINESE = ["有停车场吗？", "积分怎么用？", "会员有什么好处"]


def nouns(text: str) -> set[str]:
    return {term for term in content_terms(text) if term in elsewhere()}


@pytest.mark.parametrize("questions", [ENGLISH, CHINESE], ids=["English", "Chinese"])
def test_half_of_what_each_is_about_is_of_another_trade_and_it_stays_in_its_language(questions: list[str]) -> None:
    made = counterfeits(questions * 5)
    assert len(made) == len(set(made)) >= len(questions)
    assert all(nouns(text) and is_foreign(text) for text in made)
    assert {has_cjk(text) for text in made} == {has_cjk(questions[0])}


@pytest.mark.parametrize(
    ("text", "foreign"),
    [
        ("do you deliver pizza", True),
        ("do I need a dentist", True),
        ("do you repair watches", False),  # a noun that is of no trade known
        ("how do I wash a down jacket in the opera", False),
        ("", False),
    ],
)
def test_one_strange_noun_among_many_words_is_a_slip(text: str, foreign: bool) -> None:
    assert is_foreign(text) is foreign


def test_they_are_the_same_for_the_same_questions() -> None:
    assert counterfeits(ENGLISH) == counterfeits(ENGLISH)


def test_of_many_questions_some_are_taken() -> None:
    assert len(counterfeits(ENGLISH * 500)) == MOST


def test_of_what_has_no_content_none_is_made() -> None:
    assert counterfeits(["?", "", "to be or", "的吗", "42"]) == []
