import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearside.errors import ContentError
from nearside.rules import Rule, RuleBook, Sight, load_rules

pytestmark = pytest.mark.unit


def rule(name: str, when: dict[str, Any], **more: Any) -> Rule:
    return Rule.model_validate({"id": name, "when": when, "reply": name, **more})


def met(book: RuleBook, text: str, intent: tuple[str, float] | None = None) -> tuple[str | None, int]:
    """The rule's id, and how often the intent was looked up."""
    asked = 0

    async def look_up() -> tuple[str, float] | None:
        nonlocal asked
        asked += 1
        return intent

    hit = asyncio.run(book.match(Sight(text=text, lang="en"), look_up))
    return (hit.rule.id if hit else None), asked


def test_the_higher_priority_answers_and_then_the_order_written() -> None:
    book = RuleBook(
        [rule("a", {"keywords": "x"}), rule("b", {"keywords": "x"}, priority=5), rule("c", {"keywords": "x"})]
    )
    assert [one.id for one in book] == ["b", "a", "c"]
    assert met(book, "x") == ("b", 0)


def test_the_intent_is_looked_up_once_and_only_when_a_rule_depends_on_it() -> None:
    book = RuleBook(
        [
            rule("plain", {"keywords": "x"}, priority=9),
            rule("one", {"intent": "i1"}),
            rule("two", {"any": [{"keywords": "y"}, {"intent": "i2"}]}),
        ]
    )
    assert met(book, "x", ("i1", 0.9)) == ("plain", 0)
    assert met(book, "z", ("i2", 0.9)) == ("two", 1)
    assert met(book, "z") == (None, 1)


def test_a_rule_of_another_language_is_passed_over() -> None:
    assert met(RuleBook([rule("zh", {"keywords": "x"}, lang="zh")]), "x") == (None, 0)


def test_interrupts_are_decided_from_the_words_alone() -> None:
    book = RuleBook([rule("stop", {"exactly": ["stop", "停"]}, interrupt=True), rule("hi", {"exactly": ["hi"]})])
    assert book.interrupts("STOP!") and book.interrupts("停。")
    assert not book.interrupts("hi") and not book.interrupts("don't stop")
    with pytest.raises(ValueError, match="interrupt"):
        rule("x", {"intent": "stop"}, interrupt=True)


@pytest.mark.parametrize(
    "more",
    [
        {"reply": None},
        {"tool": {"name": "t", "reply": "x"}},
        {"reply": "{{ slots.n }}"},
        {"form": {"slots": []}},
        {"form": {"slots": [{"name": "n", "ask": "a"}, {"name": "n", "ask": "b"}]}},
        {"form": {"slots": [{"name": "n", "ask": "a", "pattern": "(x+)+"}]}},
        {"form": {"slots": [{"name": "n", "ask": "a", "pattern": "x", "options": [{"value": "v", "label": "L"}]}]}},
        {"reply": None, "tool": {"name": "t", "reply": "x", "arguments": {"a": "{{ result.x }}"}}},
        {"reply": None, "tool": {"name": "t", "reply": "x", "arguments": {"a": ["x"]}}},
        {"reply": None, "tool": {"name": "t", "reply": "x", "on_error": {"default": {"reply": "y", "ask_again": "n"}}}},
    ],
)
def test_rules_that_contradict_themselves_are_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        rule("x", {"keywords": "x"}, **more)


def test_an_option_is_recognised_by_label_and_keyword_in_both_languages() -> None:
    options = [
        {"value": "refund", "label": {"en": "Refund", "zh": "退款"}, "keywords": ["money back"]},
        {"value": "swap", "label": {"en": "Exchange", "zh": "换货"}},
    ]
    form = rule("x", {"keywords": "x"}, form={"slots": [{"name": "n", "ask": "a", "options": options}]}).form
    assert form is not None
    slot = form.slots[0]
    assert [slot.read(text) for text in ("my money back", "要退款", "exchange!", "refund or exchange", "x")] == [
        "refund",
        "refund",
        "swap",
        None,
        None,
    ]


def test_phrases_of_any_file_replace_the_built_in_ones(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("phrases:\n  declined: Fine.\n")
    (tmp_path / "b.yaml").write_text("rules:\n  - {id: r, when: {keywords: x}, reply: y}\n")
    book = load_rules(tmp_path)
    assert book.phrases.declined.render("en", {}) == "Fine."
    assert "dropped" in book.phrases.cancelled.render("en", {}) and book.get("r")
    assert load_rules(tmp_path / "none").rules == ()


def test_two_default_handoffs_are_refused(tmp_path: Path) -> None:
    rules = [{"id": name, "when": {"keywords": "x"}, "handoff": {"default": True, "reply": "y"}} for name in ("a", "b")]
    (tmp_path / "a.yaml").write_text(json.dumps({"rules": rules}))
    with pytest.raises(ContentError, match="default"):
        load_rules(tmp_path)


KEYS = ["id", "when", "reply", "tool", "form", "slots", "keywords", "regex", "any", "not", "condition", "priority", "x"]
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(max_size=12), st.sampled_from(["x", "(a+)+", "{{ slots.n }}"])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)),
    max_leaves=12,
)


@given(st.one_of(VALUES, st.builds(lambda rules: {"rules": rules}, st.lists(VALUES, max_size=3))))
def test_any_file_is_loaded_or_refused_with_its_line(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzz"
    folder.mkdir(exist_ok=True)
    (folder / "a.yaml").write_text(json.dumps(data), encoding="utf-8")
    try:
        load_rules(folder)
    except ContentError as error:
        path, _, line = error.where.rpartition(":")
        assert path == str(folder / "a.yaml") and int(line) >= 1
