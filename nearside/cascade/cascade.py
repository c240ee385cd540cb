"""Which approved question or intent does a text mean? Two trained stages, silent when unsure."""

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from math import log1p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearside.asking import fingerprint, question_of
from nearside.cascade.evidence import Evidence, QuickEvidence, confidence, probability, quick_features
from nearside.cascade.grams import Table, Weighed, cosine
from nearside.cascade.stages import Kernel, Linear, Space, Vectors
from nearside.cascade.texts import key, unpacked
from nearside.cascade.words import LabelWords, Rarity, answered, covered, example_terms, strange, terms_of
from nearside.confidence import ALMOST_CERTAIN, CERTAIN
from nearside.encoder import DIMENSIONS, Encoding, TextEncoder
from nearside.errors import ModelError
from nearside.lexical import has_cjk, language_of, normalise
from nearside.nearest import UNKNOWN_LIMIT, Match
from nearside.spelling import LostCharacter, Spelling

Floats = NDArray[np.float32]
Arrays = Mapping[str, NDArray[Any]]

FORMAT = 1
TEXT, QUESTION = "t ", "q "
"""What a key begins with: that of a normalised text, that of a question's fingerprint."""
NEAREST = 3
"""Of a label's examples, so many of the nearest are compared in wording."""
LEAST_ONE = -1.0
"""Of stage one, the score of a label that there is not."""
_BUILD_AGAIN = "build the pack again with this release"
_KEPT = 2_000
"""Examples whose n-grams are kept."""
_MOST_CHINESE = 3_000
"""Examples; beyond it a Chinese question that lost a character is not looked for: it takes too long to prepare."""


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
        self._words = _words(arrays)
        self._rarity = Rarity(dict(zip(_terms(arrays), arrays["term_rarity"].tolist(), strict=True)))
        self._weighed = lru_cache(maxsize=_KEPT)(
            lambda row: self._table.weigh(normalise(question_of(self._texts[row])))
        )
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
        same = self._exact.get(key(f"{TEXT}{written}"))
        if same is not None:
            return [self._match(same, CERTAIN, int(self._starts[same]))]
        label, evidence = self.glance(written)
        found = probability(quick_features(evidence), self._quick_weights)
        if found < self._sure or self._outside[label]:
            return None
        return [self._match(label, found, int(self._starts[label]))]

    def glance(self, text: str) -> tuple[int, QuickEvidence]:
        """Of stage one: the best label's number, and what speaks for it."""
        weighed = self._table.weigh(normalise(text))
        scores = self._one.scores(weighed)
        label = int(np.argmax(scores))
        return label, QuickEvidence(float(scores[label]), _margin(scores, label, LEAST_ONE), weighed.known)

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
        terms = terms_of(question)
        if not terms:
            return []
        weighed = self._table.weigh(normalise(question))
        one = self._one.scores(weighed)
        is_unread = encoding.unknown_share > UNKNOWN_LIMIT
        point = self._nowhere if is_unread else self._space.place(encoding.features[None, :])[0]
        cosines, scores = self._kernel.look(point)
        scores = read_from(one) if is_unread else scores + self._two.scores(weighed)
        outside = float(scores[self._outside].max(initial=0.0))
        found = []
        for label in self._best(scores, limit):
            group = slice(int(self._starts[label]), int(self._starts[label + 1]))
            nearest = group.start + np.argsort(-cosines[group], kind="stable")[:NEAREST]
            row = int(nearest[0])
            words = self._words[label]
            evidence = Evidence(
                score=float(scores[label]),
                margin=_margin(scores, label),
                inside=float(scores[label]) - outside,
                one=float(one[label]),
                one_margin=_margin(one, label, LEAST_ONE),
                near=float(cosines[row]),
                meaning=0.0 if is_unread else self._vectors.nearest(group, encoding.vector),
                wording=max(self._wording(weighed, near) for near in nearest),
                covered=covered(terms, words, self._rarity),
                answered=answered(example_terms(self._texts[row]), terms, self._rarity),
                strange=strange(terms, words),
                known=weighed.known,
                length=log1p(len(terms)),
                is_unread=float(is_unread),
                is_chinese=float(language_of(question) == "zh"),
            )
            found.append((label, row, evidence))
        return found

    def _wording(self, weighed: Weighed, row: int) -> float:
        return cosine(weighed, self._weighed(int(row)))

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


def _margin(scores: Floats, label: int, least: float = 0.0) -> float:
    others = np.delete(scores, label)
    return float(scores[label] - others.max(initial=least))


def _words(arrays: Arrays) -> list[LabelWords]:
    terms, counts = _terms(arrays), arrays["label_terms"]
    stops = [0, *arrays["label_term_ends"].tolist()]
    return [
        LabelWords(Counter({terms[index]: int(count) for index, count in counts[start:stop]}))
        for start, stop in pairwise(stops)
    ]


def _terms(arrays: Arrays) -> list[str]:
    return unpacked(arrays["terms"], arrays["term_ends"])
