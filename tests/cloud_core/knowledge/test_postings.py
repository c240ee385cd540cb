import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_core.knowledge.index.postings import Postings, Segment, build, decode, encode, merge
from nearside.errors import StorageError

pytestmark = pytest.mark.unit

ROWS = [
    (3, ("Skua tent", "Care", "Never wash the tent in a machine")),
    (7, ("Skua tent", "", "The tent weighs 2.9 kg")),
    (2**40, ("帐篷", "", "帐篷可以机洗吗")),
]


def plain(segment: Segment) -> dict[str, list[tuple[int, list[int]]]]:
    return {
        term: list(zip(held.numbers.tolist(), held.counts.tolist(), strict=True))
        for term, held in sorted(segment.postings.items())
    }


held_by = st.dictionaries(
    st.integers(0, 2**50), st.lists(st.integers(0, 255), min_size=3, max_size=3), min_size=1, max_size=40
)


@given(held_by)
def test_postings_come_back_as_they_were_stored(held: dict[int, list[int]]) -> None:
    numbers = sorted(held)
    stored = Postings(np.array(numbers), np.array([held[number] for number in numbers], dtype=np.uint8))
    read = decode(encode(stored))
    assert read.numbers.tolist() == numbers
    assert read.counts.tolist() == [held[number] for number in numbers]


def test_a_term_that_stands_once_in_many_texts_takes_a_byte_for_each() -> None:
    counts = np.zeros((10_000, 3), dtype=np.uint8)
    counts[:, 2] = 1
    assert len(encode(Postings(np.arange(10_000) * 7, counts))) < 10_100


@given(held_by, st.data())
def test_damaged_bytes_are_refused(held: dict[int, list[int]], data: st.DataObject) -> None:
    numbers = sorted(held)
    blob = bytearray(encode(Postings(np.array(numbers), np.array([held[n] for n in numbers], dtype=np.uint8))))
    with pytest.raises(StorageError):
        decode(bytes(blob[: data.draw(st.integers(0, len(blob) - 1))]))
    with pytest.raises(StorageError):
        decode(bytes(blob) + b"\0")
    with pytest.raises(StorageError):
        decode(b"\x02" + bytes(blob[1:]))
    if len(numbers) > 1:
        blob[-1] ^= 1
        with pytest.raises(StorageError):
            decode(bytes(blob))


def test_a_segment_counts_each_field_apart() -> None:
    segment = build(ROWS)
    assert plain(segment)["tent"] == [(3, [1, 0, 1]), (7, [1, 0, 1])]
    assert plain(segment)["帐篷"] == [(2**40, [2, 0, 2])]
    assert segment.numbers.tolist() == [3, 7, 2**40]
    assert segment.lengths[0].tolist() == [2, 1, 4]


def test_segments_merge_into_the_one_they_would_have_been() -> None:
    parts = [build([ROWS[1]]), build([ROWS[0], ROWS[2]])]
    merged = merge(parts, np.array([number for number, _ in ROWS]))
    assert plain(merged) == plain(build(ROWS))
    assert merged.numbers.tolist() == [3, 7, 2**40]
    assert merged.lengths.tolist() == build(ROWS).lengths.tolist()


def test_a_merge_drops_what_is_not_kept() -> None:
    merged = merge([build(ROWS)], np.array([7]))
    assert plain(merged) == plain(build([ROWS[1]]))


def test_nothing_makes_an_empty_segment() -> None:
    empty = build(())
    assert empty.numbers.shape == (0,)
    assert empty.lengths.shape == (0, 3)
    assert plain(merge([empty], np.array([1]))) == plain(merge([], np.array([1]))) == {}
