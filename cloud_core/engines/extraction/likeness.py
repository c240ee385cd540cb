"""Other words for the same: how near the encoder puts a word of the question to one of a line."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cloud_core.engines.extraction.asked import Asked
from cloud_core.engines.extraction.lines import Line
from nearside.encoder import TextEncoder
from nearside.lexical import is_stop_word, normalise, runs, stem

_UNRELATED, _SAME = 0.4, 0.8
_LEAST_LETTERS = 3
_MOST_WORDS = 8192


class Likeness:
    """Thread-safe. Remembers vectors of common English words only, so nothing that a tenant could be known by."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder
        self._vectors: dict[str, NDArray[np.float32]] = {}

    def of(self, asked: Asked, lines: Sequence[Line]) -> list[dict[str, float]]:
        """For each line, how much each word of the question has one in it, its heading or title: 0 to 1."""
        wanted = {stem(word): word for word in self._common(asked.text)}
        terms = [(term[0], wanted[term[0]]) for term in asked.terms if term[0] in wanted]
        if not terms:
            return [{} for _ in lines]
        held = [sorted({*self._common(line.words.raw), *self._common(line.context.raw)}) for line in lines]
        vectors = self._vectors_of({*wanted.values(), *(word for words in held for word in words)})
        asked_for = np.stack([vectors[word] for _, word in terms])
        return [self._nearest([name for name, _ in terms], asked_for, words, vectors) for words in held]

    def _nearest(
        self,
        names: Sequence[str],
        asked_for: NDArray[np.float32],
        words: Sequence[str],
        vectors: Mapping[str, NDArray[np.float32]],
    ) -> dict[str, float]:
        if not words:
            return {}
        cosines = (asked_for @ np.stack([vectors[word] for word in words]).T).max(axis=1)
        shares = np.clip((cosines - _UNRELATED) / (_SAME - _UNRELATED), 0.0, 1.0)
        return dict(zip(names, shares.tolist(), strict=True))

    def _common(self, text: str) -> list[str]:
        return [
            word
            for word in runs(normalise(text))
            if word.isascii()
            and word.isalpha()
            and len(word) >= _LEAST_LETTERS
            and not is_stop_word(word)
            and self._encoder.is_word(word)
        ]

    def _vectors_of(self, words: Iterable[str]) -> dict[str, NDArray[np.float32]]:
        known = self._vectors
        found = {word: known[word] for word in words if word in known}
        missing = sorted(set(words) - set(found))
        for word, encoding in zip(missing, self._encoder.encode_many(missing) if missing else (), strict=True):
            found[word] = encoding.vector
        self._vectors = {**(known if len(known) < _MOST_WORDS else {}), **found} if missing else known
        return found
