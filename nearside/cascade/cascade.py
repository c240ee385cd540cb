"""Which approved question or intent does a text mean? Two trained stages, silent when unsure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log1p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearside.asking import fingerprint, question_of
from nearside.cascade.evidence import Evidence, QuickEvidence, confidence, margins, probability, quick_features
from nearside.cascade.grams import Table, Weighed
from nearside.cascade.stages import Kernel, Linear, Space, Vectors
from nearside.cascade.texts import key, unpacked
from nearside.cascade.wording import Terms, Wording
from nearside.cascade.words import LabelWords, Rarity, answered, covered, question_words, strange, terms_of
from nearside.confidence import ALMOST_CERTAIN, CERTAIN
from nearside.encoder import DIMENSIONS, Encoding, TextEncoder
from nearside.errors import ModelError
from nearside.lexical import has_cjk, language_of, normalise
from nearside.nearest import UNKNOWN_LIMIT, Match
from nearside.spelling import LostCharacter, Spelling

Floats = NDArray[np.float32]
Arrays = Mapping[str, NDArray[Any]]
_Glance = tuple[Weighed, Floats]
"""A text's n-grams, and the labels' scores of stage one."""

FORMAT = 2
TEXT, QUESTION = "t ", "q "
"""What a key begins with: that of a normalised text, that of a question's fingerprint."""
NEAREST = 3
"""Of a label's examples, so many of the nearest are compared in wording."""
LEAST_ONE = -1.0
"""Of stage one, the score of a label that there is not."""
_GLANCES = 128
"""Texts between the stages, of which it is kept what stage one found."""
_BUILD_AGAIN = "build the pack again with this release"
_MOST_CHINESE = 3_000
"""Examples; beyond it a Chinese question that lost a character is not looked for: it takes too long to prepare."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question, and what is found of it. `cosines`: (examples,); `scores`, `one` and their margins: (labels,)."""

    terms: tuple[str, ...]
    words: LabelWords
    weighed: Weighed
    encoding: Encoding
    is_unread: bool
    is_chinese: bool
    cosines: Floats
    scores: Floats
    margins: Floats
    one: Floats
    one_margins: Floats
    outside: float


