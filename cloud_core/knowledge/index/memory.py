"""A snapshot of passages that are nowhere stored: for tests, and to measure search on a folder of files."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cloud_core.knowledge.index import topics
from cloud_core.knowledge.index.postings import Postings, build
from cloud_core.knowledge.index.snapshot import LANGS, About, Catalogue
from cloud_core.messages import Passage

_NO_ABOUT: Mapping[str, About] = {}
_NOTHING: Mapping[str, bytes] = {}


class MemorySnapshot:
    """Passages get the numbers 1, 2, … in their order, which is also their order in their documents."""

    version = "1"

    def __init__(
        self,
        passages: Sequence[Passage],
        about: Mapping[str, About] = _NO_ABOUT,
        learned: Mapping[str, bytes] = _NOTHING,
    ) -> None:
        """`about` by document id."""
        self._passages, self._learned = tuple(passages), dict(learned)
        self._index = build(
            (number, (one.title, one.heading, one.text)) for number, one in enumerate(self._passages, start=1)
        )
        self.catalogue = _catalogue(self._passages, about, self._index.lengths)
        self.put_vectors({})

    def put_vectors(self, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """(d,) each, by passage id; `dense` leaves out passages without."""
        known = [(row, vectors[one.passage_id]) for row, one in enumerate(self._passages) if one.passage_id in vectors]
        self._rows = np.array([row for row, _ in known], dtype=np.int64)
        self._matrix = np.array([vector for _, vector in known], dtype=np.float32)

    def learn(self) -> None:
        """As publishing does."""
        blob = topics.learn([self._index], self.catalogue.numbers)
        if blob is not None:
            self._learned[topics.NAME] = blob

    def postings(self, terms: Sequence[str]) -> dict[str, Postings]:
        return {term: self._index.postings[term] for term in terms if term in self._index.postings}

    def dense(
        self, vector: NDArray[np.float32], limit: int, among: NDArray[np.bool_] | None = None
    ) -> list[tuple[int, float]]:
        if not len(self._rows):
            return []
        cosines = self._matrix @ vector
        if among is not None:
            cosines = np.where(among[self._rows], cosines, -np.inf)
        best = np.argsort(-cosines, kind="stable")[:limit]
        return [(int(self._rows[place]) + 1, float(cosines[place])) for place in best if cosines[place] > -np.inf]

    def passages(self, numbers: Sequence[int]) -> dict[int, Passage]:
        return {number: self._passages[number - 1] for number in numbers}

    def learned(self, name: str) -> bytes | None:
        return self._learned.get(name)


def _catalogue(passages: Sequence[Passage], about: Mapping[str, About], lengths: NDArray[np.uint16]) -> Catalogue:
    documents: dict[str, int] = {}
    sizes: list[int] = []
    places, positions = [], []
    for passage in passages:
        place = documents.setdefault(passage.document_id, len(documents))
        if place == len(sizes):
            sizes.append(0)
        places.append(place)
        positions.append(sizes[place])
        sizes[place] += 1
    return Catalogue(
        numbers=np.arange(1, len(passages) + 1, dtype=np.int64),
        lengths=lengths,
        langs=np.array([LANGS.index(passage.lang) for passage in passages], dtype=np.uint8),
        documents=np.array(places, dtype=np.int32),
        positions=np.array(positions, dtype=np.int32),
        about=tuple(about.get(document_id, About(document_id)) for document_id in documents),
    )
