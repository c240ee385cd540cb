import numpy as np
import pytest

from cloud_core.tuning.evaluation import Answered, coverage_at, faq_figures, figures
from cloud_core.tuning.plots import draw

pytestmark = pytest.mark.unit

KEYS = {
    "accuracy", "in_scope_accuracy", "macro_f1", "oos_recall_at_95", "auroc", "coverage_at_95", "coverage_at_98",
    "coverage_at_99", "ece", "stage_share", "ms_p50", "ms_p99", "model_bytes",
}  # fmt: skip


def answered(rows: list[tuple[str | None, str | None, float]]) -> Answered:
    """(meant, found, how sure); stage one was asked for every second one."""
    truth, found, sure = zip(*rows, strict=True)
    ranks = [int(a == b) for a, b in zip(truth, found, strict=True)]
    at_once = np.arange(len(rows)) % 2 == 0
    return Answered(truth, found, np.array(sure), np.array(ranks), at_once, np.arange(1.0, len(rows) + 1))


MIXED = answered(
    [("a", "a", 0.9), ("a", "b", 0.6), ("b", "b", 0.8), ("b", "b", 0.3), (None, "a", 0.2), (None, "b", 0.7)]
)


def test_the_keys_are_those_that_others_read() -> None:
    found = figures(MIXED, 0.0, 123)
    assert set(found) == KEYS and found["model_bytes"] == 123
    assert found["stage_share"] == {"one": 0.5, "two": 0.5}


def test_nothing_is_rejected_unless_it_was_learnt_what_is_out_of_scope() -> None:
    assert figures(MIXED, 0.0, 0)["accuracy"] == pytest.approx(3 / 6)


def test_rejecting_makes_out_of_scope_right_and_in_scope_wrong() -> None:
    found = figures(MIXED, 0.5, 0)
    assert found["accuracy"] == pytest.approx((2 + 1) / 6)  # 0.9 and 0.8 are answered, 0.2 is rejected, 0.3 too
    assert found["in_scope_accuracy"] == pytest.approx(3 / 4)


def test_recall_of_what_is_out_of_scope_keeps_95_percent_of_the_rest() -> None:
    inside = [("a", "a", 0.5 + index / 200) for index in range(100)]
    strangers: list[tuple[str | None, str | None, float]] = [(None, "a", sure) for sure in (0.1, 0.2, 0.52, 0.6)]
    found = figures(answered([*inside, *strangers]), 0.0, 0)
    assert found["oos_recall_at_95"] == 0.75
    assert found["auroc"] == pytest.approx((100 + 100 + 96 - 0.5 + 80 - 0.5) / 400, abs=0.01)


def test_without_anything_out_of_scope_its_figures_are_null() -> None:
    found = figures(answered([("a", "a", 0.9)]), 0.0, 0)
    assert found["oos_recall_at_95"] is None and found["auroc"] is None


def test_coverage_is_the_largest_share_that_is_precise_enough() -> None:
    sure, right = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, True])
    assert coverage_at(sure, right, 0.75) == 1
    assert coverage_at(sure, right, 0.95) == 0.25
    assert coverage_at(np.array([0.9, 0.9]), np.array([True, False]), 0.95) == 0


def test_of_an_faq_the_places_count() -> None:
    ranks = Answered(["a"] * 4, ["a", "b", "b", "b"], np.ones(4), np.array([1, 2, 5, 0]), np.zeros(4, bool), None)
    found = faq_figures(ranks, 0)
    assert (found["top_1"], found["top_3"]) == (0.25, 0.5)
    assert found["mrr"] == pytest.approx((1 + 1 / 2 + 1 / 5) / 4)
    assert found["ms_p50"] is None


def test_pictures_are_drawn_of_perfect_and_of_mixed_answers(tmp_path_factory: pytest.TempPathFactory) -> None:
    for each in (MIXED, answered([("a", "a", 0.99)] * 3)):
        folder = tmp_path_factory.mktemp("pictures") / "new"
        paths = draw(each, folder)
        assert [path.name for path in paths] == ["confusion.png", "reliability.png", "coverage.png"]
        assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
