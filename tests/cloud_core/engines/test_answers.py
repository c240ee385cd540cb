"""The whole way from files to answers, on the demo company's documents."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloud_core.cli.evaluate_answers import ask
from cloud_core.engines import make_engine
from cloud_core.engines.base import EngineRequest, Term
from cloud_core.engines.evaluation.figures import figures
from cloud_core.engines.evaluation.questions import Question as Asked
from cloud_core.engines.evaluation.questions import read_questions
from cloud_core.knowledge.base import KnowledgeBase
from cloud_core.knowledge.ingest.formats import readers
from cloud_core.messages import (
    Citation,
    EngineEvent,
    Finished,
    HistoryItem,
    Lang,
    Outcome,
    Passage,
    Question,
    Role,
    Sentence,
)
from cloud_core.turns.grounding import Grounding
from nearside.encoder import TextEncoder
from tests.cloud_core.engines.conftest import DEMO
from tests.cloud_core.knowledge.sqlite_file import open_base

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


@pytest.mark.parametrize(
    ("question", "lang", "file", "fact"),
    [
        ("Do you sell tents?", "en", "range.en", "tents for two to six people"),
        ("Do you sell camping stoves?", "en", "range.en", "camping stoves"),
        ("Do you stock sleeping bags?", "en", "range.en", "sleeping bags"),
        ("Do you sell bikes?", "en", "range.en", "does not sell bicycles"),
        ("你们卖头灯吗？", "zh", "range.zh", "出售头灯"),
        ("你们卖帐篷吗？", "zh", "range.zh", "两人至六人帐篷"),
        ("能买到气罐吗？", "zh", "range.zh", "出售气罐"),
        ("卖不卖渔具？", "zh", "range.zh", "不卖渔具"),
        ("How much does the Skua 3 cost?", "en", "range.en", "€479"),
        ("What is the address of the Innsbruck shop?", "en", "stores.en", "Gratweg 21"),
        ("因斯布鲁克店的地址是什么？", "zh", "stores.zh", "Gratweg 21"),
    ],
)
async def test_what_customers_ask_every_day_is_answered_and_goes_out(
    demo: KnowledgeBase, encoder: TextEncoder, question: str, lang: Lang, file: str, fact: str
) -> None:
    events = await answer(demo, encoder, question, lang)
    assert is_right(events, {"file": file, "fact": fact}), events
    grounding = Grounding(Question(question, lang), demo.look_up(question, lang, 8).passages)
    assert all(grounding.check(event).holds for event in events if isinstance(event, Sentence))


@pytest.mark.parametrize(
    ("question", "lang"),
    [
        ("Do you sell washing machines?", "en"),
        ("Do you sell wedding dresses?", "en"),
        ("Do you sell dog food?", "en"),
        ("你们卖洗衣机吗？", "zh"),
        ("有卖钢琴吗？", "zh"),
    ],
)
async def test_what_the_shop_does_not_speak_of_is_not_made_up(
    demo: KnowledgeBase, encoder: TextEncoder, question: str, lang: Lang
) -> None:
    assert citations(await answer(demo, encoder, question, lang)) == []


@pytest.mark.parametrize(
    ("question", "lang", "fact"),
    [
        ("What is the R-value of the Drift sleeping pad?", "en", "R-value of 4.2"),
        ("Drift 防潮垫的 R 值是多少？", "zh", "4.2"),
    ],
)
async def test_the_plain_statement_comes_before_what_is_said_in_passing(
    demo: KnowledgeBase, encoder: TextEncoder, question: str, lang: Lang, fact: str
) -> None:
    first, *_ = await answer(demo, encoder, question, lang)
    assert isinstance(first, Sentence) and fact in first.text and "6.2" not in first.text


@pytest.mark.parametrize(
    ("question", "fact"),
    [
        ("How hot should water be for green tea?", "70 °C"),
        ("How long is black tea brewed?", "four minutes"),
        ("How long does coffee need?", ""),
        ("How much does green tea cost?", ""),
        ("How hot is the sun?", ""),
    ],
)
async def test_a_knowledge_base_of_one_short_document_answers_too(
    tmp_path: Path, encoder: TextEncoder, question: str, fact: str
) -> None:
    (tmp_path / "tea.md").write_text(
        "Green tea is brewed at 70 °C for two minutes. Black tea wants boiling water for four minutes.\n"
    )
    knowledge = open_base(tmp_path / "core.db", encoder)
    knowledge.add(tmp_path / "tea.md")
    knowledge.publish()
    quotes = [citation.quote for citation in citations(await answer(knowledge, encoder, question, "en"))]
    knowledge.close()
    assert any(fact in quote for quote in quotes) if fact else not quotes


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


def tuned_on() -> list[Asked]:
    return read_questions(Path(__file__).with_name("development.jsonl"))


def not_tuned_on() -> list[Asked]:
    """Search's own set, written without knowledge of the engine."""
    asked = yaml.safe_load((Path(__file__).parents[1] / "knowledge" / "retrieval.yaml").read_text(encoding="utf-8"))
    return [
        *(Asked.model_validate({**one, "facts": [one["fact"]]}) for one in asked["answerable"]),
        *(Asked.model_validate({**one, "unanswerable": True}) for one in asked["unanswerable"]),
    ]


@pytest.mark.parametrize(("questions", "answered_right"), [(tuned_on, 0.65), (not_tuned_on, 0.75)])
def test_answers_are_as_good_as_the_documentation_says(
    demo: KnowledgeBase, encoder: TextEncoder, questions: Callable[[], list[Asked]], answered_right: float
) -> None:
    def look_up(question: Question) -> tuple[Sequence[Passage], Sequence[Term]]:
        evidence = demo.look_up(question.text, question.lang, 8, question.history)
        return evidence.passages, evidence.terms

    found = figures(list(ask(questions(), look_up, "extractive", make_engine("extractive", {}, encoder))))
    assert found["answered_right"] >= answered_right, found
    assert found["abstained_right"] >= ABSTAINED_AT_LEAST, found
    assert found["invented_numbers"] == 0.0 and found["ece"] <= 0.1, found
