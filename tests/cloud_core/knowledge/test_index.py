"""Scores, the catalogue and what is learned from the passages, against what they stand for."""

import math
import random

import numpy as np
import pytest

from cloud_core.knowledge.index import scoring, topics
from cloud_core.knowledge.index.memory import MemorySnapshot
from cloud_core.knowledge.index.postings import build
from cloud_core.knowledge.index.snapshot import Catalogue
from cloud_core.messages import Passage
from nearside.errors import StorageError

pytestmark = pytest.mark.unit

THEMES = {name: [f"{name}{number}" for number in range(200)] for name in ("alpine", "marine", "urban", "desert")}


def passage(place: int, text: str, document: str = "") -> Passage:
    document = document or f"d{place}"
    return Passage(f"{document}#{place}", document, "", "", "", text, "en")


def themed(count: int = 400) -> list[Passage]:
    rng = random.Random(4)
    names = list(THEMES)
    return [passage(place, " ".join(rng.choices(THEMES[names[place % 4]], k=30))) for place in range(count)]


def scores_of(snapshot: MemorySnapshot, weights: dict[str, float]) -> list[float]:
    matches = scoring.live(snapshot.catalogue, snapshot.postings(list(weights)))
    return [float(score) for score in scoring.bm25(snapshot.catalogue, matches, weights)]


def test_a_score_is_bm25_of_the_counts() -> None:
    snapshot = MemorySnapshot(
        [passage(0, "wolf wolf knot"), passage(1, "wolf"), *map(lambda n: passage(n, "sea"), range(2, 12))]
    )
    mean = 14 / 12
    idf = math.log(1 + (12 - 2 + 0.5) / (2 + 0.5))
    often = 2 / (0.4 + 0.6 * 3 / mean)
    assert scores_of(snapshot, {"wolf": 1.0})[0] == pytest.approx(idf * often * 2.2 / (often + 1.2), rel=1e-4)


def test_a_match_in_the_title_counts_more() -> None:
    one, other = passage(0, "sea knot"), passage(1, "sea wolf")
    titled = Passage("t", "t", "wolf", "", "", "sea knot", "en")
    scores = scores_of(MemorySnapshot([one, other, titled]), {"wolf": 1.0})
    assert scores[2] > scores[1] > scores[0] == 0.0


def test_frequent_terms_only_reorder_the_best_once_much_was_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"sea sky {'wolf' if place % 50 == 0 else ''} {'knot' if place == 100 else ''}" for place in range(1000)]
    snapshot = MemorySnapshot([passage(place, text) for place, text in enumerate(texts)])
    weights = dict.fromkeys(("sea", "sky", "wolf", "knot"), 1.0)
    everywhere = scores_of(snapshot, weights)
    monkeypatch.setattr(scoring, "_MOST_SCORED", 50)
    bounded = scores_of(snapshot, weights)
    assert bounded[100] == pytest.approx(everywhere[100])
    assert everywhere[1] > bounded[1] == 0.0


def test_the_best_rows_come_first_and_only_so_many() -> None:
    scores = np.array([0.0, 3.0, 1.0, 3.0, 0.5, 2.9], dtype=np.float32)
    assert scoring.highest(scores, 3).tolist() == [1, 3, 5]
    assert scoring.highest(scores, 99).tolist() == [1, 3, 5, 2, 4]


@pytest.mark.parametrize("gap", [1, 3, 1000])
def test_a_catalogue_knows_the_row_of_a_number(gap: int) -> None:
    numbers = np.arange(5, dtype=np.int64) * gap + 7
    flat = np.zeros(5, dtype=np.int32)
    catalogue = Catalogue(
        numbers, np.ones((5, 3), np.uint16), flat.astype(np.uint8), flat, np.arange(5, dtype=np.int32), ()
    )
    asked = np.array([0, 7, 6, 7 + 4 * gap, 8 + 4 * gap, 7 + gap, 10**12])
    assert catalogue.rows(asked).tolist() == [-1, 0, -1, 4, -1, 1, -1]


def test_dead_passages_count_for_nothing() -> None:
    segment = build((number, ("", "", "wolf")) for number in range(1, 7))
    snapshot = MemorySnapshot([passage(0, "wolf"), passage(1, "sea")])
    matches = scoring.live(snapshot.catalogue, segment.postings)
    assert matches["wolf"].rows.tolist() == [0, 1]


def test_what_is_learned_tells_themes_apart() -> None:
    snapshot = MemorySnapshot(themed())
    snapshot.learn()
    learned = topics.topics_of(snapshot.catalogue, snapshot.learned(topics.NAME))
    assert learned is not None
    vector = learned.vector(["alpine1", "alpine2", "alpine3"])
    assert vector is not None and np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-3)
    cosines = learned.cosines(vector, snapshot.catalogue.numbers).reshape(-1, 4)
    assert cosines[:, 0].mean() > 5 * abs(cosines[:, 1:].mean())
    assert learned.vector(["nobody", "knows"]) is None


def test_what_is_learned_is_the_same_each_time() -> None:
    segment = build((number, ("", "", one.text)) for number, one in enumerate(themed(), start=1))
    assert topics.learn([segment], segment.numbers) == topics.learn([segment], segment.numbers)


def test_passages_that_came_later_are_near_to_nothing() -> None:
    segment = build((number, ("", "", one.text)) for number, one in enumerate(themed(), start=1))
    blob = topics.learn([segment], segment.numbers[:350])
    assert blob is not None
    learned = topics.read(blob)
    vector = learned.vector(["alpine1"])
    assert vector is not None
    near = learned.cosines(vector, np.array([1, 350, 351, 10**9]))
    assert near[0] != 0.0 and near[2:].tolist() == [0.0, 0.0]


def test_few_passages_teach_nothing() -> None:
    segment = build([(1, ("", "", "wolf"))])
    assert topics.learn([segment], segment.numbers) is None


@pytest.mark.parametrize("blob", [b"", b"\x02" + bytes(40), bytes(17)])
def test_damaged_bytes_are_refused(blob: bytes) -> None:
    with pytest.raises(StorageError):
        topics.read(blob)


def test_what_is_learned_anew_takes_the_place_of_the_old() -> None:
    snapshot = MemorySnapshot(themed())
    snapshot.learn()
    blob = snapshot.learned(topics.NAME)
    assert blob is not None
    first = topics.topics_of(snapshot.catalogue, blob)
    assert topics.topics_of(snapshot.catalogue, blob) is first
    assert topics.topics_of(snapshot.catalogue, bytes(bytearray(blob))) is not first
    assert topics.topics_of(snapshot.catalogue, None) is None
