import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import docx
import pypdfium2
import pytest
import yaml

pytestmark = pytest.mark.unit

DEMO = Path(__file__).resolve().parents[2] / "demo"
DOCUMENTS = sorted((DEMO / "documents").iterdir())
LANGUAGES = ("en", "zh")
INTENTS = {
    "greeting",
    "thanks",
    "goodbye",
    "opening_hours",
    "order_status",
    "cancel_order",
    "complaint",
    "human_agent",
    "change_address",
    "damaged_item",
}
CJK = re.compile(r"[\u4e00-\u9fff]")
NUMBER = re.compile(r"\d(?:[\d.,]*\d)?")


def faq() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = yaml.safe_load((DEMO / "faq.yaml").read_text(encoding="utf-8"))
    return entries


def intents() -> list[dict[str, str]]:
    lines = (DEMO / "intents.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def questions(entry: dict[str, Any], language: str) -> list[str]:
    return [entry[language]["question"], *entry[language]["variants"]]


def language_of(text: str) -> str:
    return "zh" if CJK.search(text) else "en"


def text_of(path: Path) -> str:
    match path.suffix:
        case ".pdf":
            pages = pypdfium2.PdfDocument(path)
            return "\n".join(page.get_textpage().get_text_range() for page in pages)
        case ".docx":
            document = docx.Document(str(path))
            cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
            return "\n".join([paragraph.text for paragraph in document.paragraphs] + cells)
        case ".html":
            return re.sub(r"<[^>]+>", " ", path.read_text(encoding="utf-8"))
        case _:
            return path.read_text(encoding="utf-8")


def numbers_in(text: str) -> set[str]:
    """Leaves out months, which only Chinese writes as numbers."""
    return set(NUMBER.findall(re.sub(r"\d+ 月", "", text)))


def test_the_faq_has_sixty_entries_with_unique_ids() -> None:
    ids = [entry["id"] for entry in faq()]
    assert len(ids) >= 60
    assert len(set(ids)) == len(ids)
    assert [name for name in ids if not re.fullmatch(r"[a-z][a-z0-9-]*", name)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_faq_entry_has_three_variants_and_an_answer_in_its_language(language: str) -> None:
    for entry in faq():
        assert set(entry) == {"id", "en", "zh"}, entry["id"]
        assert set(entry[language]) == {"question", "variants", "answer"}, entry["id"]
        assert len(entry[language]["variants"]) >= 3, entry["id"]
        texts = [*questions(entry, language), entry[language]["answer"]]
        assert all(isinstance(text, str) and text.strip() for text in texts), entry["id"]
        assert {language_of(text) for text in texts} == {language}, entry["id"]


def test_no_question_stands_twice_in_the_faq_or_among_the_intents() -> None:
    texts = [text for entry in faq() for language in LANGUAGES for text in questions(entry, language)]
    texts += [example["text"] for example in intents()]
    counts = Counter(re.sub(r"[\s?？!！.。,，]+", " ", text).strip().casefold() for text in texts)
    assert [text for text, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_intent_has_fifteen_examples(language: str) -> None:
    counts = Counter(example["intent"] for example in intents() if language_of(example["text"]) == language)
    assert set(counts) == INTENTS
    assert min(counts.values()) >= 15


def test_order_intents_have_examples_with_and_without_an_order_number() -> None:
    for intent in ("order_status", "cancel_order", "change_address", "damaged_item"):
        with_number = {
            bool(re.search(r"(?<!\d)1[012]\d\d(?!\d)", example["text"]))
            for example in intents()
            if example["intent"] == intent
        }
        assert with_number == {True, False}, intent


def test_there_are_enough_documents_in_every_format() -> None:
    formats = Counter(path.suffix for path in DOCUMENTS)
    assert len(DOCUMENTS) >= 24
    assert set(formats) == {".md", ".html", ".txt", ".pdf", ".docx"}
    assert formats[".html"] >= 4


def test_every_topic_is_documented_in_both_languages() -> None:
    topics: dict[str, set[str]] = {}
    for path in DOCUMENTS:
        topic, language = path.stem.rsplit(".", 1)
        topics.setdefault(topic, set()).add(language)
    assert {topic: languages for topic, languages in topics.items() if languages != set(LANGUAGES)} == {}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_is_long_enough_and_in_the_language_of_its_name(path: Path) -> None:
    text = text_of(path)
    chinese = len(CJK.findall(text))
    if path.stem.endswith(".zh"):
        assert chinese >= 400
    else:
        assert len(text.split()) >= 300
        assert chinese == 0


@pytest.mark.parametrize("topic", sorted({path.stem.rsplit(".", 1)[0] for path in DOCUMENTS}))
def test_the_numbers_of_a_topic_agree_in_both_languages(topic: str) -> None:
    english, chinese = (
        numbers_in(text_of(next((DEMO / "documents").glob(f"{topic}.{language}.*")))) for language in LANGUAGES
    )
    assert len(english) > 10
    assert english == chinese


def test_binary_documents_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in DOCUMENTS if path.suffix in {".pdf", ".docx"}}
    assert {name: size for name, size in sizes.items() if size >= 200_000} == {}
