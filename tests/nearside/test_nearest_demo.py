"""Questions written apart from the demo company's FAQ: `-` marks those that no entry answers."""

from pathlib import Path

import pytest
import yaml

from nearside.encoder import TextEncoder
from nearside.lexical import language_of
from nearside.nearest import DEFAULT_THRESHOLD, Example, Match, NearestIndex

pytestmark = pytest.mark.unit

FAQ_FILE = Path(__file__).parents[2] / "demo" / "faq.yaml"
HELD_OUT = [
    tuple(line.split("\t"))
    for line in Path(__file__).with_name("faq_held_out.tsv").read_text(encoding="utf-8").splitlines()
]


@pytest.fixture(scope="module")
def answers() -> dict[str, Match]:
    """The best match that passes the threshold, by question."""
    encoder = TextEncoder()
    examples = [
        Example(entry["id"], text, lang)
        for entry in yaml.safe_load(FAQ_FILE.read_text(encoding="utf-8"))
        for lang in ("en", "zh")
        if lang in entry
        for text in (entry[lang]["question"], *entry[lang].get("variants", []))
    ]
    index = NearestIndex.build(examples, encoder)
    found = ((question, index.query(question, encoder.encode(question))[0]) for _, question in HELD_OUT)
    return {question: match for question, match in found if match.confidence >= DEFAULT_THRESHOLD}


@pytest.mark.parametrize(("lang", "least"), [("en", 0.6), ("zh", 0.8)])
def test_most_paraphrases_find_their_answer(answers: dict[str, Match], lang: str, least: float) -> None:
    asked = [(label, question) for label, question in HELD_OUT if label != "-" and language_of(question) == lang]
    hits = [question for label, question in asked if question in answers and answers[question].label == label]
    assert len(hits) >= least * len(asked)


def test_hardly_any_paraphrase_gets_another_answer(answers: dict[str, Match]) -> None:
    asked = [(label, question) for label, question in HELD_OUT if label != "-" and question in answers]
    assert sum(answers[question].label != label for label, question in asked) <= 0.02 * len(asked)


def test_few_questions_without_an_answer_get_one(answers: dict[str, Match]) -> None:
    asked = [question for label, question in HELD_OUT if label == "-"]
    assert sum(question in answers for question in asked) <= 0.05 * len(asked)
