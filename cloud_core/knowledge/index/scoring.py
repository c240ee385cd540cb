"""BM25 over fields: a match in a title or heading counts more than one in the text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from cloud_core.knowledge.index.postings import Postings
from cloud_core.knowledge.index.snapshot import Catalogue
from cloud_core.knowledge.queries import idf

FIELD_WEIGHTS = (2.0, 2.0, 1.0)
_SATURATION = 1.2
_LENGTH = 0.6
_MOST_SCORED = 150_000
_LEAST_TERMS = 2
_REFINED = 2_000
_SHARES = (0.6, 0.4, 0.2, 0.1, 0.0)

Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """The live passages that hold a term: `rows` (m,) of the catalogue, `counts` (m, 3) per field."""

    rows: NDArray[np.int64]
    counts: NDArray[np.uint8]


def live(catalogue: Catalogue, postings: Mapping[str, Postings]) -> dict[str, Matches]:
    """Terms that no live passage holds are left out."""
    found = {}
    for term, held in postings.items():
        rows = catalogue.rows(held.numbers)
        kept = rows >= 0
        if kept.all():
            found[term] = Matches(rows, held.counts)
        elif kept.any():
            found[term] = Matches(rows[kept], held.counts[kept])
    return found


def bm25(catalogue: Catalogue, matches: Mapping[str, Matches], weights: Mapping[str, float]) -> Scores:
    """(n,). Rarest terms first; once many rows are scored, frequent ones only reorder the best."""
    scores = np.zeros(len(catalogue), dtype=np.float32)
    scored, best = 0, None
    known = sorted((len(matches[term].rows), term) for term in weights if term in matches)
    for place, (frequency, term) in enumerate(known):
        weight = weights[term] * idf(len(catalogue), frequency)
        held = matches[term]
        if place >= _LEAST_TERMS and scored + frequency > _MOST_SCORED:
            best = _refined(scores) if best is None else best
            held = _only(held, best)
        scored += frequency
        scores[held.rows] += np.float32(weight) * _saturated(catalogue, held)
    return scores


def highest(scores: Scores, limit: int) -> NDArray[np.int64]:
    """At most `limit` rows that score more than 0, best first."""
    best = float(scores.max(initial=0.0))
    for share in _SHARES:
        rows = np.flatnonzero(scores > share * best)
        if len(rows) >= limit:
            break
    return rows[np.lexsort((rows, -scores[rows]))][:limit]


def _refined(scores: Scores) -> NDArray[np.int64]:
    return np.sort(highest(scores, _REFINED))


def _only(held: Matches, rows: NDArray[np.int64]) -> Matches:
    places = np.minimum(np.searchsorted(held.rows, rows), len(held.rows) - 1)
    places = places[held.rows[places] == rows]
    return Matches(held.rows[places], held.counts[places])


def _saturated(catalogue: Catalogue, held: Matches) -> Scores:
    """(m,): grows with the occurrences, from 0 towards 1 + saturation."""
    often = np.zeros(len(held.rows), dtype=np.float32)
    for field, factors in enumerate(_factors(catalogue)):
        counts = held.counts[:, field]
        if counts.any():
            often += counts * factors[held.rows]
    return often * np.float32(_SATURATION + 1) / (often + np.float32(_SATURATION))


def _factors(catalogue: Catalogue) -> Sequence[Scores]:
    """Per field (n,): what one occurrence counts; less in a long text."""
    if "factors" not in catalogue.memo:
        relative = catalogue.lengths.astype(np.float32) / catalogue.mean_lengths
        factors = np.asarray(FIELD_WEIGHTS, dtype=np.float32) / (1 - _LENGTH + _LENGTH * relative)
        catalogue.memo["factors"] = tuple(np.ascontiguousarray(factors[:, field]) for field in range(factors.shape[1]))
    return cast(Sequence[Scores], catalogue.memo["factors"])
