from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nearside.cascade.grams import Table, Weighed, buckets
from nearside.cascade.wording import Terms, Wording
from nearside.lexical import normalise

pytestmark = pytest.mark.unit
EXAMPLES = ["where is my parcel", "cancel the order please", "", "我的包裹在哪里", "where is the order"]


@pytest.fixture(scope="module")
def table() -> Table:
    kept = np.unique(np.concatenate([buckets(normalise(text)) for text in EXAMPLES]))
    return Table(kept, np.linspace(1, 3, len(kept), dtype=np.float32))


def written(table: Table) -> list[Weighed]:
    return [table.weigh(normalise(text)) for text in EXAMPLES]


def whole(table: Table, weighed: Weighed) -> NDArray[np.float32]:
    vector = np.zeros(len(table.kept), dtype=np.float32)
    vector[weighed.rows] = weighed.values
    return vector


@pytest.fixture(scope="module")
def wording(table: Table) -> Wording:
    rows, values = ([getattr(one, name) for one in written(table)] for name in ("rows", "values"))
    ends = np.cumsum([len(one) for one in rows])
    return Wording(
        np.concatenate(rows).astype(np.uint16), np.concatenate(values).astype(np.float16), ends, len(table.kept)
    )


@given(st.text(max_size=40) | st.sampled_from(EXAMPLES), st.lists(st.integers(0, len(EXAMPLES) - 1), max_size=12))
def test_the_cosines_are_those_of_each_example_by_itself(
    table: Table, wording: Wording, text: str, asked: Sequence[int]
) -> None:
    weighed, examples = table.weigh(normalise(text)), [whole(table, example) for example in written(table)]
    expected = [whole(table, weighed) @ examples[number] for number in asked]
    assert wording.cosines(weighed, asked) == pytest.approx(expected, abs=2e-3)


def test_an_example_is_like_itself_and_one_without_words_like_nothing(table: Table, wording: Wording) -> None:
    assert wording.cosines(table.weigh(EXAMPLES[0]), [2, 0, 2]) == pytest.approx([0, 1, 0], abs=2e-3)


@pytest.mark.parametrize(
    ("rows", "ends", "width"), [([0, 1], [1], 2), ([0, 1], [2, 1, 2], 2), ([0, 2], [2], 2), ([0, 1], [3], 2)]
)
def test_n_grams_that_belong_elsewhere_are_refused(rows: list[int], ends: list[int], width: int) -> None:
    with pytest.raises(ValueError, match="differ|elsewhere"):
        Wording(np.array(rows, np.uint16), np.ones(len(rows), np.float16), np.array(ends), width)


def test_n_grams_without_their_values_are_refused() -> None:
    with pytest.raises(ValueError, match="differ"):
        Wording(np.zeros(2, np.uint16), np.ones(3, np.float16), np.array([2]), 2)


def test_every_example_has_its_own_words() -> None:
    terms = Terms(["parcel", "order"], np.array([0, 1, 0], np.uint8), np.array([1, 1, 3]))
    assert [terms.of(example) for example in range(3)] == [["parcel"], [], ["order", "parcel"]]


@pytest.mark.parametrize(("numbers", "ends"), [([0, 2], [2]), ([0, 1], [1]), ([0, 1], [2, 0])])
def test_words_that_belong_elsewhere_are_refused(numbers: list[int], ends: list[int]) -> None:
    with pytest.raises(ValueError, match="differ|elsewhere"):
        Terms(["parcel", "order"], np.array(numbers, np.uint8), np.array(ends))
