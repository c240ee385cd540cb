"""Lexical likeness: tf-idf cosines, and how much of a text a set of examples knows."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nearside.glossary import render
from nearside.lexical import char_ngrams, content_words, has_cjk, stem, words

_ELSEWHERE_FILE = Path(__file__).resolve().parent / "elsewhere.txt"
_NUMBER = "#"
_COUNTRY = "@"
_COUNTRIES = frozenset(
    stem(name)
    for name in """argentina australia austria belgium brazil britain bulgaria canada chile china croatia cyprus czechia
    denmark england estonia finland france germany greece hungary iceland india indonesia ireland israel italy japan
    korea latvia liechtenstein lithuania luxembourg malaysia malta mexico netherlands holland norway poland portugal
    romania russia scotland serbia singapore slovakia slovenia spain sweden switzerland taiwan thailand turkey uk
    ukraine usa vietnam wales""".split()
)
_RESEMBLANCE = 0.5  # share of a word's n-grams that must be known for it to count at all
_RESEMBLES = 0.8  # what it then counts at most


def content_terms(text: str) -> list[str]:
    """Distinct content words, Chinese as English where the glossary can; of a text without any, all its words."""
    mixed = render(text).mixed if has_cjk(text) else text
    return list(dict.fromkeys(_folded(word) for word in content_words(mixed) or words(text)))


def _folded(word: str) -> str:
    """Order numbers are all alike, and so are countries: what matters is that there is one."""
    if len(word) >= 3 and word.isdigit():
        return _NUMBER
    return _COUNTRY if word in _COUNTRIES else word


@cache
def elsewhere_nouns() -> tuple[str, ...]:
    """The nouns that make a question one for somebody else."""
    lines = _ELSEWHERE_FILE.read_text(encoding="utf-8").splitlines()
    return tuple(word for line in lines if not line.startswith("#") for word in line.split())


@cache
def elsewhere() -> frozenset[str]:
    """Their stems."""
    return frozenset(map(stem, elsewhere_nouns()))


class Postings:
    """A tf-idf matrix by term: a query's cosine with every row costs one addition per query term."""

    def __init__(self, rows: Sequence[Sequence[str]]) -> None:
        self._rows = len(rows)
        self._rarest = math.log(1 + len(rows))
        counts = [Counter(row) for row in rows]
        frequency = Counter(term for row in counts for term in row)
        self._idf = {term: math.log(1 + len(rows) / seen) for term, seen in frequency.items()}
        entries: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for index, row in enumerate(counts):
            for term, weight in self._weights(row).items():
                entries[term].append((index, weight))
        self._entries = {
            term: (np.array([row for row, _ in pairs]), np.array([w for _, w in pairs], dtype=np.float32))
            for term, pairs in entries.items()
        }

    def __contains__(self, term: str) -> bool:
        return term in self._idf

    def cosines(self, query: Iterable[str]) -> NDArray[np.float32]:
        scores = np.zeros(self._rows, dtype=np.float32)
        for term, weight in self._weights(Counter(query)).items():
            if term in self._entries:
                rows, weights = self._entries[term]
                scores[rows] += weights * np.float32(weight)
        return scores

    def rarity(self, term: str) -> float:
        return self._idf.get(term, self._rarest)

    def share(self, terms: Sequence[str], known: Iterable[float]) -> float:
        """Of the terms' rarity, the share that is known; each of `known` is 0 to 1."""
        weights = [self.rarity(term) for term in terms]
        total = sum(weights)
        return sum(w * k for w, k in zip(weights, known, strict=True)) / total if total else 0.0

    def _weights(self, counts: Counter[str]) -> dict[str, float]:
        weights = {term: (1 + math.log(count)) * self.rarity(term) for term, count in counts.items()}
        length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
        return {term: weight / length for term, weight in weights.items()}


class Vocabulary:
    """The words of some texts, and the character n-grams of those words."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._words: set[str] = set()
        self._grams: set[str] = set()
        for text in texts:
            self._words.update(content_terms(text))
        for word in self._words:
            self._grams.update(_grams(word))

    def has(self, word: str) -> bool:
        return word in self._words

    def knows(self, word: str) -> float:
        """1 for a known word, less for one that resembles known ones (an inflection, a typo, a compound)."""
        if word in self._words:
            return 1.0
        grams = _grams(word)
        share = sum(gram in self._grams for gram in grams) / len(grams) if grams else 0.0
        return _RESEMBLES * share if share >= _RESEMBLANCE else 0.0


def _grams(word: str) -> list[str]:
    return list(word) if has_cjk(word) else char_ngrams(word, (3,))
