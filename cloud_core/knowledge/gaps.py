"""Questions that found no answer, alike ones together: a to-do list for those who write the documents."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import csr_array

from cloud_core.knowledge.stores.base import Gap
from cloud_core.messages import Lang
from nearside.lexical import char_ngrams, content_words, has_cjk, words

ALIKE = 0.3
"""Cosine from which questions are one, on average over the group."""
SHOWN = 5
_GRAM_WEIGHT = 0.3
_FEW = 50  # questions, among which being rare says little
_SIZES = (2, 3)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Topic:
    """`example` is the question most like all others; `questions` are up to five different ones, it among them."""

    count: int
    example: str
    lang: Lang
    first_at: str
    last_at: str
    questions: tuple[str, ...]


def topics_of(gaps: Sequence[Gap]) -> list[Topic]:
    """Most frequent first, then the newest. Compares each with each: for some thousands."""
    topics = [topic for lang in sorted({gap.lang for gap in gaps}) for topic in _grouped(gaps, lang)]
    newest = sorted(topics, key=lambda topic: topic.last_at, reverse=True)
    return sorted(newest, key=lambda topic: -topic.count)


def _grouped(gaps: Sequence[Gap], lang: Lang) -> list[Topic]:
    by_question: dict[str, list[Gap]] = {}
    for gap in gaps:
        if gap.lang == lang:
            by_question.setdefault(gap.question, []).append(gap)
    asked = list(by_question.values())
    likeness = _likeness(list(by_question))
    held: dict[int, list[int]] = {}
    for place, group in enumerate(_groups(likeness)):
        held.setdefault(int(group), []).append(place)
    return [_topic([asked[at] for at in places], likeness[np.ix_(places, places)]) for places in held.values()]


def _topic(asked: Sequence[Sequence[Gap]], likeness: Floats) -> Topic:
    """`asked`: by question, each time that it was."""
    central = likeness @ np.array([len(times) for times in asked], dtype=np.float64)
    ordered = tuple(asked[at][0].question for at in np.argsort(-central, kind="stable"))
    noted = [gap.noted_at for times in asked for gap in times]
    return Topic(len(noted), ordered[0], asked[0][0].lang, min(noted), max(noted), ordered[:SHOWN])


def _groups(likeness: Floats) -> Sequence[int]:
    """A number for each."""
    count = len(likeness)
    if count < 2:
        return [0] * count
    distances = 1.0 - likeness[np.triu_indices(count, 1)]
    groups: Sequence[int] = fcluster(linkage(np.maximum(distances, 0.0), "average"), 1.0 - ALIKE, "distance")
    return groups


def _likeness(texts: Sequence[str]) -> Floats:
    """(n, n): cosines of their words and parts of words; rare ones tell more."""
    features = [_features(text) for text in texts]
    holders = Counter(feature for one in features for feature in one)
    places = {feature: place for place, feature in enumerate(holders)}
    rows = np.repeat(np.arange(len(texts)), [len(one) for one in features])
    columns = [places[feature] for one in features for feature in one]
    rarity = {feature: math.log(1.0 + (len(texts) + _FEW) / (held + 1)) for feature, held in holders.items()}
    values = [weight * rarity[feature] for one in features for feature, weight in one.items()]
    matrix = csr_array((values, (rows, columns)), shape=(len(texts), max(1, len(places))))
    lengths = np.sqrt(matrix.multiply(matrix).sum(axis=1))
    cosines: Floats = (matrix @ matrix.T).toarray() / np.maximum(np.outer(lengths, lengths), 1e-12)
    return cosines


def _features(text: str) -> dict[tuple[str, bool], float]:
    """By (word or part of one, whether it is a part)."""
    told = content_words(text) or words(text)
    parts = char_ngrams(text, _SIZES) if has_cjk(text) else char_ngrams(" ".join(told), _SIZES)
    return {(part, True): _GRAM_WEIGHT for part in parts} | {(word, False): 1.0 for word in told}
