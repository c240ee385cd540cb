"""One run of the encoder for each text, whoever asks what of it."""

from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import numpy as np
import pytest

from edge_node.messages import Turn
from edge_node.responders import semantic
from edge_node.responders.semantic import Semantics
from nearside.encoder import DIMENSIONS, FEATURES, Encoding
from nearside.nearest import Match

pytestmark = pytest.mark.unit

T = TypeVar("T")


class Index:
    """Counts the runs of an encoder; a text's vector has its length in front. Knows `known` without one."""

    def __init__(self, *known: str) -> None:
        self.runs: list[str] = []
        self.known = known

    async def read(self, reading: Callable[[], str], then: Callable[[Encoding], T]) -> T:
        text = reading()
        self.runs.append(text)
        vector = np.zeros(DIMENSIONS, dtype=np.float32)
        vector[0] = len(text)
        return then(Encoding(vector, 0.0, np.zeros(FEATURES, dtype=np.float32)))

    def at_once(self, text: str) -> list[Match] | None:
        return [Match("faq:known", 0.9, text)] if text in self.known else None

    def reading(self, text: str) -> str:
        return text.removeprefix("please ")

    def look_up(self, text: str, encoding: Encoding, limit: int) -> list[Match]:
        return [Match(f"faq:{int(encoding.vector[0])}", 0.5, text)]


async def here(work: Callable[[], T]) -> T:
    return work()


@pytest.fixture
def index() -> Index:
    return Index()


async def test_what_is_near_and_the_encoding_come_of_one_run(index: Index) -> None:
    semantics = Semantics(index, index.read, here)
    assert [match.text for match in await semantics.nearest("tents")()] == ["tents"]
    assert (await semantics.encoding("tents")()).vector[0] == 5
    await semantics.nearest("tents")()
    assert index.runs == ["tents"]


async def test_it_is_one_run_the_other_way_round_too(index: Index) -> None:
    semantics = Semantics(index, index.read, here)
    await semantics.encoding("tents")()
    assert [match.text for match in await semantics.nearest("tents")()] == ["tents"]
    assert index.runs == ["tents"]


async def test_nothing_is_encoded_before_somebody_asks(index: Index) -> None:
    semantics = Semantics(index, index.read, here)
    semantics.nearest("tents")
    semantics.encoding("tents")
    assert index.runs == []


async def test_the_texts_asked_for_lately_are_remembered_and_no_more(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(semantic, "ENCODINGS_REMEMBERED", 2)
    semantics = Semantics(index, index.read, here)
    for text in ("a", "b", "a", "c", "a", "b"):
        await semantics.encoding(text)()
    assert index.runs == ["a", "b", "c", "b"]


async def test_what_is_known_at_once_needs_no_encoder(index: Index) -> None:
    index.known = ("tents",)
    semantics = Semantics(index, index.read, here)
    assert [match.label for match in await semantics.nearest("tents")()] == ["faq:known"]
    assert index.runs == []
    assert (await semantics.encoding("tents")()).vector[0] == 5
    assert index.runs == ["tents"]


async def test_the_encoder_reads_what_the_index_says(index: Index) -> None:
    semantics = Semantics(index, index.read, here)
    assert [match.label for match in await semantics.nearest("please tents")()] == ["faq:5"]
    assert index.runs == ["tents"]


class TurnWith:
    def __init__(self, *matches: tuple[str, float]) -> None:
        self._matches = [Match(label, confidence, "") for label, confidence in matches]

    async def nearest(self) -> Sequence[Match]:
        return self._matches


@pytest.mark.parametrize(
    ("matches", "found"),
    [
        ([("intent:thanks", 0.9), ("faq:a", 0.1)], ("thanks", 0.9)),
        ([("intent:thanks", 0.8)], ("thanks", 0.8)),
        ([("intent:thanks", 0.79)], None),
        ([("faq:a", 0.9), ("intent:thanks", 0.9)], None),
        ([("intent:oos", 0.9), ("intent:thanks", 0.9)], None),
        ([], None),
    ],
)
async def test_an_intent_counts_if_it_is_nearest_and_sure(
    matches: list[tuple[str, float]], found: tuple[str, float] | None
) -> None:
    assert await semantic.intent_of(0.8)(cast(Turn, TurnWith(*matches))) == found


async def test_no_word_is_remembered(index: Index) -> None:
    lately: semantic.Lately[int] = semantic.Lately(10)
    lately.put("Zacharias", 1)
    assert lately.get("Zacharias") == 1
    assert b"Zacharias" not in b"".join(lately._known)
    other: semantic.Lately[int] = semantic.Lately(10)
    other.put("Zacharias", 1)
    assert set(lately._known).isdisjoint(other._known)
