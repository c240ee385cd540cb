"""How close together the words of a question stand in a passage, and how much of its wording is there."""

import re
import unicodedata
from collections.abc import Sequence

from cloud_core.knowledge.queries import Query, Term
from nearside.lexical import has_cjk, normalise, runs, stem

NEAR_WEIGHT = 0.3
WORDING_WEIGHT = 1.0
_WINDOW = 90  # characters of an alphabet
_CHINESE_WINDOW = 50
_GRAMS = (3, 4, 5)
_MOST_GRAMS = 300
_WORDS = re.compile(r"[^\W_]+(?:[.,:]\d+)*")


class Nearness:
    """Of one question, for many passages."""

    def __init__(self, query: Query, terms: Sequence[Term]) -> None:
        own = set(query.words)
        self._weights = {term.text: term.weight for term in terms if term.text in own or not query.carried_words}
        self._total = sum(self._weights.values())
        self._chinese = [word for word in self._weights if has_cjk(word)]
        self._others = {word for word in self._weights if not has_cjk(word)}
        self._window = _CHINESE_WINDOW if self._chinese else _WINDOW
        self._grams = _grams(normalise(query.text))

    def of(self, text: str) -> float:
        folded = unicodedata.normalize("NFKC", text).casefold()
        return NEAR_WEIGHT * self._closest(folded) + WORDING_WEIGHT * self._shared(folded)

    def _closest(self, folded: str) -> float:
        """The share of the question's words, by weight, in the stretch that holds most of it."""
        hits = sorted(self._hits(folded))
        best = 0.0
        for start in range(len(hits)):
            seen: dict[str, float] = {}
            for place, word in hits[start:]:
                if place - hits[start][0] > self._window:
                    break
                seen[word] = self._weights[word]
            best = max(best, sum(seen.values()))
        return best / self._total if self._total else 0.0

    def _hits(self, folded: str) -> list[tuple[int, str]]:
        hits = [(found.start(), word) for word in self._chinese for found in re.finditer(re.escape(word), folded)]
        if self._others:
            for found in _WORDS.finditer(folded):
                word = stem(found.group())
                if word in self._others:
                    hits.append((found.start(), word))
        return hits

    def _shared(self, folded: str) -> float:
        return sum(gram in folded for gram in self._grams) / len(self._grams) if self._grams else 0.0


def _grams(folded: str) -> tuple[str, ...]:
    """Of Chinese, three to five characters; of an alphabet, two words in a row."""
    grams: dict[str, None] = {}
    stretches = runs(folded)
    for run in stretches:
        if has_cjk(run):
            grams |= dict.fromkeys(run[at : at + size] for size in _GRAMS for at in range(len(run) - size + 1))
    grams |= dict.fromkeys(
        f"{one} {other}" for one, other in zip(stretches, stretches[1:], strict=False) if not has_cjk(one + other)
    )
    return tuple(grams)[:_MOST_GRAMS]
