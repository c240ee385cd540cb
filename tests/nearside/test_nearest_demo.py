"""Questions written apart from the demo company's FAQ: `-` marks those that no entry answers.

An entry answers at once above the first threshold, and above the second once the documents have nothing.
"""

from pathlib import Path

import pytest
import yaml

from nearside.confidence import DEFAULT_THRESHOLD
from nearside.encoder import TextEncoder
from nearside.lexical import has_cjk, language_of
from nearside.nearest import Example, Match, NearestIndex

pytestmark = pytest.mark.unit

LIKELY = 0.45
FAQ_FILE = Path(__file__).parents[2] / "demo" / "faq.yaml"
HELD_OUT = [
    tuple(line.split("\t"))
    for line in Path(__file__).with_name("faq_held_out.tsv").read_text(encoding="utf-8").splitlines()
]
DETAILS = Path(__file__).with_name("faq_detail.txt").read_text(encoding="utf-8").splitlines()
"""Questions that only the documents answer."""
ENTRIES = yaml.safe_load(FAQ_FILE.read_text(encoding="utf-8"))


class Asked:
    def __init__(self) -> None:
        self.encoder = TextEncoder()
        self.index = NearestIndex.build(
            [
                Example(entry["id"], text, lang)
                for entry in ENTRIES
                for lang in ("en", "zh")
                for text in (entry[lang]["question"], *entry[lang].get("variants", []))
            ],
            self.encoder,
        )

    def best(self, question: str) -> Match:
        return self.index.query(question, self.encoder.encode(question))[0]

    def share(self, asked: list[tuple[str, str]], threshold: float) -> float:
        """Of the questions, the share that gets the right answer."""
        found = [(label, self.best(question)) for label, question in asked]
        return sum(match.label == label and match.confidence >= threshold for label, match in found) / len(asked)

    def wrong(self, asked: list[tuple[str, str]], threshold: float) -> float:
        found = [(label, self.best(question)) for label, question in asked]
        return sum(match.label != label and match.confidence >= threshold for label, match in found) / len(asked)


@pytest.fixture(scope="module")
def asked() -> Asked:
    return Asked()


@pytest.mark.parametrize(
    ("lang", "threshold", "least"),
    [("en", DEFAULT_THRESHOLD, 0.45), ("en", LIKELY, 0.7), ("zh", DEFAULT_THRESHOLD, 0.7), ("zh", LIKELY, 0.8)],
)
def test_most_paraphrases_find_their_answer(asked: Asked, lang: str, threshold: float, least: float) -> None:
    questions = [(label, question) for label, question in HELD_OUT if label != "-" and language_of(question) == lang]
    assert asked.share(questions, threshold) >= least


@pytest.mark.parametrize(("threshold", "most"), [(DEFAULT_THRESHOLD, 0.01), (LIKELY, 0.03)])
def test_hardly_any_paraphrase_gets_another_answer(asked: Asked, threshold: float, most: float) -> None:
    assert asked.wrong([(label, question) for label, question in HELD_OUT if label != "-"], threshold) <= most


@pytest.mark.parametrize(("threshold", "most"), [(DEFAULT_THRESHOLD, 0.01), (LIKELY, 0.06)])
def test_few_questions_without_an_answer_get_one(asked: Asked, threshold: float, most: float) -> None:
    assert asked.wrong([(label, question) for label, question in HELD_OUT if label == "-"], threshold) <= most


def test_details_are_left_to_the_documents(asked: Asked) -> None:
    assert asked.wrong([("-", question) for question in DETAILS], DEFAULT_THRESHOLD) <= 0.05


@pytest.mark.parametrize(
    "around",
    [
        "Hi there, I have a quick question. {}",
        "Could you help me with this: {}",
        "I was wondering, {}",
        "{} Thanks in advance!",
        "想咨询一下{}",
        "请教一下，{}",
        "麻烦帮我看看{}",
        "你好，问个问题：{}，谢谢",
    ],
)
def test_courtesy_does_not_hide_a_known_question(asked: Asked, around: str) -> None:
    lang = "zh" if has_cjk(around) else "en"
    questions = [(entry["id"], around.format(entry[lang]["question"].rstrip("?？"))) for entry in ENTRIES]
    assert asked.share(questions, DEFAULT_THRESHOLD) >= 0.97


def swapped(text: str) -> str:
    """Two letters in the middle of the longest word have changed places."""
    word = max(text.split(), key=len)
    middle = len(word) // 2
    return text.replace(word, word[: middle - 1] + word[middle] + word[middle - 1] + word[middle + 1 :])


def test_a_typo_does_not_hide_a_known_question(asked: Asked) -> None:
    questions = [(entry["id"], swapped(entry["en"]["question"])) for entry in ENTRIES]
    assert asked.share(questions, DEFAULT_THRESHOLD) >= 0.85


def test_a_lost_character_does_not_hide_a_known_question(asked: Asked) -> None:
    texts = [(entry["id"], entry["zh"]["question"]) for entry in ENTRIES]
    questions = [(label, text[: len(text) // 2] + text[len(text) // 2 + 1 :]) for label, text in texts]
    assert asked.share(questions, DEFAULT_THRESHOLD) >= 0.85
