"""Whatever is asked of whatever was found: an answer in the documents' own words, or an abstention."""

import asyncio
import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_core.engines import make_engine
from cloud_core.engines.base import Engine, EngineRequest, Term
from cloud_core.engines.extraction.wording import NO_EVIDENCE
from cloud_core.messages import EngineEvent, Finished, HistoryItem, Lang, Outcome, Passage, Question, Role, Sentence
from cloud_core.turns.grounding import Grounding
from nearside.encoder import TextEncoder
from nearside.lexical import content_words
from tests.data_sets import read_json

pytestmark = pytest.mark.unit

LINES = (
    "The Skua 3 weighs 2.9 kg.",
    "A replacement pole for the Skua 3 costs **€34** ([LS-7731](poles.md)).",
    "It is 12 cm long…",
    "The bag holds:",
    "- two pegs",
    "three tents",
    "Skua 3 重 2.9 公斤。",
    "气罐一共有三种：",
    "Mode\t|\tBrightness\t|\tRange",
    "Low\t|\t20 lumens\t|\t15 m",
    "High\t|\t\t|\t110 m",
    "\t|\t",
    "Weight\t2.9 kg",
    "a_b*c* `code` \\# <b>x</b>",
)
WORDS = "skua 3 2 weigh how heavy and what does it cost 多重 ？ 帐篷 多少钱 high brightness pegs Eider Pro XL".split()
texts = st.one_of(st.text(max_size=200), st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
lines = st.one_of(st.sampled_from(LINES), st.text(st.characters(exclude_characters="\n"), max_size=60))
passages = st.builds(
    lambda number, title, heading, found, lang: Passage(
        f"d{number}#1", f"d{number}", title, f"d{number}.md", heading, "\n".join(found), lang
    ),
    st.integers(0, 3),
    st.text(max_size=20),
    st.sampled_from(["", "Technical data", "重量"]),
    st.lists(lines, max_size=8),
    st.sampled_from(["en", "zh"]),
)
MARKS = re.compile(r"[\s.。:：;；,，、—–|*_`\\\[\]()-]+")


@pytest.fixture(scope="module")
def engine(encoder: TextEncoder) -> Engine:
    return make_engine("extractive", {"least_confidence": 0.05}, encoder)


def events(
    engine: Engine, question: Question, found: Sequence[Passage], terms: Sequence[Term] = ()
) -> list[EngineEvent]:
    async def all_of_them() -> list[EngineEvent]:
        return [event async for event in engine.stream(EngineRequest(question, tuple(found), tuple(terms)))]

    return asyncio.run(all_of_them())


def check(happened: Sequence[EngineEvent], question: Question, found: Sequence[Passage]) -> None:
    *sentences, last = happened
    assert sentences and isinstance(last, Finished) and 0.0 <= last.confidence <= 1.0
    if last.outcome is Outcome.NO_EVIDENCE:
        assert sentences == [Sentence(NO_EVIDENCE[question.lang], ())]
        return
    grounding = Grounding(question, found)
    for sentence in sentences:
        assert isinstance(sentence, Sentence)
        (citation,) = sentence.citations
        assert grounding.check(sentence).holds and grounding.check(sentence).citations
        assert is_verbatim(sentence.text, citation.quote, citation.title, source_of(citation.passage_id, found))


def source_of(passage_id: str, found: Sequence[Passage]) -> Passage:
    return next(passage for passage in found if passage.passage_id == passage_id)


def is_verbatim(text: str, quote: str, title: str, passage: Passage) -> bool:
    """Every word said stands in the quote, but for the document's title before it and the names of a row's columns."""
    stated = text.split(f"{title.strip('《》«»')}»: ", 1)[-1].split(f"{title.strip('《》«»')}》", 1)[-1]
    spoken = MARKS.sub(" ", stated.removeprefix("：").removeprefix("还写道：")).split()
    cells = MARKS.sub(" ", passage.text) if "|" in quote or "\t" in quote else ""
    known = f"{MARKS.sub(' ', quote)} {cells}"
    return all(word in known for word in spoken)


@settings(max_examples=150, deadline=None)
@given(text=texts, lang=st.sampled_from(["en", "zh"]), found=st.lists(passages, max_size=4), weighed=st.booleans())
def test_any_question_gets_an_answer_in_the_documents_words_or_none(
    engine: Engine, text: str, lang: Lang, found: list[Passage], weighed: bool
) -> None:
    found = list({passage.passage_id: passage for passage in found}.values())
    question = Question(text, lang, (HistoryItem(Role.CUSTOMER, "How heavy is the Skua 3?"),))
    terms = [(word, 1.5, ("costs",)) for word in content_words(text)] if weighed else []
    check(events(engine, question, found, terms), question, found)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "?" * 8_000,
            " " * 8_000,
            "x" * 8_000,
            "退" * 8_000,
            "skua 3 " * 1_100,
            "and what? " * 800,
            "，多少" * 2_600,
        ),
        *(
            "\ud800",
            "\u202eabc",
            "A" * 8_000,
            "Skua " * 1_600,
            "1 " * 4_000,
            "a-" * 4_000,
            "[](" * 2_600,
            "多少" * 4_000,
        ),
    ],
    ids=lambda text: f"{text[:12]!r} of {len(text)}",
)
def test_extremes_are_answered_or_not(engine: Engine, text: str) -> None:
    found = [Passage("d#1", "d", "Tents", "d.md", "", "\n".join(LINES), "en")]
    question = Question(text, "en")
    check(events(engine, question, found), question, found)


def test_no_naughty_string_breaks_it(engine: Engine) -> None:
    found = [Passage("d#1", "d", "Tents", "d.md", "", "\n".join(LINES), "en")]
    for text in read_json("naughty_strings/blns.json"):
        question = Question(text, "en")
        check(events(engine, question, found), question, found)
        naughty = [Passage("d#1", "d", text, "d.md", "", "\n".join(f"{text} weighs 3 kg".split("\n")), "en")]
        question = Question("What weighs 3 kg?", "en")
        check(events(engine, question, naughty), question, naughty)
