"""The whole way from files to answers, on the demo company's documents."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloud_core.engines import make_engine
from cloud_core.engines.base import EngineRequest
from cloud_core.knowledge.base import KnowledgeBase
from cloud_core.knowledge.ingest.formats import readers
from cloud_core.messages import Citation, EngineEvent, Finished, HistoryItem, Lang, Outcome, Question, Role, Sentence
from nearside.encoder import TextEncoder
from tests.cloud_core.engines.conftest import DEMO

pytestmark = pytest.mark.server

QUESTIONS = yaml.safe_load(Path(__file__).with_name("questions.yaml").read_text(encoding="utf-8"))
ANSWERED_AT_LEAST, ABSTAINED_AT_LEAST = 0.85, 0.9


async def answer(
    demo: KnowledgeBase, encoder: TextEncoder, text: str, lang: Lang, history: Sequence[HistoryItem] = ()
) -> list[EngineEvent]:
    evidence = demo.look_up(text, lang, 8, history)
    request = EngineRequest(Question(text, lang, tuple(history)), evidence.passages, evidence.terms)
    return [event async for event in make_engine("extractive", {}, encoder).stream(request)]


def citations(events: Sequence[EngineEvent]) -> list[Citation]:
    return [citation for event in events if isinstance(event, Sentence) for citation in event.citations]


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def is_right(events: Sequence[EngineEvent], question: dict[str, Any]) -> bool:
    text = "".join(event.text for event in events if isinstance(event, Sentence))
    named = any(citation.document_id.rsplit(".", 1)[0] == question["file"] for citation in citations(events))
    return named and squeezed(question["fact"]).lower() in squeezed(text).lower()


@pytest.mark.parametrize("lang", ["en", "zh"])
async def test_most_questions_are_answered_from_the_right_document(
    demo: KnowledgeBase, encoder: TextEncoder, lang: Lang
) -> None:
    asked = [question for question in QUESTIONS["answerable"] if question["lang"] == lang]
    wrong = [one["question"] for one in asked if not is_right(await answer(demo, encoder, one["question"], lang), one)]
    assert len(wrong) <= (1 - ANSWERED_AT_LEAST) * len(asked), wrong


@pytest.mark.parametrize("lang", ["en", "zh"])
async def test_most_questions_nothing_answers_are_not_answered(
    demo: KnowledgeBase, encoder: TextEncoder, lang: Lang
) -> None:
    asked = [question["question"] for question in QUESTIONS["unanswerable"] if question["lang"] == lang]
    invented = [text for text in asked if citations(await answer(demo, encoder, text, lang))]
    assert len(invented) <= (1 - ABSTAINED_AT_LEAST) * len(asked), invented


async def test_every_quote_stands_in_its_document(demo: KnowledgeBase, encoder: TextEncoder) -> None:
    for question in QUESTIONS["answerable"]:
        for citation in citations(await answer(demo, encoder, question["question"], question["lang"])):
            assert squeezed(citation.quote) in source(citation.document_id)


def test_every_passage_stands_in_its_document(demo: KnowledgeBase) -> None:
    for document in demo.documents():
        text = source(document.document_id)
        for passage in demo.search(f"{document.title}", document.lang, 20):
            if passage.document_id == document.document_id:
                assert all(squeezed(line) in text for line in passage.text.split("\n"))


def source(document_id: str) -> str:
    """What a reader of the file sees: its text for text files, what the format's library finds for the others."""
    path = DEMO / document_id
    if path.suffix in (".md", ".txt"):
        return squeezed(path.read_text(encoding="utf-8"))
    return squeezed("\n".join(block.text for block in readers()[path.suffix](path.read_bytes()).blocks))


async def test_a_follow_up_is_answered_about_the_topic_before(demo: KnowledgeBase, encoder: TextEncoder) -> None:
    history = [HistoryItem(Role.CUSTOMER, "How heavy is the Skua 3?"), HistoryItem(Role.ASSISTANT, "2.9 kg")]
    events = await answer(demo, encoder, "And how much does a replacement pole cost?", "en", history)
    assert "€34" in "".join(event.text for event in events if isinstance(event, Sentence))
    history = [HistoryItem(Role.CUSTOMER, "Skua 3 帐篷防水吗？")]
    events = await answer(demo, encoder, "那有多重？", "zh", history)
    assert "2.9 公斤" in "".join(event.text for event in events if isinstance(event, Sentence))


async def test_confidence_is_higher_where_the_answer_is_right(demo: KnowledgeBase, encoder: TextEncoder) -> None:
    right: list[float] = []
    wrong: list[float] = []
    for question in QUESTIONS["answerable"]:
        events = await answer(demo, encoder, question["question"], question["lang"])
        last = events[-1]
        assert isinstance(last, Finished)
        if last.outcome is Outcome.GROUNDED:
            (right if is_right(events, question) else wrong).append(last.confidence)
    assert sum(right) / len(right) > 0.8
    assert not wrong or sum(wrong) / len(wrong) < sum(right) / len(right)
