import numpy as np
import pytest

from cloud_core.tuning.calibration import Bools
from cloud_core.tuning.deciding import Held, decide
from cloud_core.tuning.holding_out import Judged
from nearside.cascade.evidence import Evidence, QuickEvidence

pytestmark = pytest.mark.unit
LABELS, EACH = 10, 20
OWNERS = np.repeat(np.arange(LABELS), EACH)


def held(is_right: Bools) -> Held:
    """Made-up evidence, the same each time."""
    random = np.random.default_rng(1)
    rows = len(OWNERS)
    judged = Judged(
        rows=np.arange(rows),
        labels=OWNERS,
        quick_labels=OWNERS,
        ranks=np.ones(rows, dtype=np.int64),
        evidence=[Evidence(*row) for row in random.random((rows, len(Evidence._fields))).tolist()],
        quick=[QuickEvidence(*row) for row in random.random((rows, len(QuickEvidence._fields))).tolist()],
    )
    every = np.ones(rows, dtype=bool)
    return Held([judged], is_right, is_right, np.ones(rows), OWNERS, every, every)


def test_what_is_said_of_a_label_was_learned_from_the_others() -> None:
    is_right = np.arange(len(OWNERS)) % 4 > 0
    before, after = held(is_right), held(np.where(OWNERS == 3, ~is_right, is_right))
    own, others = OWNERS == 3, OWNERS == 4
    for name in ("confidences", "quick_confidences"):
        one, other = getattr(before, name), getattr(after, name)
        assert one[own] == pytest.approx(other[own])
        assert np.abs(one[others] - other[others]).max() > 0.01
    assert np.abs(before.weights - after.weights).max() > 0.01


@pytest.mark.parametrize("is_few", [True, False])
def test_of_few_examples_n_grams_are_never_sure(is_few: bool) -> None:
    right = np.ones(len(OWNERS), dtype=bool)
    decided = decide(held(right), 0.5, is_few=is_few)
    assert (decided.sure > 1) is is_few
