"""The demo company's approved answers through a trained cascade, with questions written apart from them."""

from pathlib import Path

import numpy as np
import pytest

from cloud_core.tuning import train
from nearside.cascade import Cascade
from nearside.content import FAQ, load_tenant_content
from nearside.encoder import TextEncoder
from nearside.lexical import language_of
from nearside.nearest import Match
from tests.servers import ROOT

pytestmark = pytest.mark.unit

WRITTEN = Path(__file__).parents[2] / "nearside"
HELD_OUT = [line.split("\t") for line in (WRITTEN / "faq_held_out.tsv").read_text(encoding="utf-8").splitlines()]
DETAILS = (WRITTEN / "faq_detail.txt").read_text(encoding="utf-8").splitlines()


class Shop:
    def __init__(self) -> None:
        self.encoder = TextEncoder()
        self.trained = train(load_tenant_content(ROOT / "demo").examples(), self.encoder)
        self.cascade = Cascade.load(self.trained.arrays, self.trained.meta, self.encoder)

    def best(self, text: str) -> Match:
        at_once = self.cascade.at_once(text)
        return (at_once or self.cascade.look_up(text, self.encoder.encode(self.cascade.reading(text)), 4))[0]

    def answers(self, label: str, text: str) -> bool | None:
        """Whether the approved answer is right; None where there is none."""
        match = self.best(text)
        if match.confidence < self.cascade.threshold or not match.label.startswith(FAQ):
            return None
        return match.label == f"{FAQ}{label}"


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop()


@pytest.mark.parametrize(("lang", "least"), [("en", 0.6), ("zh", 0.7)])
def test_most_paraphrases_get_their_answer_and_hardly_any_another(shop: Shop, lang: str, least: float) -> None:
    asked = [shop.answers(label, text) for label, text in HELD_OUT if label != "-" and language_of(text) == lang]
    assert asked.count(True) / len(asked) >= least
    assert asked.count(False) / len(asked) <= 0.015


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_hardly_any_question_that_no_entry_answers_gets_an_answer(shop: Shop, lang: str) -> None:
    asked = [shop.answers(label, text) for label, text in HELD_OUT if label == "-" and language_of(text) == lang]
    assert sum(answer is not None for answer in asked) / len(asked) <= 0.015


def test_details_are_left_to_the_documents(shop: Shop) -> None:
    assert np.mean([shop.answers("-", text) is not None for text in DETAILS]) <= 0.06


def test_confidence_holds_on_questions_reckoned_with(shop: Shop) -> None:
    report = shop.trained.report
    assert report.ece <= 0.04 and report.precision is not None and report.precision >= 0.97
    assert report.contradictory == []
