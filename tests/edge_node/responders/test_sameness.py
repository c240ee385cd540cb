"""When two texts ask the same: what must be equal, and what may differ."""

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_node.responders.sameness import Question, may_share, question
from nearside.asking import question_of
from nearside.encoder import TextEncoder
from nearside.tenant_toml import CacheSettings
from tests.servers import ROOT

pytestmark = pytest.mark.unit

DATA = Path(os.environ.get("NEARSIDE_DATA", ROOT.parent / "shared" / "data"))
LEAST_RIGHT = 0.97
QUESTIONS = 3_000


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder(threads=1)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How heavy is the Skua 3?", "how heavy is the skua 3"),
        ("Hello! Can you tell me how heavy the Skua 3 is? Thanks", "how heavy the skua 3 is"),
        ("Skua 3 有多重？", "请问，Skua 3有多重呢"),
        ("运费多少", "运费多少呀？？"),
    ],
)
def test_courtesy_case_and_punctuation_are_the_same_question(encoder: TextEncoder, one: str, other: str) -> None:
    assert question(one, encoder.is_word).exact == question(other, encoder.is_word).exact


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("is 5% off possible", "is 5 off possible"),
        ("does it work at -5 degrees", "does it work at 5 degrees"),
        ("订单1042能退吗", "订单1043能退吗"),
        ("能退货吗", "不能退货吗"),
        ("do you have the C++ book", "do you have the C book"),
    ],
)
def test_a_sign_makes_another_question(encoder: TextEncoder, one: str, other: str) -> None:
    assert question(one, encoder.is_word).exact != question(other, encoder.is_word).exact


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("can I return it", "can't I return it"),
        ("can I return it", "can I not return it"),
        ("does it ship with poles", "does it ship without poles"),
        ("shipping for 2 tents", "shipping for 3 tents"),
        ("shipping for two tents", "shipping for three tents"),
        ("a discount of 5%", "a discount of 5"),
        ("how much is shipping", "how long is shipping, and when"),
        ("can I pay before delivery", "can I pay after delivery"),
        ("is the Skua in stock", "is the Petrel in stock"),
        ("is the Summit tent in stock", "is the Falcon tent in stock"),
        ("the x200 battery", "the x300 battery"),
        ("wie schwer ist das Zelt", "wie teuer ist das Zelt"),
        ("сколько стоит доставка", "сколько весит палатка"),
    ],
)
def test_numbers_negations_names_and_turning_words_must_be_equal(encoder: TextEncoder, one: str, other: str) -> None:
    assert question(one, encoder.is_word).signature != question(other, encoder.is_word).signature


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Where is your shop?", "where's the shop located, please"),
        ("How heavy is the Skua 3 tent?", "what does the Skua 3 tent weigh"),
        ("I can't return my tent", "my tent cannot be returned"),
    ],
)
def test_other_words_for_the_same_have_the_same_signature(encoder: TextEncoder, one: str, other: str) -> None:
    assert question(one, encoder.is_word).signature == question(other, encoder.is_word).signature


def test_likeness_of_vectors_is_not_asked_of_chinese(encoder: TextEncoder) -> None:
    assert [question(text, encoder.is_word).is_readable for text in ("shipping to Bern", "Skua 3 多重")] == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("asked", "known", "answer", "shares"),
    [
        ("heavy tent", "heavy tent", "", True),
        ("weigh tent", "heavy tent", "tent weigh", True),
        ("heavy stove", "heavy tent", "tent weigh", False),
        ("heavy tent worn", "heavy tent", "tent weigh", False),
        ("heavy tent tunnel", "heavy tent", "tunnel tent weigh", True),
        ("heavy", "heavy tent", "tent weigh", False),
        ("heavy", "heavy tent", "", False),
        ("light stove", "heavy tent", "", False),
    ],
)
def test_one_word_may_stand_for_another_and_what_the_answer_speaks_of_must_be_asked_for(
    asked: str, known: str, answer: str, shares: bool
) -> None:
    assert may_share(asked.split(), known.split(), answer.split()) is shares


@given(text=st.text(max_size=400))
def test_whatever_somebody_writes_is_a_question(encoder: TextEncoder, text: str) -> None:
    found = question(text, encoder.is_word)
    assert found == question(text, encoder.is_word)
    assert may_share(found.words, found.words, ())


@pytest.mark.parametrize("name", ["banking77", "clinc150"])
def test_pairs_that_count_as_the_same_mean_the_same(encoder: TextEncoder, name: str) -> None:
    """By the threshold that a company has unless it sets one; the labels themselves are wrong now and then."""
    file = DATA / name / "train.jsonl"
    if not file.exists():
        pytest.skip(f"no {file}")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["intent"] != "oos"][:: max(1, len(rows) // QUESTIONS)]
    verdicts = [one == other for one, other in alike(encoder, rows)]
    assert len(verdicts) > 100
    assert sum(verdicts) >= LEAST_RIGHT * len(verdicts)


def alike(encoder: TextEncoder, rows: list[dict[str, str]]) -> Iterator[tuple[str, str]]:
    """Intents of those that would be given the other's answer."""
    asked = [question(row["text"], encoder.is_word) for row in rows]
    vectors = np.array([encoder.encode(question_of(row["text"])).vector for row in rows])
    groups: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, one in enumerate(asked):
        groups[one.signature].append(place)
    for group in groups.values():
        likeness = vectors[group] @ vectors[group].T
        for first, second in zip(*np.where(np.triu(likeness >= CacheSettings().threshold, 1)), strict=True):
            if is_pair(asked[group[first]], asked[group[second]]):
                yield rows[group[first]]["intent"], rows[group[second]]["intent"]


def is_pair(one: Question, other: Question) -> bool:
    return one.exact != other.exact and may_share(one.words, other.words, ())
