"""Passages in English and Chinese that nobody wrote: words drawn as often as in real text, and vectors in clusters."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cloud_core.knowledge.stores.base import DocumentInfo, Entry, Vector
from cloud_core.messages import Lang
from nearside.encoder import DIMENSIONS, Encoding
from nearside.glossary import entries

PER_DOCUMENT = 50
WORDS = 30_000
OWN_WORDS, OWN_SHARE = 40, 0.3
"""A document keeps coming back to so many words: they are this share of what it says."""
CLUSTERS, SPREAD = 1_000, 0.6
_SENTENCE = 12
_SMALL: dict[Lang, tuple[str, ...]] = {
    "en": ("the", "of", "and", "to", "a", "in", "is", "for", "you", "that", "it", "with", "on", "be", "are", "or"),
    "zh": ("的", "是", "在", "了", "和", "有", "您", "我们", "可以", "也", "请", "就", "都", "与", "如果", "需要"),
}
_SPACE: dict[Lang, str] = {"en": " ", "zh": ""}
_STOP: dict[Lang, str] = {"en": ". ", "zh": "。"}
_ONSETS = ("b", "br", "c", "cl", "d", "dr", "f", "g", "h", "k", "l", "m", "n", "p", "qu", "r", "s", "st", "t", "tr")
_RHYMES = ("a", "ack", "ane", "ar", "ell", "en", "er", "ick", "in", "ire", "oat", "old", "on", "or", "um", "und")

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """`words` (n,), the most frequent first; `until` (n,): the share of all that is said up to each word."""

    lang: Lang
    words: tuple[str, ...]
    until: NDArray[np.float64]

    @classmethod
    def of(cls, lang: Lang) -> "Vocabulary":
        """Small words, then those of the glossary, then made-up ones; by Zipf's law."""
        words = tuple(islice(_words(lang), WORDS))
        shares = 1 / (np.arange(len(words)) + 2.7)
        return cls(lang, words, np.cumsum(shares / shares.sum()))

    def document(self, random: np.random.Generator, passages: int, length: int) -> list[str]:
        """Texts of `length` words each, about one subject."""
        drawn = self._drawn(random, passages * length)
        subject = self._drawn(random, OWN_WORDS)
        own = random.random(len(drawn)) < OWN_SHARE
        drawn[own] = random.choice(subject, int(own.sum()))
        return [self._text(part) for part in np.split(drawn, passages)]

    def _drawn(self, random: np.random.Generator, count: int) -> NDArray[np.int64]:
        return np.minimum(np.searchsorted(self.until, random.random(count)), len(self.words) - 1)

    def _text(self, places: NDArray[np.int64]) -> str:
        words = [self.words[place] for place in places]
        space, stop = _SPACE[self.lang], _STOP[self.lang]
        parts = [space.join(words[start : start + _SENTENCE]) for start in range(0, len(words), _SENTENCE)]
        return stop.join(parts) + stop.rstrip()


class Written(NamedTuple):
    """A document; `texts` are its passages."""

    document_id: str
    lang: Lang
    title: str
    texts: Sequence[str]

    @property
    def about(self) -> DocumentInfo:
        return DocumentInfo(self.document_id, self.title, self.document_id, self.lang, "2026-01-01T00:00:00+00:00")

    def entries(self, vectors: Halves) -> list[Entry]:
        """`vectors`: one for each passage."""
        return [
            Entry(f"{self.document_id}#{place}", "", text, self.lang, Vector(vector, 0.0))
            for place, (text, vector) in enumerate(zip(self.texts, vectors, strict=True))
        ]


class MadeUp:
    """As `SentenceEncoder`: some vector for a text, the same each time; in no time."""

    fingerprint = "made up"
    reads_chinese = True

    def __init__(self, seed: int) -> None:
        self._known = vectors(2_000, seed).astype(np.float32)

    def encode(self, text: str) -> Encoding:
        vector = self._known[zlib.crc32(text.encode()) % len(self._known)]
        return Encoding(vector, 0.0, vector)

    def encode_many(self, texts: Sequence[str]) -> list[Encoding]:
        return [self.encode(text) for text in texts]


def documents(passages: int, length: int, seed: int = 1) -> Iterator[Written]:
    """As many passages in all, in turn English and Chinese; `length` is in words."""
    random = np.random.default_rng(seed)
    langs = [Vocabulary.of("en"), Vocabulary.of("zh")]
    for start in range(0, passages, PER_DOCUMENT):
        vocabulary = langs[start // PER_DOCUMENT % 2]
        texts = vocabulary.document(random, min(PER_DOCUMENT, passages - start), length)
        title = vocabulary.document(random, 1, 4)[0]
        yield Written(f"{start // PER_DOCUMENT:06}.md", vocabulary.lang, title, texts)


def questions(written: Sequence[Written], count: int, seed: int = 2) -> list[tuple[str, Lang]]:
    """Five neighbouring words of a passage each, with what customers write around them."""
    random = np.random.default_rng(seed)
    asked: list[tuple[str, Lang]] = []
    for place in random.integers(0, len(written), count):
        one = written[place]
        text = one.texts[random.integers(0, len(one.texts))]
        if one.lang == "zh":
            start = int(random.integers(0, max(len(text) - 10, 1)))
            asked.append((f"请问{text[start : start + 10]}怎么办理", "zh"))
        else:
            words = text.split()
            start = int(random.integers(0, max(len(words) - 5, 1)))
            asked.append((f"how do I get {' '.join(words[start : start + 5])}", "en"))
    return asked


def vectors(count: int, seed: int) -> Halves:
    """(n, 384) of length 1 around the same centres for every seed; spread evenly there, which is hard to search."""
    centres = np.random.default_rng(0).standard_normal((CLUSTERS, DIMENSIONS), dtype=np.float32)
    random = np.random.default_rng(seed)
    drawn = centres[random.integers(0, CLUSTERS, count)]
    drawn += np.float32(SPREAD) * random.standard_normal((count, DIMENSIONS), dtype=np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    halved: Halves = drawn.astype(np.float16)
    return halved


def _words(lang: Lang) -> Iterator[str]:
    random, seen = np.random.default_rng(3), set(_SMALL[lang])
    yield from _SMALL[lang]
    known = (
        sorted(entries()) if lang == "zh" else sorted({word for text in entries().values() for word in text.split()})
    )
    characters = sorted({character for word in entries() for character in word})
    ours = [known[place] for place in random.permutation(len(known))]
    while True:
        for word in ours:
            if word not in seen:
                seen.add(word)
                yield word
        ours = [_made_up(lang, random, characters) for _ in range(WORDS)]


def _made_up(lang: Lang, random: np.random.Generator, characters: Sequence[str]) -> str:
    if lang == "zh":
        return "".join(characters[place] for place in random.integers(0, len(characters), random.integers(2, 4)))
    places = random.integers(0, (len(_ONSETS), len(_RHYMES)), (int(random.integers(2, 4)), 2))
    return "".join(_ONSETS[onset] + _RHYMES[rhyme] for onset, rhyme in places)
