import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearside.rules.patterns import TEXT_LIMIT, compile_pattern
from nearside.rules.sight import kinds_in

pytestmark = pytest.mark.unit

RUNAWAY = [
    r"(a+)+$",
    r"(a|aa)+$",
    r"(a*)*b",
    r"(.*)(.*)(.*)x",
    r"(a?){50}a{50}",
    r"(\w+\s?)+$",
    r"((a|b)c?)+d",
    r"(x+x+)+y",
]


@pytest.mark.parametrize("source", RUNAWAY)
def test_patterns_that_run_away_are_refused(source: str) -> None:
    with pytest.raises(ValueError, match="run away"):
        compile_pattern(source)


@pytest.mark.parametrize("source", ["(", "[a", "*", "(?P<a", "a" * 2000, "(?z)", "[[a]"])
def test_what_is_no_pattern_is_refused(source: str) -> None:
    with pytest.raises(ValueError):
        compile_pattern(source)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (r"\border\b.*\b\d{4}\b", "where is order no 1042"),
        (r"(?<!\d)(\d{4})(?!\d)", "it is 1042"),
        (r"(?:track|check) (?:my )?order", "Track my order"),
        (r"(\d{4}[ -]?){4}", "1234 5678 9012 3456"),
        (r"^.*a.*b$", "xxaxxb"),
    ],
)
def test_ordinary_patterns_are_taken_and_ignore_case(source: str, text: str) -> None:
    assert compile_pattern(source).search(text)


def test_only_the_beginning_of_a_long_text_is_searched() -> None:
    assert compile_pattern("needle").search("x" * TEXT_LIMIT + "needle") is None


@given(
    st.text(alphabet="ab.*+?|()[]{}1,2^$\\dwx", max_size=25), st.sampled_from(["a" * 600 + "!", "ab" * 300, "1a" * 300])
)
def test_what_is_accepted_ends(source: str, text: str) -> None:
    try:
        pattern = compile_pattern(source)
    except ValueError:
        return
    started = time.process_time()
    pattern.search(text)
    assert time.process_time() - started < 20, "a runaway pattern takes hours, not seconds"


@given(
    st.sampled_from(
        [r"(?:order|订单) ?\d{4}", r"[0-9]{2}x?", r"a?订?", r"[^a]单", r"(?:订|单)(?!x)", r"(?<!订)[a-z]", r"A(?:1)*"]
    ),
    st.text(alphabet="orde订单a1x 23", max_size=12),
)
def test_knowing_the_kinds_of_characters_changes_no_answer(source: str, text: str) -> None:
    pattern = compile_pattern(source)
    assert bool(pattern.search(text, kinds_in(text))) is bool(pattern.search(text))
