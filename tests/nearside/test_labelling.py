import numpy as np
import pytest

from nearside.confidence import WEIGHTS, Evidence, features, probability
from nearside.labelling import LabelModel

pytestmark = pytest.mark.unit

LIKENESS = np.array([[1, 0.8, 0.1], [0.8, 1, 0.1], [0.1, 0.1, 1]], dtype=np.float32)


def test_an_example_scores_highest_for_its_own_label() -> None:
    model = LabelModel.train(LIKENESS, np.array([0, 0, 1]))
    assert [int(np.argmax(model.scores(row))) for row in LIKENESS] == [0, 0, 1]


def test_training_twice_gives_the_same_scores() -> None:
    first, second = (LabelModel.train(LIKENESS, np.array([0, 0, 1])).scores(LIKENESS[0]) for _ in range(2))
    assert np.array_equal(first, second)


def evidence(elsewhere: float = 0.0, margin: float = 0.6) -> Evidence:
    return Evidence(0.8, margin, 0.9, 0.9, 0.8, 1.0, 1.0, elsewhere, 1.1)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_noun_of_another_trade_lowers_the_confidence(lang: str) -> None:
    assert probability(evidence(elsewhere=1), WEIGHTS[lang]) < probability(evidence(), WEIGHTS[lang])


def test_a_label_that_another_one_equals_is_undecided() -> None:
    assert probability(evidence(margin=0.0), WEIGHTS["en"]) <= 0.5 < probability(evidence(), WEIGHTS["en"])


def test_there_is_a_weight_for_each_feature() -> None:
    assert {len(weights) for weights in WEIGHTS.values()} == {len(features(evidence()))}
