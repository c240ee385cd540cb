import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearside.cascade.grams import BITS, BUCKETS, LONGEST, Table, buckets
from nearside.lexical import normalise
from tests import data_sets

pytestmark = pytest.mark.unit
any_text = st.text(st.characters(exclude_categories=[]), max_size=200)
FIXED = [745, 14788, 27359, 35614, 39794, 42727, 42943, 51238, 63596, 70537, 81210, 93128, 102949]
"""A model holds such numbers: they may not change without `FORMAT`."""
KNOWN = ["where is my parcel", "cancel the order please", "我的包裹在哪里"]


def of(text: str) -> set[int]:
    return set(buckets(normalise(text)).tolist())


def words_of(text: str) -> set[int]:
    return {bucket for bucket in of(text) if bucket >= 1 << BITS}


def cosine(table: Table, text: str, other: str) -> float:
    vectors = np.zeros((2, len(table.kept)), dtype=np.float32)
    for vector, one in zip(vectors, (text, other), strict=True):
        weighed = table.weigh(normalise(one))
        vector[weighed.rows] = weighed.values
    return float(vectors[0] @ vectors[1])


@pytest.fixture(scope="module")
def table() -> Table:
    kept = np.array(sorted(set().union(*map(of, KNOWN))), dtype=np.int64)
    return Table(kept, np.ones(len(kept), dtype=np.float32))


def test_the_buckets_are_those_of_every_other_process_and_release() -> None:
    script = "from nearside.cascade.grams import buckets; print(sorted(buckets('ab 包').tolist()))"
    environments = [{"PYTHONHASHSEED": seed} for seed in ("1", "2")]
    found = [
        json.loads(subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, check=True).stdout)
        for env in environments
    ]
    assert found[0] == found[1] == FIXED


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Where is my PARCEL?", "where is my parcel"),
        ("where  is\tmy parcel!!", "where is my parcel"),
        ("order 1042", "order 7719"),
        ("我的包裹，在哪里？", "我的包裹 在哪里"),
    ],
)
def test_case_punctuation_and_digits_make_no_difference(text: str, same: str) -> None:
    assert of(text) == of(same)


def test_words_and_pairs_of_words_are_told_apart_from_parts_of_words() -> None:
    assert len(words_of("red tent")) == 3  # red, tent, red tent
    assert words_of("red tent") & words_of("tent red") == words_of("red") | words_of("tent")
    assert not words_of("tents") & words_of("tent")
    assert of("tents") & of("tent")


def test_a_chinese_character_counts_as_a_word() -> None:
    assert words_of("退货") & words_of("可以退吗")


def test_parts_do_not_reach_across_words() -> None:
    assert not (of("ab cd") - words_of("ab cd")) & ((of("bc") | of("abcd")) - of("ab") - of("cd") - words_of("bc"))


def test_the_number_of_buckets_grows_with_the_text_and_no_faster() -> None:
    short, long = (len(buckets(normalise("where is my parcel " * times))) for times in (10, 400))
    assert 38 < long / short < 42
    assert len(buckets(normalise("where is my parcel " * 4_000))) <= 7 * (LONGEST + 2)


@given(any_text)
def test_no_text_breaks_it(table: Table, text: str) -> None:
    found = buckets(normalise(text))
    assert len(found) == 0 or 0 <= found.min() <= found.max() < BUCKETS
    weighed = table.weigh(normalise(text))
    assert 0 <= weighed.known <= 1 and np.isfinite(weighed.values).all()
    assert np.array_equal(weighed.values, table.weigh(normalise(text)).values)


def test_no_naughty_string_breaks_it(table: Table) -> None:
    for text in data_sets.read_json("naughty_strings/blns.json"):
        assert 0 <= table.weigh(normalise(text)).known <= 1


@pytest.mark.parametrize(
    "text", ["", " ", "?", "\ud800", "\ud800\udfff \udc00", "🎉", "‮مرحبا", "a" * 8_000, "包" * 8_000]
)
def test_odd_texts_have_a_length_of_at_most_one(table: Table, text: str) -> None:
    weighed = table.weigh(normalise(text))
    assert float(weighed.values @ weighed.values) <= 1.001


@pytest.mark.parametrize("text", KNOWN)
def test_a_known_text_has_length_one_is_known_and_equals_itself(table: Table, text: str) -> None:
    weighed = table.weigh(normalise(text))
    assert weighed.known == 1
    assert float(weighed.values @ weighed.values) == pytest.approx(1, abs=1e-5)
    assert cosine(table, text, text) == pytest.approx(1, abs=1e-5)


def test_an_unknown_text_is_unknown(table: Table) -> None:
    weighed = table.weigh("zzz qqq")
    assert weighed.known < 0.2
    assert cosine(table, "zzz qqq", KNOWN[0]) < 0.3
