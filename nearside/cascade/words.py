"""How much of a question's content the examples of a label know, word by word."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache

from nearside.lexical import char_ngrams, has_cjk
from nearside.postings import content_terms, elsewhere

_RESEMBLANCE = 0.5  # share of a word's n-grams that must be known for it to count at all
_RESEMBLES = 0.8  # what it then counts at most


def terms_of(question: str) -> tuple[str, ...]:
    return tuple(content_terms(question))


class LabelWords:
    """The content words of one label's examples."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        """`counts`: in how many examples each word stands."""
        self._counts = counts
        self._grams = Counter(gram for word in counts for gram in _grams(word))

    def has(self, word: str, own: Collection[str] = ()) -> bool:
        """`own`: the words of an example that does not count."""
        return self._counts.get(word, 0) > (word in own)

    def knows(self, word: str, own: Collection[str] = (), lost: Mapping[str, int] | None = None) -> float:
        """1 for a known word, less for one that resembles known ones (an inflection, a typo, a compound)."""
        if self.has(word, own):
            return 1.0
        grams = _grams(word)
        left = self._left(grams, lost) if lost else sum(map(self._grams.__contains__, grams))
        share = left / len(grams) if grams else 0.0
        return _RESEMBLES * share if share >= _RESEMBLANCE else 0.0

    def _left(self, grams: Iterable[str], lost: Mapping[str, int]) -> int:
        return sum(self._grams.get(gram, 0) > lost.get(gram, 0) for gram in grams)

    def lost(self, own: Iterable[str]) -> Counter[str]:
        """N-grams that only stand in words which are gone with an example."""
        return Counter(gram for word in own if self._counts.get(word, 0) == 1 for gram in _grams(word))


class Rarity:
    """Rare words count more; one that no example has counts most."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._weights, self._most = weights, max(weights.values(), default=1.0)

    def share(self, terms: Sequence[str], known: Iterable[float]) -> float:
        """Of the terms' rarity, the share that is known; each of `known` is 0 to 1."""
        weights = [self._weights.get(term, self._most) for term in terms]
        total = sum(weights)
        return sum(weight * part for weight, part in zip(weights, known, strict=True)) / total if total else 0.0


def covered(terms: Sequence[str], words: LabelWords, rarity: Rarity, own: Collection[str] = ()) -> float:
    """Share of the question's content that the label's examples know."""
    lost = words.lost(own) if own else None
    return rarity.share(terms, [words.knows(term, own, lost) for term in terms])


def answered(example: Sequence[str], terms: Sequence[str], rarity: Rarity, asked: LabelWords | None = None) -> float:
    """Share of an example's content that the question has. `asked`: the `question_words` of `terms`."""
    question = asked or question_words(terms)
    return rarity.share(example, map(question.knows, example))


def question_words(terms: Sequence[str]) -> LabelWords:
    return LabelWords(dict.fromkeys(terms, 1))


def strange(terms: Sequence[str], words: LabelWords, own: Collection[str] = ()) -> float:
    """Nouns of other trades that the label's examples lack."""
    return float(sum(term in elsewhere() and not words.has(term, own) for term in terms))


@lru_cache(maxsize=16384)
def _grams(word: str) -> tuple[str, ...]:
    return tuple(word) if has_cjk(word) else tuple(char_ngrams(word, (3,)))
