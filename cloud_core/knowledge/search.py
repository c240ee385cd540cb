"""The passages that a question asks for: by its words, by what they mean, and by what stands near what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cloud_core.knowledge import ranking
from cloud_core.knowledge.embedding import SentenceEncoder
from cloud_core.knowledge.everyday import EVERYDAY
from cloud_core.knowledge.index.filters import Filters
from cloud_core.knowledge.index.scoring import Scores, bm25, highest, live
from cloud_core.knowledge.index.snapshot import LANGS, Catalogue, Snapshot
from cloud_core.knowledge.index.topics import NAME as TOPICS
from cloud_core.knowledge.index.topics import topics_of
from cloud_core.knowledge.nearness import Nearness
from cloud_core.knowledge.queries import (
    CARRIED_WEIGHT,
    EVERYDAY_WEIGHT,
    Query,
    Term,
    forms_of,
    understand,
    weigh,
)
from cloud_core.knowledge.stores.base import MOST_UNKNOWN
from cloud_core.knowledge.synonyms import NAME as SYNONYMS
from cloud_core.knowledge.synonyms import NONE, Synonyms
from cloud_core.knowledge.synonyms import read as read_synonyms
from cloud_core.messages import HistoryItem, Lang, Passage
from nearside.errors import EngineError
from nearside.lexical import content_words, has_cjk, search_terms
from nearside.logs import failure, logger

LOG = logger("knowledge")

VARIANT_WEIGHT = 0.4
PAIR_WEIGHT = 0.2
TOPIC_WEIGHT = 0.8
_CANDIDATES = 400
_NEAR = 60
_READ = 50

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Found:
    """`passages` best first; `explanation` has, for each, what every list gave."""

    passages: tuple[Passage, ...]
    terms: tuple[Term, ...]
    explanation: tuple[Mapping[str, float], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Rows of the catalogue (m,) and what each list gives them, by the list's name: (m,) each."""

    rows: Rows
    lists: Mapping[str, Scores]
    total: Scores

    def best(self, limit: int) -> "Ranked":
        order = np.lexsort((self.rows, -self.total))[:limit]
        return Ranked(self.rows[order], {name: it[order] for name, it in self.lists.items()}, self.total[order])


def search(
    snapshot: Snapshot,
    encoder: SentenceEncoder | None,
    text: str,
    lang: Lang,
    limit: int = 8,
    history: Sequence[HistoryItem] = (),
    filters: Filters | None = None,
) -> Found:
    """Without an encoder, what it would add is missed. `filters` default to what everyone may see today."""
    catalogue = snapshot.catalogue
    query, synonyms = understand(text, history), _synonyms(snapshot)
    terms, lexical = _lexical(snapshot, query, synonyms)
    passing = (filters or Filters()).rows(catalogue)
    dense = _dense(snapshot, encoder, query, passing)
    ranked = _fused(snapshot, query, terms, lexical, dense, passing, lang).best(_READ)
    found = snapshot.passages([int(number) for number in catalogue.numbers[ranked.rows]])
    ranked = _by_nearness(ranked, catalogue, found, query, terms)
    return _found(catalogue, ranked, found, terms, limit)


def reads_chinese(encoder: SentenceEncoder) -> bool:
    """The shipped one has no such attribute."""
    return bool(getattr(encoder, "reads_chinese", False))


def _synonyms(snapshot: Snapshot) -> Synonyms:
    blob = snapshot.learned(SYNONYMS)
    if blob is None:
        return NONE
    memo = snapshot.catalogue.memo
    known = memo.get(SYNONYMS)
    if known is None or known[0] != blob:
        known = memo[SYNONYMS] = (blob, read_synonyms(blob.decode()))
    synonyms = known[1]
    assert isinstance(synonyms, Synonyms)
    return synonyms


def _lexical(snapshot: Snapshot, query: Query, synonyms: Synonyms) -> tuple[tuple[Term, ...], dict[str, Scores]]:
    """What each word of the question tells, and what each list of words gives (n,)."""
    forms = {form for word in (*query.words, *query.carried_words) for form in forms_of(word)}
    variants = {variant for form in forms for variant in synonyms.variants_of(form)}
    variants |= set(synonyms.phrases_in(query.text))
    asked = forms | {*query.search, *query.carried} | {term for variant in variants for term in search_terms(variant)}
    matches = live(snapshot.catalogue, snapshot.postings(sorted(asked | variants)))
    frequencies = {term: len(held.rows) for term, held in matches.items()}
    terms = tuple(weigh(query, len(snapshot.catalogue), frequencies, synonyms))
    own = {term.text for term in terms} | set(content_words(query.text))
    weighed = {
        "words": {term: _weight(term, own) for term in (*query.search, *own) if term not in query.carried},
        "synonyms": {
            term: VARIANT_WEIGHT * _weight(term, variants)
            for variant in variants
            for term in (variant, *search_terms(variant))
            if term not in own
        },
        "earlier": {term: CARRIED_WEIGHT * _weight(term, set(query.carried_words)) for term in query.carried},
    }
    return terms, {name: bm25(snapshot.catalogue, matches, weights) for name, weights in weighed.items() if weights}


