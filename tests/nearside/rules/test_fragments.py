"""Patterns are ruled out by what they need, and never where they would have matched."""

import importlib
import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nearside.lexical import language_of
from nearside.rules import Sight, load_rules
from nearside.rules.fragments import FragmentIndex, fragments
from nearside.rules.patterns import compile_pattern
from nearside.rules.sight import plain
from tests.servers import ROOT

pytestmark = pytest.mark.unit

_parser: Any = importlib.import_module("re._parser")
BOOK = load_rules(ROOT / "demo" / "rules")
PATTERNS = sorted({pattern.source for rule in BOOK for pattern in rule.when.patterns()})
PIECES = st.sampled_from(["order", "ORDER ", "cancel", " my ", "1042", "不", "投诉", "退款", "don't ", "\u0131", "?"])


@pytest.mark.parametrize(
    ("source", "pieces"),
    [
        ("order", {"order"}),
        (r"\bOrder\b.{0,9}status", {"status"}),
        ("(?:cancel|undo) it", {"cancel", "undo"}),
        ("(?:cancel|undo)?.{0,3}order", {"order"}),
        (r"(?:cancel|\d)", set()),
        ("(?:ab){2,}c", {"ab"}),
        ("(?:ab)*c?", set()),
        (r"\d{4}", set()),
        ("[ab]cd", {"cd"}),
        ("(?=order)", set()),
        ("(?!order)my", {"my"}),
        ("投诉.{0,4}abc", {"投诉"}),
        ("naïve", {"na"}),
    ],
)
def test_of_the_pieces_that_every_match_contains_the_rarest_is_taken(source: str, pieces: set[str]) -> None:
    assert fragments(_parser.parse(source, re.IGNORECASE)) == pieces


def test_a_letter_that_patterns_fold_into_another_rules_none_out() -> None:
    """Python's `re` matches a dotless i with an i where case is ignored."""
    assert compile_pattern("complain").search(plain("I must compla\u0131n"))
    assert FragmentIndex({"complain": frozenset({"complain"})}).possible(plain("I must compla\u0131n")) is None


def examples() -> list[str]:
    """All that the demo company's customers are known to ask."""
    entries = yaml.safe_load((ROOT / "demo" / "faq.yaml").read_text(encoding="utf-8"))
    texts = [entry[lang] for entry in entries for lang in ("en", "zh") if lang in entry]
    return [plain(said) for text in texts for said in (text["question"], *text.get("variants", ()))]


def assert_none_is_missed(text: str) -> None:
    index = FragmentIndex({source: compile_pattern(source).fragments for source in PATTERNS})
    possible = index.possible(text)
    for source in PATTERNS:
        pattern = compile_pattern(source)
        if possible is not None and pattern.fragments and source not in possible:
            assert pattern.search(text) is None


def test_no_pattern_of_the_demo_is_missed_in_what_its_customers_ask() -> None:
    index = FragmentIndex({source: compile_pattern(source).fragments for source in PATTERNS})
    tried = 0
    for text in examples():
        possible = index.possible(text) or set()
        for source in PATTERNS:
            pattern = compile_pattern(source)
            is_tried = not pattern.fragments or source in possible
            tried += is_tried
            assert is_tried or pattern.search(text) is None
    assert tried < 0.3 * len(examples()) * len(PATTERNS)


@given(st.lists(PIECES, max_size=8).map("".join), st.text(max_size=20))
def test_no_pattern_of_the_demo_is_missed_in_anything_else(made: str, odd: str) -> None:
    assert_none_is_missed(plain(made + odd))


async def test_a_book_finds_the_same_rule_with_and_without_looking_for_pieces_first() -> None:
    async def no_intent() -> None:
        return None

    for text in examples():
        lang = language_of(text)
        hit = await BOOK.match(Sight(text=text, lang=lang), no_intent)
        sight = Sight(text=text, lang=lang, intent_known=True)
        assert (hit and hit.rule) == BOOK.plain_match(sight)
