"""Slips of the fingers: a mistyped English word, a Chinese question that lost a character."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping

from nearside.glossary import render
from nearside.lexical import has_cjk, normalise

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?", re.ASCII)
_SHORTEST, _LONGEST = 4, 30
_LONG_CHINESE = 7
_ENDINGS = ("s", "es")


class Spelling:
    """`is_word` tells whether a lower-case English word is known outside the examples."""

    def __init__(self, texts: Iterable[str], is_word: Callable[[str], bool]) -> None:
        self._is_word = is_word
        self._known = Counter(word for text in texts for word in _WORD.findall(normalise(text)))
        self._near: dict[str, list[str]] = defaultdict(list)
        for word in self._known:
            if len(word) >= _SHORTEST:
                for form in {word, *_shortened(word)}:
                    self._near[form].append(word)

    def repair(self, text: str) -> str:
        """`text` itself if there is nothing to repair."""
        written = normalise(text)
        if all(map(self._is_known, _WORD.findall(written))):
            return text
        parted = written.split(" ")
        for place in range(len(parted) - 1):
            parted[place : place + 2] = self._parted(*parted[place : place + 2])
        repaired = _WORD.sub(lambda found: self._repaired(found.group()), " ".join(parted))
        return text if repaired == written else repaired

    def _parted(self, word: str, other: str) -> tuple[str, str]:
        """Two words between which the space slipped by one letter."""
        if self._is_strange(word) or self._is_strange(other):
            for first, second in ((word + other[:1], other[1:]), (word[:-1], word[-1:] + other)):
                if first in self._known and second.rstrip(".,:;!?") in self._known:
                    return first, second
        return word, other

    def _is_strange(self, word: str) -> bool:
        return _WORD.fullmatch(word) is not None and not self._is_known(word)

    def _repaired(self, word: str) -> str:
        if not _SHORTEST <= len(word) <= _LONGEST or self._is_known(word):
            return word
        candidates = {near for form in {word, *_shortened(word)} for near in self._near.get(form, ())}
        near = [candidate for candidate in candidates if _one_slip(word, candidate)]
        return max(near, key=lambda candidate: (self._known[candidate], candidate), default=word)

    def _is_known(self, word: str) -> bool:
        if word in self._known:
            return True
        stems = [word, *(word.removesuffix(ending) for ending in _ENDINGS if word.endswith(ending))]
        return any(stem in self._known or (len(stem) > 2 and self._is_word(stem)) for stem in stems)


class LostCharacter:
    """Labels of the examples that a Chinese question equals but for one character that it lacks."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        """`labels` by the fingerprint of an example."""
        self._labels: dict[str, set[str]] = defaultdict(set)
        self._unknown: dict[str, int] = {}
        for text, label in labels.items():
            for form in _shortened(text) if has_cjk(text) else ():
                self._labels[form].add(label)
                self._unknown[form] = min(render(text).unknown, self._unknown.get(form, len(text)))

    def label(self, text: str) -> str | None:
        """None too for a text that may well be meant as it stands: it is short and all of it can be read."""
        owners = self._labels.get(text, ())
        if len(owners) != 1 or (len(text) < _LONG_CHINESE and render(text).unknown <= self._unknown[text]):
            return None
        return next(iter(owners))


def _shortened(word: str) -> set[str]:
    return {word[:place] + word[place + 1 :] for place in range(len(word))}


def _one_slip(word: str, other: str) -> bool:
    """One letter lost, added or replaced, or two neighbours swapped; the first letter only when swapped."""
    if word[0] != other[0]:
        return word[:2] == other[1::-1] and word[2:] == other[2:]
    if len(word) != len(other):
        return min(word, other, key=len) in _shortened(max(word, other, key=len))
    wrong = [place for place in range(len(word)) if word[place] != other[place]]
    swapped = len(wrong) == 2 and wrong[1] == wrong[0] + 1 and word[wrong[0]] == other[wrong[1]]
    return len(wrong) == 1 or (swapped and word[wrong[1]] == other[wrong[0]])
