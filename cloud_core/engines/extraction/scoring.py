"""How well a line answers a question.

The numbers were chosen on the questions of tests/cloud_core/engines, and measured on questions written apart from it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from cloud_core.engines.base import Term
from cloud_core.engines.extraction.asked import SIZE_WEIGHT, Asked
from cloud_core.engines.extraction.expectations import Expectation
from cloud_core.engines.extraction.lines import Line, Text
from cloud_core.engines.extraction.models import is_about_a_part
from cloud_core.messages import Lang
from nearside.lexical import has_cjk, is_stop_word, words

BY_VARIANT, BY_PART, BY_CHARACTER = 0.75, 0.7, 0.45
IN_CONTEXT, NEARBY = 0.8, 0.4
OWN_WEIGHT, DETAIL_WEIGHT, LIKENESS_WEIGHT = 0.5, 0.3, 0.8
DANGLING, FOREIGN, SIGNPOST, LATE, PART = 0.6, 0.2, 0.3, 0.1, 0.5
_MOST_BESIDES = 12
_MOST_BEFORE = 5
_HELD = 0.5
_SUFFIXES = "子儿"
_SIGNPOST = re.compile(
    r"(?:this|these) (?:page|manual|guide|terms|document|section|chapter|tables?)\b"
    r"|[本该](?:页|文|说明|指南|条款|文档|章|手册)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Scored:
    """`coverage`: share of the question's weight found in the line, its heading and title; `own`: in the line alone.

    `detail`: of what title and heading leave open, the share that the line has.
    `gap`: the largest share that one word has which stands neither in the line nor in its passage.
    `hits`: how many of the question's words the line, its heading and title hold, by weight beside the heaviest.
    `late`: 0 if the line starts with what was asked about, towards 1 the more else comes first.
    `wordy`: 0 if it says nothing but what was asked about, towards 1 the more it says besides.
    `part`: it is about what belongs to the thing asked about.
    `signpost`: it tells what the document is about, not what it says.
    `likeness`: share of the question's weight that has other words for it here. `cosine`: to the question. Both are 0
    where the encoder has no say.
    """

    line: Line
    coverage: float
    own: float
    detail: float
    gap: float
    hits: float
    unexpected: float
    late: float
    wordy: float
    foreign: bool
    signpost: bool
    dangling: bool
    part: bool
    covers: frozenset[str]
    cosine: float = 0.0
    likeness: float = 0.0

    @property
    def score(self) -> float:
        gained = (
            self.coverage
            + OWN_WEIGHT * self.own
            + DETAIL_WEIGHT * self.detail
            + self.cosine
            + LIKENESS_WEIGHT * self.likeness
        )
        lost = self.unexpected + DANGLING * self.dangling
        return gained - lost - FOREIGN * self.foreign - SIGNPOST * self.signpost - LATE * self.late - PART * self.part


@dataclass(slots=True)
class _Sums:
    around: float = 0.0
    inside: float = 0.0
    detail: float = 0.0
    detail_found: float = 0.0
    gap: float = 0.0
    hits: float = 0.0

    def add(self, weight: float, here: float, above: float, nearby: float) -> None:
        around = max(here, IN_CONTEXT * above, NEARBY * nearby)
        self.inside += weight * here
        self.around += weight * around
        self.detail += weight * (1.0 - above)
        self.detail_found += weight * (1.0 - above) * here
        self.gap = max(self.gap, weight * (1.0 - max(here, above, nearby)))
        if around >= _HELD:
            self.hits += weight


def score(line: Line, asked: Asked, lang: Lang) -> Scored:
    sums = _Sums()
    fits = asked.expectation is not None and asked.expectation.answered.search(line.text) is not None
    for term in asked.terms:
        here = max(found(term, line.words), BY_VARIANT * (fits and term[0] in asked.shape))
        sums.add(term[1], here, found(term, line.context), found(term, line.neighbours))
    for size in asked.sizes:
        held = float(line.names_size(size))
        sums.inside += SIZE_WEIGHT * held
        sums.around += SIZE_WEIGHT * held
    total = asked.weight or 1.0
    return Scored(
        line,
        sums.around / total,
        sums.inside / total,
        sums.detail_found / sums.detail if sums.detail else 1.0,
        gap=sums.gap / total,
        hits=sums.hits / max((term[1] for term in asked.terms), default=1.0),
        unexpected=_unexpected(asked.expectation, fits=fits),
        late=_late(line, asked),
        wordy=_wordy(line, asked),
        foreign=line.passage.lang != lang,
        signpost=_SIGNPOST.match(line.text) is not None,
        dangling=asked.dangling,
        part=_is_about_a_part(line, asked),
        covers=frozenset(term[0] for term in asked.terms if found(term, line.words) >= BY_VARIANT),
    )


def with_likeness(one: Scored, asked: Asked, likeness: Mapping[str, float]) -> Scored:
    """What is there already needs no other words."""
    gained = sum(
        term[1] * max(likeness.get(term[0], 0.0) - max(found(term, one.line.words), found(term, one.line.context)), 0.0)
        for term in asked.terms
    )
    return replace(one, likeness=gained / (asked.weight or 1.0))


def _unexpected(expectation: Expectation | None, *, fits: bool) -> float:
    return expectation.loss if expectation and not fits else 0.0


def _is_about_a_part(line: Line, asked: Asked) -> bool:
    if asked.expectation is None or not asked.expectation.is_measure:
        return False
    names = {*asked.names, *(model.name for model in asked.models)}
    return is_about_a_part(line, names, [term[0] for term in asked.terms])


def found(term: Term, text: Text) -> float:
    word, _, variants = term
    if text.holds(word):
        return 1.0
    by_variant = BY_VARIANT if any(text.holds(variant) for variant in variants) else 0.0
    return max(by_variant, _part(word, text) if has_cjk(word) else 0.0)


def _part(word: str, text: Text) -> float:
    """Of a Chinese word that does not stand there, the longest part that does: segmentation is often off by one."""
    if len(word) == 2 and word[1] in _SUFFIXES and word[0] in text.folded:
        return BY_PART
    for length in range(len(word) - 1, 0, -1):
        parts = (word[start : start + length] for start in range(len(word) - length + 1))
        if any(part in text.folded and not is_stop_word(part) for part in parts):
            return BY_PART * length / len(word) if length > 1 else BY_CHARACTER / (len(word) - 1)
    return 0.0


def _late(line: Line, asked: Asked) -> float:
    sequence = _sequence(line.text)
    names = {name for term in asked.terms for name in (term[0], *term[2])}
    first = next((number for number, word in enumerate(sequence) if word in names), len(sequence))
    before = sum(not is_stop_word(word) for word in sequence[:first])
    return min(before, _MOST_BEFORE) / _MOST_BEFORE


def _wordy(line: Line, asked: Asked) -> float:
    names = {name for term in asked.terms for name in (term[0], *term[2])}
    besides = {word for word in _sequence(line.text) if word not in names and not is_stop_word(word)}
    return min(len(besides), _MOST_BESIDES) / _MOST_BESIDES


@lru_cache(maxsize=4096)
def _sequence(text: str) -> tuple[str, ...]:
    return tuple(words(text))
