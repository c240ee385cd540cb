from pathlib import Path

import pytest

from nearside.content import load_tenant_content
from nearside.errors import ContentError
from nearside.moderation import Moderation, load_moderation

pytestmark = pytest.mark.unit


def lists(folder: Path, text: str) -> Moderation:
    (folder / "moderation.yaml").write_text(text, encoding="utf-8")
    return load_moderation(folder / "moderation.yaml")


def test_the_first_list_that_fits_a_message_counts(tmp_path: Path) -> None:
    found = lists(
        tmp_path,
        "incoming:\n  - {action: block, words: [bomb, 炸弹], reply: No.}\n  - {action: warn, words: [bomb, idiot]}\n",
    )
    bomb, chinese, idiot = found.of("A BOMB!"), found.of("哪里买炸弹啊"), found.of("you idiot")
    assert bomb and chinese and idiot
    assert (bomb.action, chinese.action, idiot.action) == ("block", "block", "warn")
    assert bomb.said.in_lang("zh") == "No." and "polite" in idiot.said.in_lang("en")
    assert found.of("bombastic idiots") is None


def test_words_that_no_reply_may_hold(tmp_path: Path) -> None:
    found = lists(tmp_path, "outgoing: [RivalCo, 竞品]\n")
    assert not found.may_say("Try rivalco.") and not found.may_say("竞品更好")
    assert found.may_say("Try our own.")


def test_without_a_file_nothing_is_moderated(tmp_path: Path) -> None:
    found = load_moderation(tmp_path / "moderation.yaml")
    assert found.of("anything") is None and found.may_say("anything")


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("incoming:\n  - action: delete\n    words: [a]\n", 2, "action"),
        ("incoming:\n  - action: block\n    words: []\n", 3, "words"),
        ("incoming:\n  - action: block\n    words: [' ']\n", 2, "a keyword is empty"),
        ("outgoing: ['']\n", 1, r"outgoing: a keyword is empty — [^—]*$"),
        ("incoming:\n  - action: handoff\n    words: [a]\n    reply: x\n", 4, "leave it out"),
        ("outgoin: [a]\n", 1, "did you mean outgoing"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, line: int, told: str) -> None:
    with pytest.raises(ContentError, match=told) as error:
        lists(tmp_path, text)
    assert error.value.where == f"{tmp_path / 'moderation.yaml'}:{line}"


def test_handing_over_needs_a_rule_that_says_how(tmp_path: Path) -> None:
    (tmp_path / "tenant.toml").write_text('name = "Shop"\n')
    lists(tmp_path, "incoming:\n  - {action: handoff, words: [suicide]}\n")
    with pytest.raises(ContentError, match="no rule says how to hand over"):
        load_tenant_content(tmp_path)
    (tmp_path / "rules").mkdir()
    rule = "rules:\n  - id: human\n    when: {keywords: [human]}\n    handoff: {default: true, reply: One moment.}\n"
    (tmp_path / "rules" / "talk.yaml").write_text(rule)
    assert load_tenant_content(tmp_path).moderation.incoming
