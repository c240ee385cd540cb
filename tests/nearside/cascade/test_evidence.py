import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearside.cascade.evidence import Evidence, features, margins, probability

pytestmark = pytest.mark.unit
scores = st.lists(st.sampled_from([-1.5, -1.0, -0.25, 0.0, 0.5, 1.0]), min_size=1, max_size=6)
least = st.sampled_from([-1.0, 0.0])


@given(scores, least)
def test_a_margin_is_what_a_label_is_ahead_of_the_best_other_one(scores: list[float], least: float) -> None:
    found = margins(np.array(scores, dtype=np.float32), least)
    for label, score in enumerate(scores):
        assert found[label] == score - max([least, *scores[:label], *scores[label + 1 :]])


def test_only_chinese_weighs_twice() -> None:
    evidence = Evidence._make([*range(1, 15), 0.0])
    plain, chinese = features(evidence), features(evidence._replace(is_chinese=1.0))
    half = len(plain) // 2
    assert chinese == (*plain[:half], *plain[:half]) and plain[half:] == (0.0,) * half


def test_as_many_weights_are_wanted_as_there_are_values() -> None:
    with pytest.raises(ValueError, match="as many weights"):
        probability((1.0, 2.0), (1.0,))
