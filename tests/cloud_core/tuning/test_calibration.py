import numpy as np
import pytest

from cloud_core.tuning.calibration import (
    HIGHEST,
    calibration_error,
    fit_logistic,
    reliability,
    steady_threshold,
    threshold_for,
)

pytestmark = pytest.mark.unit
ROWS = 20_000


def drawn(weights: list[float], seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Evidence, and what came true with just the chance that `weights` give it."""
    random = np.random.default_rng(seed)
    values = np.column_stack([np.ones(ROWS), random.normal(size=(ROWS, len(weights) - 1))])
    return values, random.random(ROWS) < 1 / (1 + np.exp(-values @ np.array(weights)))


def test_weights_that_made_the_outcomes_are_found_again() -> None:
    values, right = drawn([0.5, 2.0, -1.0])
    found = fit_logistic(values, right, np.ones(ROWS), np.zeros(3), 1.0)
    assert found == pytest.approx([0.5, 2.0, -1.0], abs=0.1)


def test_few_rows_leave_the_weights_near_the_shipped_ones() -> None:
    values, right = drawn([0.5, 2.0, -1.0])
    shipped = np.array([3.0, 0.0, 0.0])
    few = fit_logistic(values[:10], right[:10], np.ones(10), shipped, 30.0)
    many = fit_logistic(values, right, np.ones(ROWS), shipped, 30.0)
    assert np.abs(few - shipped).max() < 0.5 < np.abs(many - shipped).max()


def test_outcomes_without_an_exception_do_not_run_away() -> None:
    found = fit_logistic(np.ones((50, 1)), np.ones(50, dtype=bool), np.ones(50), np.zeros(1), 1.0)
    assert np.isfinite(found).all() and 1 < found[0] < 20


def test_what_counts_twice_is_as_good_as_two_rows() -> None:
    values, right = drawn([0.5, 2.0])
    values, right = values[:100], right[:100]
    twice = fit_logistic(np.vstack([values, values]), np.tile(right, 2), np.ones(200), np.zeros(2), 1.0)
    assert fit_logistic(values, right, np.full(100, 2.0), np.zeros(2), 1.0) == pytest.approx(twice)


def test_calibrated_confidences_lie_on_the_diagonal_and_overconfident_ones_do_not() -> None:
    values, right = drawn([0.5, 2.0])
    honest = 1 / (1 + np.exp(-values @ np.array([0.5, 2.0])))
    boastful = 1 / (1 + np.exp(-values @ np.array([2.5, 2.0])))
    assert calibration_error(reliability(honest, right)) < 0.02
    assert calibration_error(reliability(boastful, right)) > 0.1


def test_the_bins_hold_every_row_once() -> None:
    values, right = drawn([0.0, 1.0])
    bins = reliability(np.clip(values[:, 1], 0, 1), right)
    assert sum(one.count for one in bins) == ROWS
    assert all(0 <= one.right <= 1 for one in bins)


@pytest.mark.parametrize("wanted", [0.9, 0.95, 0.98])
def test_above_the_threshold_the_wanted_share_is_right(wanted: float) -> None:
    values, right = drawn([1.0, 2.0])
    sure = 1 / (1 + np.exp(-values @ np.array([1.0, 2.0])))
    passes = sure >= threshold_for(sure, right, np.ones(ROWS), wanted)
    assert right[passes].mean() == pytest.approx(wanted, abs=0.01)
    assert passes.mean() > 0.1


def test_where_nothing_is_sure_enough_only_an_example_itself_passes() -> None:
    sure = np.full(500, 0.6)
    assert threshold_for(sure, np.arange(500) % 2 == 0, np.ones(500), 0.98) == HIGHEST


def test_more_questions_that_nobody_answers_raise_the_threshold() -> None:
    values, right = drawn([1.0, 2.0])
    sure = 1 / (1 + np.exp(-values @ np.array([1.0, 2.0])))
    few, many = (threshold_for(sure, right, np.where(right, 1.0, weight), 0.95) for weight in (1.0, 5.0))
    assert few < many


def test_equal_confidences_pass_together_or_not_at_all() -> None:
    sure = np.array([0.9] * 100 + [0.8] * 100)
    right = np.array([True] * 100 + [True] * 50 + [False] * 50)
    assert threshold_for(sure, right, np.ones(200), 0.9) == 0.9


def test_few_labels_get_a_higher_threshold_than_many_of_the_same_kind() -> None:
    values, right = drawn([1.0, 2.0])
    sure, ones, owners = 1 / (1 + np.exp(-values @ np.array([1.0, 2.0]))), np.ones(ROWS), np.arange(ROWS) // 10
    many = steady_threshold(sure, right, ones, owners, 0.95)
    parts = [slice(start, start + 300) for start in range(0, ROWS, 1000)]
    few = [steady_threshold(sure[part], right[part], ones[part], owners[:300], 0.95) for part in parts]
    assert np.median(few) > many
    assert many == pytest.approx(threshold_for(sure, right, ones, 0.95), abs=0.03)


def test_a_label_is_wrong_as_a_whole_or_not_at_all() -> None:
    sure, ones, rows = np.linspace(0.6, 0.96, 400), np.ones(400), np.arange(400)
    right = rows % 100 >= 10
    scattered, together = (
        steady_threshold(sure, right, ones, owners, 0.88) for owners in (rows, np.where(rows % 100 < 10, 0, rows))
    )
    assert scattered < together
