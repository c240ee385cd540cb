"""Accuracy on public questions, floors a little below what is reached: `cloud-core evaluate` gives all figures."""

from collections import defaultdict
from collections.abc import Sequence

import pytest

from cloud_core.tuning import train
from cloud_core.tuning.evaluation import Answered, Question, ask, figures
from nearside.cascade import Cascade
from nearside.encoder import TextEncoder
from nearside.nearest import Example
from tests import data_sets

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder(threads=2)


def rows(name: str) -> list[tuple[str, str]]:
    return [(row["intent"], row["text"]) for row in data_sets.json_lines(name)]


def first_of_each(pairs: Sequence[tuple[str, str]], count: int, skip: int = 0) -> list[tuple[str, str]]:
    by_label: dict[str, list[str]] = defaultdict(list)
    for label, text in pairs:
        by_label[label].append(text)
    return [(label, text) for label, texts in by_label.items() for text in texts[skip : skip + count]]


def answers(
    seen: Sequence[tuple[str, str]], asked: Sequence[tuple[str, str]], encoder: TextEncoder
) -> tuple[Answered, float]:
    trained = train([Example(label, text, "en") for label, text in seen], encoder)
    cascade = Cascade.load(trained.arrays, trained.meta, encoder)
    questions = [Question(None if label == "oos" else label, text) for label, text in asked]
    return ask(cascade, encoder, questions), trained.meta["outside_below"]


def test_ten_examples_of_each_bank_intent(encoder: TextEncoder) -> None:
    bank = rows("banking77/train.jsonl")
    answered, _ = answers(first_of_each(bank, 10), first_of_each(bank, 6, skip=10), encoder)
    found = figures(answered, 0.0, 0)
    assert found["in_scope_accuracy"] >= 0.87


def test_thirty_five_examples_of_each_bank_intent(encoder: TextEncoder) -> None:
    bank = rows("banking77/train.jsonl")
    answered, _ = answers(first_of_each(bank, 35), first_of_each(bank, 6, skip=35), encoder)
    found = figures(answered, 0.0, 0)
    assert found["in_scope_accuracy"] >= 0.89 and found["ece"] <= 0.06
    assert found["stage_share"]["one"] >= 0.2


def test_what_is_out_of_scope_is_told_from_150_intents(encoder: TextEncoder) -> None:
    seen = first_of_each(rows("clinc150/train.jsonl"), 12)
    asked = first_of_each(rows("clinc150/validation.jsonl"), 3) + [
        row for row in rows("clinc150/validation.jsonl") if row[0] == "oos"
    ]
    answered, outside_below = answers(seen, asked, encoder)
    found = figures(answered, outside_below, 0)
    assert found["in_scope_accuracy"] >= 0.9 and found["auroc"] >= 0.93 and found["oos_recall_at_95"] >= 0.5
    assert found["accuracy"] >= 0.85