class Cascade:
    """Of one tenant; made by `load` from what `cloud_core.tuning.train` gives. Thread-safe."""

    threshold: float
    """The confidence from which on as many answers are right as the tenant wants."""

    def __init__(self, arrays: Arrays, meta: Mapping[str, Any], encoder: TextEncoder) -> None:
        self.threshold = float(meta["threshold"])
        self._labels: list[str] = list(meta["labels"])
        self._outside = np.array([name in meta["outside"] for name in self._labels])
        self._weights, self._quick_weights = list(meta["weights"]), list(meta["quick_weights"])
        self._sure = float(meta["sure"])
        self._texts = unpacked(arrays["texts"], arrays["text_ends"])
        self._starts = np.asarray(arrays["label_starts"], dtype=np.int64)
        self._table = Table(arrays["buckets"].astype(np.int64), arrays["rarity"].astype(np.float32))
        self._one = Linear(arrays["one_weights"], arrays["one_scale"], arrays["one_bias"])
        self._two = Linear(arrays["two_weights"], arrays["two_scale"], np.zeros(len(self._labels), np.float32))
        self._space = Space(
            arrays["centre"].astype(np.float32), arrays["projection"].astype(np.float32), is_whole=meta["is_whole"]
        )
        self._vectors = Vectors(arrays["vectors"], meta["vector_scale"])
        points, coefficients = arrays["points"].astype(np.float32), arrays["coefficients"].astype(np.float32)
        self._nowhere = np.zeros(points.shape[1], dtype=np.float32)
        self._kernel = Kernel(points, coefficients, meta["sharpness"])
        self._exact = dict(zip(arrays["exact_keys"].tolist(), arrays["exact_labels"].tolist(), strict=True))
        terms = unpacked(arrays["terms"], arrays["term_ends"])
        self._words = _words(terms, arrays)
        self._rarity = Rarity(dict(zip(terms, arrays["term_rarity"].tolist(), strict=True)))
        self._terms = Terms(terms, arrays["example_terms"], arrays["example_term_ends"])
        self._wording = Wording(arrays["gram_rows"], arrays["gram_values"], arrays["gram_ends"], len(self._table.kept))
        if not len(self._texts) == len(arrays["gram_ends"]) == len(arrays["example_term_ends"]):
            raise ValueError("examples without their wording")
        self._glances: dict[int, _Glance] = {}
        self._spelling = Spelling(map(question_of, self._texts), encoder.is_word)
        self._shortened = LostCharacter(self._chinese())

    @classmethod
    def load(cls, arrays: Arrays, meta: Mapping[str, Any], encoder: TextEncoder) -> "Cascade":
        """Raises ModelError: of another release or encoder, or damaged."""
        if meta.get("format") != FORMAT:
            raise ModelError("the classifier is of another release", hint=_BUILD_AGAIN)
        if meta.get("encoder") != encoder.fingerprint:
            raise ModelError("the classifier was trained with another encoder", hint=_BUILD_AGAIN)
        try:
            loaded = cls(arrays, meta, encoder)
            loaded._try()
        except (KeyError, ValueError, TypeError, IndexError, UnicodeDecodeError) as error:
            raise ModelError(f"the classifier is damaged: {type(error).__name__}", hint=_BUILD_AGAIN) from error
        return loaded

    def at_once(self, text: str) -> list[Match] | None:
        """What stage one alone is sure of, with some example of the label; None where the encoder has to be asked."""
        written = normalise(text)
        number = key(f"{TEXT}{written}")
        if (same := self._exact.get(number)) is not None:
            return [self._match(same, CERTAIN, int(self._starts[same]))]
        glance = self._look_quickly(written)
        label, evidence = _quick(*glance)
        found = probability(quick_features(evidence), self._quick_weights)
        if found >= self._sure and not self._outside[label]:
            return [self._match(label, found, int(self._starts[label]))]
        self._keep(number, glance)
        return None

    def glance(self, text: str) -> tuple[int, QuickEvidence]:
        """Of stage one: the best label's number, and what speaks for it."""
        return _quick(*self._look_quickly(normalise(text)))

    def _look_quickly(self, written: str) -> _Glance:
        weighed = self._table.weigh(written)
        return weighed, self._one.scores(weighed)

    def _keep(self, number: int, glance: _Glance) -> None:
        if len(self._glances) >= _GLANCES:
            self._glances.clear()
        self._glances[number] = glance

    def reading(self, text: str) -> str:
        """What the encoder has to read of `text`: the question in it, slips of the fingers mended."""
        return self._spelling.repair(question_of(text))

    def look_up(self, text: str, encoding: Encoding, limit: int = 3) -> list[Match]:
        """Of both stages, best first; `encoding` is that of `reading(text)`. Nothing for a text without words."""
        question = self.reading(text)
        found = self.weigh(question, encoding, limit)
        same, sure = self._same(text, question) if found else (None, 0.0)
        matches = []
        most = CERTAIN
        for label, row, evidence in found:
            most = min(most, confidence(evidence, self._weights))  # as the scores say: evidence only says how sure
            matches.append(self._match(label, max(most, sure if label == same else 0.0), row))
        return sorted(matches, key=lambda match: -match.confidence)

    def weigh(self, question: str, encoding: Encoding, limit: int) -> list[tuple[int, int, Evidence]]:
        """The best labels by score: each one's number, its nearest example's, and what speaks for it."""
        if not (terms := terms_of(question)):
            return []
        asked = self._asked(question, terms, encoding)
        best = self._best(asked.scores, limit)
        nearest = [self._nearest(asked.cosines, label) for label in best]
        wordings = iter(self._wording.cosines(asked.weighed, [row for rows in nearest for row in rows]).tolist())
        alike = [max(next(wordings) for _ in rows) for rows in nearest]
        return [
            (label, rows[0], self._evidence(asked, label, rows[0], wording))
            for label, rows, wording in zip(best, nearest, alike, strict=True)
        ]

    def _asked(self, question: str, terms: tuple[str, ...], encoding: Encoding) -> _Asked:
        written = normalise(question)
        glance = self._glances.pop(key(f"{TEXT}{written}"), None)
        weighed, one = glance or self._look_quickly(written)
        is_unread = encoding.unknown_share > UNKNOWN_LIMIT
        point = self._nowhere if is_unread else self._space.place(encoding.features[None, :])[0]
        cosines, scores = self._kernel.look(point)
        scores = read_from(one) if is_unread else scores + self._two.scores(weighed)
        return _Asked(
            terms=terms,
            words=question_words(terms),
            weighed=weighed,
            encoding=encoding,
            is_unread=is_unread,
            is_chinese=language_of(question) == "zh",
            cosines=cosines,
            scores=scores,
            margins=margins(scores),
            one=one,
            one_margins=margins(one, LEAST_ONE),
            outside=float(scores[self._outside].max(initial=0.0)),
        )

    def _evidence(self, asked: _Asked, label: int, row: int, wording: float) -> Evidence:
        score, words = float(asked.scores[label]), self._words[label]
        return Evidence(
            score=score,
            margin=float(asked.margins[label]),
            inside=score - asked.outside,
            one=float(asked.one[label]),
            one_margin=float(asked.one_margins[label]),
            near=float(asked.cosines[row]),
            meaning=0.0 if asked.is_unread else self._vectors.nearest(self._group(label), asked.encoding.vector),
            wording=wording,
            covered=covered(asked.terms, words, self._rarity),
            answered=answered(self._terms.of(row), asked.terms, self._rarity, asked.words),
            strange=strange(asked.terms, words),
            known=asked.weighed.known,
            length=log1p(len(asked.terms)),
            is_unread=float(asked.is_unread),
            is_chinese=float(asked.is_chinese),
        )

    def _group(self, label: int) -> slice:
        """The label's examples."""
        return slice(int(self._starts[label]), int(self._starts[label + 1]))

    def _nearest(self, cosines: Floats, label: int) -> list[int]:
        group = self._group(label)
        found: list[int] = (group.start + np.argsort(-cosines[group], kind="stable")[:NEAREST]).tolist()
        return found

    def _best(self, scores: Floats, limit: int) -> list[int]:
        inside = np.where(self._outside, -np.inf, scores)
        wanted = min(limit, int((~self._outside).sum()))
        return [int(label) for label in np.argsort(-inside, kind="stable")[:wanted]]

    def _same(self, text: str, question: str) -> tuple[int | None, float]:
        """The label of the example that the text as good as equals, and how sure that is."""
        print_ = fingerprint(question)
        for known in (f"{TEXT}{normalise(text)}", f"{QUESTION}{print_}"):
            if (same := self._exact.get(key(known))) is not None:
                return same, CERTAIN
        lost = self._shortened.label(print_) if has_cjk(print_) else None
        return (self._labels.index(lost), ALMOST_CERTAIN) if lost else (None, 0.0)

    def _chinese(self) -> dict[str, str]:
        """Labels by the fingerprint of a Chinese example, where only one has it."""
        owners: dict[str, set[str]] = {}
        for label, (start, stop) in enumerate(pairwise(self._starts)):
            for text in self._texts[start:stop]:
                if has_cjk(text):
                    owners.setdefault(fingerprint(text), set()).add(self._labels[label])
        if len(owners) > _MOST_CHINESE:
            return {}
        return {text: next(iter(names)) for text, names in owners.items() if text and len(names) == 1}

    def _match(self, label: int, sure: float, row: int) -> Match:
        return Match(self._labels[label], sure, self._texts[row])

    def _try(self) -> None:
        """Raises what a query would raise where the arrays do not fit each other."""
        vector, features = np.zeros(DIMENSIONS, dtype=np.float32), np.zeros(self._space.width, dtype=np.float32)
        self.weigh("one two", Encoding(vector, 0.0, features), 1)
        self.at_once("one two")


def read_from(one: Floats) -> Floats:
    """Scores like those of stage two, of stage one alone."""
    found: Floats = np.clip((one + np.float32(1)) / np.float32(2), 0, 1)
    return found


def _quick(weighed: Weighed, scores: Floats) -> tuple[int, QuickEvidence]:
    """The best label's number, and what speaks for it."""
    best = int(scores.argmax())
    margin = float(margins(scores, LEAST_ONE)[best])
    return best, QuickEvidence(float(scores[best]), margin, weighed.known)


def _words(terms: Sequence[str], arrays: Arrays) -> list[LabelWords]:
    counts = arrays["label_terms"]
    stops = [0, *arrays["label_term_ends"].tolist()]
    return [
        LabelWords(Counter({terms[index]: int(count) for index, count in counts[start:stop]}))
        for start, stop in pairwise(stops)
    ]
