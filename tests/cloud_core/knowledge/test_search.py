from pathlib import Path

import pytest

from cloud_core.knowledge.base import KnowledgeBase
from cloud_core.messages import HistoryItem, Role

pytestmark = pytest.mark.server

DOCUMENTS = {
    "tent.en.md": "# Skua 3 tent\n\n## Data\n\nThe Skua 3 weighs 2.9 kg.\n\n## Care\n\nNever machine-wash the tent.",
    "tent.zh.md": "# Skua 3 帐篷\n\n## 参数\n\nSkua 3 重 2.9 公斤。\n\n## 护理\n\n帐篷绝不能放进洗衣机。",
    "stove.en.md": "# Ember stove\n\n## Data\n\nThe Ember weighs 86 g.\n\n## Fuel\n\nIt burns gas from cartridges.",
    "rope.zh.md": "# 攀岩绳\n\n攀岩绳用 30 °C 水洗涤，在阴凉处晾干。",
}


@pytest.fixture
def shop(knowledge: KnowledgeBase, folder: Path) -> KnowledgeBase:
    for name, content in DOCUMENTS.items():
        (folder / name).write_text(content, encoding="utf-8")
    knowledge.add(folder)
    knowledge.publish()
    return knowledge


def first(knowledge: KnowledgeBase, text: str, *earlier: str) -> tuple[str, str]:
    lang = "zh" if any("\u4e00" <= character <= "\u9fff" for character in text) else "en"
    history = [HistoryItem(Role.CUSTOMER, one) for one in earlier]
    passage = knowledge.search(text, lang, 3, history)[0]  # type: ignore[arg-type]  # one of the two
    return passage.document_id, passage.heading


@pytest.mark.parametrize(
    ("text", "document_id", "heading"),
    [
        ("How heavy is the Skua 3?", "tent.en.md", "Data"),
        ("Can I put the tent into the washing machine?", "tent.en.md", "Care"),
        ("What fuel does the cooker need?", "stove.en.md", "Fuel"),
        ("Skua 3 有多重？", "tent.zh.md", "参数"),
        ("帐篷可以机洗吗", "tent.zh.md", "护理"),
        ("登山绳怎么清洗？", "rope.zh.md", ""),
        ("ＳＫＵＡ　３ 的重量", "tent.zh.md", "参数"),
    ],
)
def test_the_right_passage_comes_first(shop: KnowledgeBase, text: str, document_id: str, heading: str) -> None:
    assert first(shop, text) == (document_id, heading)


def test_a_follow_up_is_about_what_was_asked_before(shop: KnowledgeBase) -> None:
    assert first(shop, "And how heavy is it?", "What does the Ember burn?")[0] == "stove.en.md"
    assert first(shop, "And how heavy is it?", "Tell me about the Skua 3")[0] == "tent.en.md"
    assert first(shop, "那有多重呢？", "Skua 3 帐篷怎么洗")[0] == "tent.zh.md"


def test_what_was_asked_before_does_not_drown_a_full_question(shop: KnowledgeBase) -> None:
    assert first(shop, "What does the Ember stove weigh?", "Tell me about the Skua 3") == ("stove.en.md", "Data")


def test_an_agent_or_the_bot_sets_no_topic(shop: KnowledgeBase) -> None:
    history = [HistoryItem(Role.ASSISTANT, "The Ember stove burns gas."), HistoryItem(Role.AGENT, "Ember it is.")]
    evidence = shop.look_up("how heavy is it?", "en", history=history)
    assert "ember" not in {term.text for term in evidence.terms}


def test_the_other_language_helps_out_where_there_is_nothing_else(shop: KnowledgeBase) -> None:
    shop.remove("tent.zh.md")
    shop.publish()
    assert first(shop, "Skua 3 多重") == ("tent.en.md", "Data")


def test_the_same_text_twice_is_one_result(shop: KnowledgeBase, folder: Path) -> None:
    (folder / "copy.md").write_text(DOCUMENTS["tent.en.md"], encoding="utf-8")
    shop.add(folder / "copy.md", folder)
    shop.publish()
    texts = [passage.text for passage in shop.search("How heavy is the Skua 3?", "en")]
    assert len(texts) == len(set(texts))


def test_like_texts_with_other_numbers_are_two_results(shop: KnowledgeBase, folder: Path) -> None:
    (folder / "new.md").write_text("# Skua 4\n\n## Data\n\nThe Skua 3 weighs 3.9 kg.", encoding="utf-8")
    shop.add(folder / "new.md", folder)
    shop.publish()
    texts = [passage.text for passage in shop.search("How heavy is the Skua?", "en")]
    assert {"The Skua 3 weighs 2.9 kg.", "The Skua 3 weighs 3.9 kg."} <= set(texts)


def test_a_word_nobody_knows_weighs_most(shop: KnowledgeBase) -> None:
    weights = {term.text: term.weight for term in shop.look_up("Does the Skua 3 fit a puffin?", "en").terms}
    assert weights["puffin"] == max(weights.values())


@pytest.mark.parametrize("text", ["", "   ", "???", "the of and", '"', "'; DROP TABLE passages;--", "NEAR(a b)", "a*"])
def test_no_text_is_an_error(shop: KnowledgeBase, text: str) -> None:
    shop.search(text, "en")
    shop.search(text, "zh")


def test_an_empty_knowledge_base_finds_nothing(knowledge: KnowledgeBase) -> None:
    assert knowledge.search("How heavy is the Skua 3?", "en") == []
