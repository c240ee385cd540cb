"""The demo company's approved answers through a trained cascade, with questions written apart from them."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from cloud_core.tuning import train
from edge_node.responders.faq import LEAST_MEASURED
from nearside.cascade import Cascade
from nearside.content import FAQ, load_tenant_content
from nearside.encoder import TextEncoder
from nearside.lexical import language_of
from nearside.nearest import Match, NearestIndex
from tests import data_sets
from tests.servers import ROOT

pytestmark = pytest.mark.unit

WRITTEN = Path(__file__).parents[2] / "nearside"
HELD_OUT = [line.split("\t") for line in (WRITTEN / "faq_held_out.tsv").read_text(encoding="utf-8").splitlines()]
DETAILS = (WRITTEN / "faq_detail.txt").read_text(encoding="utf-8").splitlines()
SHOPPERS = ("card_declined", "order_status")
"""What people ask an assistant, and a shop too."""


class Answered(NamedTuple):
    """Shares of the questions, and of those that no entry answers."""

    right: float
    wrong: float
    nonsense: float


class Asked:
    """Questions in one language with what is found for them; the label `-` marks those that no entry answers."""

    def __init__(self, lang: str, best: Callable[[str], Match]) -> None:
        found = [(label, best(text)) for label, text in HELD_OUT if language_of(text) == lang]
        self.known = np.array([label != "-" for label, _ in found])
        self.right = np.array([match.label == f"{FAQ}{label}" for label, match in found])
        self.sure = np.array([match.confidence if match.label.startswith(FAQ) else 0.0 for _, match in found])

    def at(self, threshold: float) -> Answered:
        passes = self.sure >= threshold
        right, wrong = passes & self.right, passes & self.known & ~self.right
        return Answered(
            right.sum() / self.known.sum(),
            wrong.sum() / self.known.sum(),
            (passes & ~self.known).sum() / (~self.known).sum(),
        )

    def not_right(self, threshold: float) -> int:
        return int(((self.sure >= threshold) & ~self.right).sum())

    def most_right(self, not_right: int) -> float:
        """The largest share that some threshold answers rightly where so many answers may be wrong or nonsense."""
        return max(self.at(one).right for one in self.sure if self.not_right(one) <= not_right)


class Shop:
    def __init__(self) -> None:
        self.encoder = TextEncoder()
        self.examples = load_tenant_content(ROOT / "demo").examples()
        self.trained = train(self.examples, self.encoder)
        self.cascade = Cascade.load(self.trained.arrays, self.trained.meta, self.encoder)
        self.asked = {lang: Asked(lang, self.best) for lang in ("en", "zh")}

    @cached_property
    def without_a_pack(self) -> dict[str, Asked]:
        index = NearestIndex.build(self.examples, self.encoder)
        return {lang: Asked(lang, lambda text: index.query(text)[0]) for lang in ("en", "zh")}

    def best(self, text: str) -> Match:
        at_once = self.cascade.at_once(text)
        found = at_once or self.cascade.look_up(text, self.encoder.encode(self.cascade.reading(text)), 4)
        return found[0] if found else Match("", 0.0, "")

    def share_answered(self, texts: Sequence[str]) -> float:
        found = map(self.best, texts)
        return float(np.mean([one.label.startswith(FAQ) and one.confidence >= self.cascade.threshold for one in found]))


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop()


@pytest.mark.parametrize(("lang", "right", "nonsense"), [("en", 0.70, 0.01), ("zh", 0.75, 0.016)])
def test_most_paraphrases_get_their_answer_and_hardly_any_other_question_does(
    shop: Shop, lang: str, right: float, nonsense: float
) -> None:
    answered = shop.asked[lang].at(shop.cascade.threshold)
    assert answered.right >= right
    assert answered.wrong <= 0.02
    assert answered.nonsense <= nonsense


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_pack_answers_as_much_as_an_edge_without_one_at_the_same_risk(shop: Shop, lang: str) -> None:
    asked, threshold = shop.asked[lang], shop.cascade.threshold
    assert asked.at(threshold).right >= shop.without_a_pack[lang].most_right(asked.not_right(threshold))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_stands_in_for_nothing_is_seldom_nonsense(shop: Shop, lang: str) -> None:
    answered = shop.asked[lang].at(LEAST_MEASURED)
    assert answered.wrong <= 0.025
    assert answered.nonsense <= 0.04


def test_details_are_left_to_the_documents(shop: Shop) -> None:
    assert shop.share_answered(DETAILS) <= 0.06


def test_what_others_are_asked_is_not_answered(shop: Shop) -> None:
    rows = list(data_sets.json_lines("clinc150/validation.jsonl"))[::4]
    assert shop.share_answered([row["text"] for row in rows if row["intent"] not in SHOPPERS]) <= 0.02


def test_confidence_holds_on_questions_reckoned_with(shop: Shop) -> None:
    report = shop.trained.report
    assert report.ece <= 0.03 and report.precision is not None and report.precision >= 0.98
    assert report.coverage >= 0.62
    assert report.contradictory == []
