import pytest

from cloud_core.tuning import Report, train
from cloud_core.tuning.report import confusable
from nearside.encoder import TextEncoder
from nearside.nearest import Example
from tests.cloud_core.tuning import made_up

pytestmark = pytest.mark.unit

ODD = [
    Example("intent:cancel", "Track my PARCEL", "en"),  # stands under "track" too
    Example("intent:thin", "paint the boat blue", "en"),
    *(Example("faq:lost", text, "en") for text in ("mend the old tent", "repair a torn tent", "can you fix tents")),
]


@pytest.fixture(scope="module")
def report() -> Report:
    return train(made_up.english() + ODD, TextEncoder()).report


def test_the_same_text_under_two_labels_is_named(report: Report) -> None:
    (one,) = report.contradictory
    assert one.text in ("Track my PARCEL", "track my parcel") and one.labels == ["intent:cancel", "intent:track"]


def test_labels_with_few_examples_are_named(report: Report) -> None:
    assert report.thin == {"intent:thin": 1, "faq:lost": 3}


def test_an_entry_that_its_own_variants_do_not_find_is_named(report: Report) -> None:
    assert [(one.label, one.examples) for one in report.unfound] == [("faq:lost", 3)]
    assert ("faq:lost", "intent:repair") in {(pair.label, pair.taken_for) for pair in report.confusable}


def test_shares_are_shares_and_the_bins_hold_every_example_and_questions_that_nobody_answers(report: Report) -> None:
    examples = len(made_up.english()) + len(ODD)
    assert report.examples == examples
    assert examples < sum(one.count for one in report.reliability) < 1.3 * examples
    assert 0.8 < report.accuracy <= 1 and 0 <= report.coverage <= 1 and 0 <= report.stage_one_share <= 1
    assert report.precision is None or report.precision > 0.9


def test_pairs_come_with_the_worst_first() -> None:
    pairs = confusable(["a", "a", "b", "b", "c"], ["b", "b", "a", "b", "c"])
    assert [(pair.label, pair.taken_for, pair.count) for pair in pairs] == [("a", "b", 2), ("b", "a", 1)]