def _weight(term: str, words: set[str]) -> float:
    if term not in words:
        return PAIR_WEIGHT
    return EVERYDAY_WEIGHT if term in EVERYDAY else 1.0


def _dense(
    snapshot: Snapshot, encoder: SentenceEncoder | None, query: Query, passing: NDArray[np.bool_] | None
) -> list[tuple[int, float]]:
    """Nothing where it would mislead: the shipped encoder has pieces for Chinese characters, but understands none."""
    text = " ".join((*query.carried_words, query.text))
    if encoder is None or (has_cjk(text) and not reads_chinese(encoder)):
        return []
    try:
        encoding = encoder.encode(text)
    except EngineError as error:  # a server's: the words alone still find most
        LOG.warning("question_not_encoded", error=failure(error))
        return []
    return snapshot.dense(encoding.vector, _NEAR, passing) if encoding.unknown_share <= MOST_UNKNOWN else []


def _fused(
    snapshot: Snapshot,
    query: Query,
    terms: Sequence[Term],
    lexical: Mapping[str, Scores],
    dense: Sequence[tuple[int, float]],
    passing: NDArray[np.bool_] | None,
    lang: Lang,
) -> Ranked:
    catalogue = snapshot.catalogue
    factors = _language_factors(catalogue, lang)
    total = np.zeros(len(catalogue), dtype=np.float32)
    for scores in lexical.values():
        total += scores
    if passing is not None:
        total *= passing
    best = max(float(total.max(initial=0.0)), 1e-6)
    near = {int(row): gain for row, gain in ranking.gains(catalogue, dense)}
    rows = np.union1d(highest(total * factors, _CANDIDATES), np.fromiter(near, np.int64, len(near)))
    lists: dict[str, Scores] = {name: scores[rows] / np.float32(best) for name, scores in lexical.items()}
    lists["meaning"] = np.array([near.get(int(row), 0.0) for row in rows], dtype=np.float32)
    lists["topics"] = _topical(snapshot, rows, terms)
    fused = np.sum(list(lists.values()), axis=0, dtype=np.float32)
    return Ranked(rows, lists | {"language": factors[rows]}, fused * factors[rows])


def _language_factors(catalogue: Catalogue, lang: Lang) -> Scores:
    key = ("language", lang)
    if key not in catalogue.memo:
        same = catalogue.langs == LANGS.index(lang)
        catalogue.memo[key] = np.where(same, 1.0, ranking.OTHER_LANGUAGE).astype(np.float32)
    factors: Scores = catalogue.memo[key]
    return factors


def _topical(snapshot: Snapshot, rows: Rows, terms: Sequence[Term]) -> Scores:
    topics = topics_of(snapshot.catalogue, snapshot.learned(TOPICS))
    vector = topics.vector([term.text for term in terms]) if topics else None
    if topics is None or vector is None:
        return np.zeros(len(rows), dtype=np.float32)
    cosines = topics.cosines(vector, snapshot.catalogue.numbers[rows])
    return np.float32(TOPIC_WEIGHT) * np.maximum(cosines, np.float32(0))


def _by_nearness(
    ranked: Ranked, catalogue: Catalogue, found: Mapping[int, Passage], query: Query, terms: Sequence[Term]
) -> Ranked:
    nearness = Nearness(query, terms)
    texts = [found[int(number)].text for number in catalogue.numbers[ranked.rows]]
    near = np.array([nearness.of(text) for text in texts], dtype=np.float32)
    total = ranked.total + near * ranked.lists["language"]
    return Ranked(ranked.rows, {**ranked.lists, "nearness": near}, total)


def _found(
    catalogue: Catalogue, ranked: Ranked, found: Mapping[int, Passage], terms: tuple[Term, ...], limit: int
) -> Found:
    numbers = catalogue.numbers[ranked.rows]
    scored = [
        replace(found[int(number)], score=float(score)) for number, score in zip(numbers, ranked.total, strict=True)
    ]
    order = sorted(range(len(scored)), key=lambda place: (-round(scored[place].score, 5), scored[place].passage_id))
    kept = ranking.without_duplicates([scored[place] for place in order], limit)
    places = {scored[place].passage_id: place for place in order}
    chosen = [places[passage.passage_id] for passage in kept]
    explanation = tuple({name: float(it[place]) for name, it in ranked.lists.items()} for place in chosen)
    return Found(tuple(kept), terms, explanation)
