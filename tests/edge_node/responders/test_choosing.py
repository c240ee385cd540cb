import pytest

from edge_node.responders.choosing import chosen, may_point, offered

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "count", "places"),
    [
        ("2", 2, [1]),
        ("The second one, please.", 3, [1]),
        ("I meant the first", 2, [0]),
        ("option 3", 3, [2]),
        ("the last one", 3, [2]),
        ("both", 2, [0, 1]),
        ("all of them", 3, [0, 1, 2]),
        ("neither", 2, []),
        ("None of these!", 3, []),
        ("第二个", 2, [1]),
        ("我想问的是第一个。", 2, [0]),
        ("最后一个吧", 3, [2]),
        ("两个都想知道", 2, [0, 1]),
        ("都不是", 2, []),
        ("yes", 1, [0]),
        ("是的", 1, [0]),
    ],
)
def test_a_short_answer_points_at_what_was_offered(text: str, count: int, places: list[int]) -> None:
    assert may_point(text)
    found = chosen(text, count)
    assert found is not None and list(found) == places


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("2", 0),
        ("3", 2),
        ("yes", 2),
        ("1042", 2),
        ("is the second one waterproof?", 2),
        ("do you have both colours", 2),
        ("第一个月能退吗", 2),
        ("no returns?", 2),
        ("", 2),
        ("!" * 8000, 2),
        ("1" * 8000, 2),
    ],
)
def test_a_question_of_its_own_points_at_nothing(text: str, count: int) -> None:
    assert chosen(text, count) is None


def test_the_questions_of_a_reply_are_its_lines_with_a_dash() -> None:
    assert offered("Did you mean one of these?\n- How much?\n- How long?") == ["How much?", "How long?"]
    assert offered("We are open - come in.") == []
