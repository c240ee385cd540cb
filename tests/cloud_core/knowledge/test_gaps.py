import pytest

from cloud_core.knowledge.gaps import topics_of
from cloud_core.knowledge.stores.base import Gap
from nearside.lexical import language_of

pytestmark = pytest.mark.unit


def noted(*questions: str) -> list[Gap]:
    return [Gap(f"t{at}", text, language_of(text), f"2026-01-{at + 1:02}") for at, text in enumerate(questions)]


def test_questions_that_ask_the_same_are_one_topic_and_the_most_frequent_comes_first() -> None:
    topics = topics_of(
        noted(
            "Do you ship to Iceland?", "Can I pay with bitcoin?", "Can you deliver to Iceland?", "delivery to iceland"
        )
    )
    assert [topic.count for topic in topics] == [3, 1]
    assert set(topics[0].questions) == {"Do you ship to Iceland?", "Can you deliver to Iceland?", "delivery to iceland"}
    assert topics[0].example in topics[0].questions
    assert (topics[0].first_at, topics[0].last_at) == ("2026-01-01", "2026-01-04")


def test_chinese_questions_are_grouped_by_what_they_share() -> None:
    topics = topics_of(noted("羽绒服怎么洗", "可以用支付宝付款吗", "羽绒服可以机洗吗"))
    assert [topic.count for topic in topics] == [2, 1]
    assert {*topics[0].questions} == {"羽绒服怎么洗", "羽绒服可以机洗吗"}


def test_the_same_question_is_shown_once_and_counted_each_time() -> None:
    [topic] = topics_of(noted("Any kayaks?", "Any kayaks?", "Any kayaks?"))
    assert (topic.count, topic.questions) == (3, ("Any kayaks?",))


def test_questions_without_a_word_are_no_trouble() -> None:
    assert topics_of([]) == []
    assert sum(topic.count for topic in topics_of(noted("???", "!!", "", "the", "你们"))) == 5
