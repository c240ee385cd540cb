"""Which approved question or intent does a text mean? Silent when unsure: a wrong answer is worse than none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from math import log1p
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nearside.asking import fingerprint, question_of
from nearside.confidence import ALMOST_CERTAIN, CERTAIN, WEIGHTS, Evidence, probability
from nearside.encoder import Encoding, TextEncoder
from nearside.labelling import RECIPE, LabelModel
from nearside.lexical import char_ngrams, has_cjk, language_of, normalise
from nearside.postings import Postings, Vocabulary, content_terms, elsewhere
from nearside.spelling import LostCharacter, Spelling
from nearside.vectors import encode_cached, read_weights, write_weights

Floats = NDArray[np.float32]

UNKNOWN_LIMIT = 0.5  # above it a vector says nothing about its text
_MEANING, _WORDS, _WORDING = np.float32(0.7), np.float32(0.15), np.float32(0.15)


@dataclass(frozen=True, slots=True)
class Example:
    label: str
    text: str
    lang: str


@dataclass(frozen=True, slots=True)
class Match:
    label: str
    confidence: float
    """How probable it is that `label` is meant, 0 to 1."""
    text: str
    """The nearest example of the label."""


class Index(Protocol):
    """What a text is looked up in; every confidence is the probability of being right."""

    def at_once(self, text: str) -> list[Match] | None:
        """In microseconds, best first; None where the encoder has to be asked."""
        ...

    def reading(self, text: str) -> str:
        """What the encoder has to read of it."""
        ...

    def look_up(self, text: str, encoding: Encoding, limit: int) -> list[Match]:
        """Best first; `encoding` is that of what is to be read of `text`."""
        ...


@dataclass(frozen=True, slots=True)
class _Likeness:
    """Of one text to every example."""

    meaning: Floats
    words: Floats
    wording: Floats

    @property
    def blended(self) -> Floats:
        blend: Floats = _MEANING * self.meaning + _WORDS * self.words + _WORDING * self.wording
        return blend


class NearestIndex:
    def __init__(
        self,
        examples: Sequence[Example],
        encodings: Sequence[Encoding],
        encoder: TextEncoder,
        models: Path | None = None,
    ) -> None:
        """`encodings` are those of the examples' questions (see `question_of`); `models` keeps the trained model."""
        order = sorted(range(len(examples)), key=lambda index: examples[index].label)
        self._encoder = encoder
        self._examples = [examples[index] for index in order]
        self._vectors = np.array([_readable(encodings[index]) for index in order], dtype=np.float32)
        self._groups = _groups([example.label for example in self._examples])
        questions = [question_of(example.text) for example in self._examples]
        self._contents = [content_terms(question) for question in questions]
        self._words = Postings(self._contents)
        self._grams = Postings([_grams(*both) for both in zip(questions, self._contents, strict=True)])
        self._known = [Vocabulary(questions[row] for row in group) for group in self._groups]
        self._spelling = Spelling(questions, encoder.is_word)
        self._by_text, self._by_question = self._unambiguous(normalise), self._unambiguous(fingerprint)
        self._shortened = LostCharacter(self._by_question)
        self._model = self._kept_model(questions, models) or self._train(questions, models)

    @classmethod
    def build(cls, examples: Sequence[Example], encoder: TextEncoder, cache: Path | None = None) -> "NearestIndex":
        """`cache` keeps the vectors, and a file beside it the model; they may be missing, older or damaged."""
        questions = [question_of(example.text) for example in examples]
        models = cache.with_suffix(".model.npz") if cache else None
        return cls(examples, encode_cached(questions, encoder, cache), encoder, models)

    def query(self, text: str, encoding: Encoding | None = None, limit: int = 3) -> list[Match]:
        """The best labels, best first. `encoding` is that of `text`, where it is known."""
        question = self._question(text)
        if encoding is None or question != text:
            encoding = self._encoder.encode(question)
        return self._matches(text, question, encoding, limit)

    def at_once(self, text: str) -> list[Match] | None:
        """Nothing is sure before the encoder has read it."""
        return None

    def reading(self, text: str) -> str:
        """The question in `text`, which is what `look_up` wants the encoding of."""
        return self._question(text)

    def look_up(self, text: str, encoding: Encoding, limit: int = 3) -> list[Match]:
        """As `query`."""
        return self._matches(text, self._question(text), encoding, limit)

    def _question(self, text: str) -> str:
        return self._spelling.repair(question_of(text))

    def _matches(self, text: str, question: str, encoding: Encoding, limit: int) -> list[Match]:
        weights = _weights(question, encoding)
        same, sure = self._same(text, question)
        matches = []
        for example, evidence in self.weigh(question, encoding, limit):
            confidence = max(probability(evidence, weights), sure if example.label == same else 0.0)
            matches.append(Match(example.label, confidence, example.text))
        return sorted(matches, key=lambda match: -match.confidence)

    def weigh(self, question: str, encoding: Encoding, limit: int) -> list[tuple[Example, Evidence]]:
        """The labels with the best scores: the nearest example of each, and what speaks for the label."""
        terms = content_terms(question)
        if not self._examples or not terms:
            return []
        likeness = self._likeness(question, terms, _readable(encoding))
        blended = likeness.blended
        scores = self._model.scores(blended)
        found = []
        for place in map(int, np.argsort(-scores, kind="stable")[:limit]):
            group = slice(self._groups[place].start, self._groups[place].stop)
            row = group.start + int(np.argmax(blended[group]))
            evidence = Evidence(
                score=float(scores[place]),
                margin=float(scores[place] - np.delete(scores, place).max(initial=0.0)),
                likeness=float(blended[row]),
                meaning=float(likeness.meaning[group].max()),
                wording=float(likeness.wording[group].max()),
                covered=self._words.share(terms, map(self._known[place].knows, terms)),
                answered=self._answered(row, terms),
                elsewhere=float(sum(term in elsewhere() and not self._known[place].has(term) for term in terms)),
                length=log1p(len(terms)),
            )
            found.append((self._examples[row], evidence))
        return found

    def _likeness(self, question: str, terms: Sequence[str], vector: Floats) -> _Likeness:
        return _Likeness(
            self._vectors @ vector, self._words.cosines(terms), self._grams.cosines(_grams(question, terms))
        )

    def _answered(self, row: int, terms: Sequence[str]) -> float:
        wanted = self._contents[row]
        question = Vocabulary(terms)
        return self._words.share(wanted, map(question.knows, wanted))

    def _kept_model(self, questions: Sequence[str], models: Path | None) -> LabelModel | None:
        weights = read_weights(models, self._recipe(questions)) if models else None
        return None if weights is None or len(weights) != len(questions) else LabelModel(weights)

    def _train(self, questions: Sequence[str], models: Path | None) -> LabelModel:
        rows = [
            self._likeness(question, terms, vector).blended
            for question, terms, vector in zip(questions, self._contents, self._vectors, strict=True)
        ]
        places = [place for place, group in enumerate(self._groups) for _ in group]
        size = len(questions)
        likeness = np.array(rows, dtype=np.float32).reshape(size, size)
        model = LabelModel.train(likeness, np.array(places, dtype=np.int64))
        if models:
            write_weights(models, self._recipe(questions), model.weights)
        return model

    def _recipe(self, questions: Sequence[str]) -> str:
        """What the model is made of: the same gives the same."""
        labels = [example.label for example in self._examples]
        said = repr((RECIPE, self._encoder.fingerprint, labels, list(questions)))
        return sha256(said.encode("utf-8", "replace")).hexdigest()

    def _same(self, text: str, question: str) -> tuple[str | None, float]:
        """The label of the example that the text as good as equals, and how sure that is."""
        key = fingerprint(question)
        same = self._by_text.get(normalise(text)) or self._by_question.get(key)
        return (same, CERTAIN) if same else (self._shortened.label(key), ALMOST_CERTAIN)

    def _unambiguous(self, key: Callable[[str], str]) -> dict[str, str]:
        labels: dict[str, set[str]] = {}
        for example in self._examples:
            labels.setdefault(key(example.text), set()).add(example.label)
        return {text: next(iter(owners)) for text, owners in labels.items() if text and len(owners) == 1}


def _weights(text: str, encoding: Encoding) -> Sequence[float]:
    if encoding.unknown_share > UNKNOWN_LIMIT:
        return WEIGHTS["unread"]
    return WEIGHTS[language_of(text)]


def _grams(question: str, terms: Sequence[str]) -> list[str]:
    """Of Chinese also the characters as they were written: the glossary loses some."""
    grams = char_ngrams(" ".join(terms), (3, 4))
    return grams + char_ngrams(question, (1, 2, 3)) if has_cjk(question) else grams


def _readable(encoding: Encoding) -> Floats:
    """What the model could not read is zero, so that it resembles nothing."""
    return encoding.vector if encoding.unknown_share <= UNKNOWN_LIMIT else np.zeros_like(encoding.vector)


def _groups(labels: Sequence[str]) -> list[range]:
    """The rows of each label; equal labels are neighbours."""
    starts = [row for row, label in enumerate(labels) if row == 0 or labels[row - 1] != label]
    return [range(start, stop) for start, stop in pairwise([*starts, len(labels)])]
