import numpy as np
import pytest
from numpy.typing import NDArray

from cloud_core.knowledge.stores import matrix
from cloud_core.knowledge.stores.matrix import Matrix

pytestmark = pytest.mark.unit
DIMENSIONS = 128


def vectors(count: int, seed: int = 0) -> NDArray[np.float16]:
    """In clusters, as those of texts are."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(9).standard_normal((40, DIMENSIONS))
    made = centres[random.integers(0, 40, count)] + 0.8 * random.standard_normal((count, DIMENSIONS))
    unit: NDArray[np.float64] = made / np.linalg.norm(made, axis=1, keepdims=True)
    return unit.astype(np.float16)


def of(numbers: range, made: NDArray[np.float16]) -> Matrix:
    return Matrix.of(list(numbers), [row.tobytes() for row in made])


def searched(numbers: range, made: NDArray[np.float16]) -> Matrix:
    return Matrix.of((), ()).with_these(np.array(numbers), of(numbers, made))


def exact(made: NDArray[np.float16], asked: NDArray[np.float32], limit: int) -> list[int]:
    return [int(place) for place in np.argsort(-(made.astype(np.float32) @ asked), kind="stable")[:limit]]


@pytest.mark.parametrize("most_exact", [5_000, 1_000])
def test_the_nearest_are_found_best_first(monkeypatch: pytest.MonkeyPatch, most_exact: int) -> None:
    monkeypatch.setattr(matrix, "MOST_EXACT", most_exact)
    made, asked = vectors(4_000), vectors(20, seed=1).astype(np.float32)
    held = searched(range(10, 4_010), made)
    assert (held.leading is None) == (most_exact == 5_000)
    hits = 0
    for one in asked:
        found = held.nearest(one, 10)
        assert [cosine for _, cosine in found] == sorted((cosine for _, cosine in found), reverse=True)
        hits += len({number - 10 for number, _ in found} & set(exact(made, one, 10)))
    assert hits >= 0.97 * 200


@pytest.mark.parametrize("most_exact", [5_000, 1_000])
def test_only_what_counts_is_found(monkeypatch: pytest.MonkeyPatch, most_exact: int) -> None:
    monkeypatch.setattr(matrix, "MOST_EXACT", most_exact)
    held = searched(range(3_000), vectors(3_000))
    asked = vectors(1, seed=1)[0].astype(np.float32)
    for counting in (np.array([5]), np.arange(0, 3_000, 2), np.empty(0, dtype=np.int64)):
        found = held.nearest(asked, 40, counting)
        assert {number for number, _ in found} <= set(counting.tolist())
        assert len(found) == min(40, len(counting))


@pytest.mark.parametrize("most_exact", [5_000, 500])
def test_what_changes_is_as_if_it_had_been_read_anew(monkeypatch: pytest.MonkeyPatch, most_exact: int) -> None:
    monkeypatch.setattr(matrix, "MOST_EXACT", most_exact)
    made = vectors(2_500)
    live = np.arange(500, 2_500)
    changed = searched(range(2_000), made[:2_000]).with_these(live, of(range(2_000, 2_500), made[2_000:]))
    assert changed.numbers.tolist() == live.tolist()
    assert np.array_equal(changed.vectors, made[500:])
    asked = vectors(1, seed=3)[0].astype(np.float32)
    found = [number for number, _ in changed.nearest(asked, 10)]
    assert len(set(found) & {500 + place for place in exact(made[500:], asked, 10)}) >= 9


def test_nothing_is_near_a_vector_of_another_length() -> None:
    assert searched(range(5), vectors(5)).nearest(np.ones(3, dtype=np.float32), 5) == []
    assert Matrix.of((), ()).nearest(np.ones(3, dtype=np.float32), 5) == []
