import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import check_grad

from cloud_core.tuning import train
from cloud_core.tuning.examples import Ints
from cloud_core.tuning.nearness import Floats, Neighbours, learn_turn
from nearside.encoder import TextEncoder
from nearside.nearest import Example

pytestmark = pytest.mark.unit
LABELS = 8


def clouds(rows: int, size: int, seed: int = 1) -> tuple[Floats, Ints]:
    """Labels that differ in few of the directions, and much noise in all the others."""
    random = np.random.default_rng(seed)
    owners = np.arange(rows) % LABELS
    points = random.normal(size=(rows, size))
    points[:, :LABELS] = 0.5 * points[:, :LABELS] + 1.5 * np.eye(LABELS)[owners]
    return normal(points), owners


def normal(points: NDArray[np.float64]) -> Floats:
    found: Floats = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    return found


def nearest_is_right(points: Floats, owners: Ints) -> float:
    cosines = points @ points.T
    np.fill_diagonal(cosines, -2)
    return float((owners[cosines.argmax(axis=1)] == owners).mean())


def test_texts_come_nearer_to_unseen_ones_of_their_label() -> None:
    seen, owners = clouds(160, 48)
    unseen, truth = clouds(400, 48, seed=2)
    turned = unseen @ learn_turn(seen, owners)
    turned /= np.linalg.norm(turned, axis=1, keepdims=True)
    assert nearest_is_right(turned, truth) >= nearest_is_right(unseen, truth) + 0.05


def test_the_gradient_is_that_of_the_loss() -> None:
    points, owners = clouds(30, 9)
    neighbours = Neighbours.of(points, owners)
    start = np.eye(9).ravel() + 0.1
    off = check_grad(
        lambda x: neighbours.loss(x)[0], lambda x: neighbours.loss(x)[1], start, epsilon=1e-2, direction="all"
    )
    assert off <= 0.02 * np.linalg.norm(neighbours.loss(start)[1]) + 1e-3


def test_it_is_the_same_every_time() -> None:
    points, owners = clouds(60, 12)
    assert np.array_equal(learn_turn(points, owners), learn_turn(points, owners))


@pytest.mark.parametrize("owners", [[0, 0, 0, 0], [0, 1, 2, 3]])
def test_where_nothing_can_be_learned_the_space_stays_as_it_is(owners: list[int]) -> None:
    points = normal(np.random.default_rng(3).normal(size=(4, 6)))
    assert np.allclose(learn_turn(points, np.array(owners)), np.eye(6), atol=1e-3)


def test_what_is_learned_by_heart_does_not_pass_for_understanding() -> None:
    random = np.random.default_rng(4)
    words = ["".join(chr(97 + letter) for letter in random.integers(0, 26, 5)) for _ in range(400)]
    texts = [" ".join(random.choice(words, 5)) for _ in range(30 * 18)]
    examples = [Example(f"intent:{place % 18}", text, "en") for place, text in enumerate(texts)]
    assert train(examples, TextEncoder(threads=2)).report.accuracy <= 0.12  # a guess has 0.06
