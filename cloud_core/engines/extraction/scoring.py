"""How well a line answers a question.

The numbers were chosen on tests/cloud_core/engines/questions.yaml and measured on questions written by others.
"""

import math
import re
from dataclasses import dataclass
from functools import lru_cache

from cloud_core.engines.base import Term
from cloud_core.engines.extraction.asked import SIZE_WEIGHT, Asked
from cloud_core.engines.extraction.expectations import Expectation
from cloud_core.engines.extraction.lines import Line, Text
from cloud_core.messages import Lang
from nearside.lexical import has_cjk, is_stop_word, words

BY_VARIANT, BY_PART, BY_CHARACTER = 0.75, 0.7, 0.3
IN_CONTEXT, NEARBY = 0.8, 0.4
OWN_WEIGHT, DETAIL_WEIGHT = 0.5, 0.3
CONFLICTING, DANGLING, FOREIGN, SIGNPOST, LATE = 0.6, 0.6, 0.2, 0.3, 0.1
_MOST_BESIDES = 12
_MOST_BEFORE = 5
_SIGNPOST = re.compile(
    r"(?:this|these) (?:page|manual|guide|terms|document|section|chapter|tables?)\b"
    r"|[本该](?:页|文|说明|指南|条款|文档|章|手册)",
    re.IGNORECASE,
)
# where half of the answers would be wrong, and how fast that changes; with and without the encoder's word
_EVEN, _STEEPNESS = {"en": 1.3, "zh": 0.93}, {"en": 6.0, "zh": 7.0}


@dataclass(frozen=True, slots=True)
class Scored:
    """`coverage`: share of the question's weight found in the line, its heading and title; `own`: in the line alone.

    `detail`: of what title and heading leave open, the share that the line has.
    `late`: 0 if the line starts with what was asked about, towards 1 the more else comes first.
    `wordy`: 0 if it says nothing but what was asked about, towards 1 the more it says besides.
    `conflicting`: it is about another number of the same name, the Skua 3 where the Skua 4 was asked about.
    `signpost`: it tells what the document is about, not what it says.
    `cosine`: to the question, 0 where the encoder has no say.
    """

    line: Line
    coverage: float
    own: float
    detail: float
    unexpected: float
    late: float
    wordy: float
    conflicting: bool
    foreign: bool
    signpost: bool
    dangling: bool
    covers: frozenset[str]
    cosine: float = 0.0

    @property
    def score(self) -> float:
        gained = self.coverage + OWN_WEIGHT * self.own + DETAIL_WEIGHT * self.detail + self.cosine
        lost = self.unexpected + CONFLICTING * self.conflicting + DANGLING * self.dangling
        return gained - lost - FOREIGN * self.foreign - SIGNPOST * self.signpost - LATE * self.late


def probability(score: float, lang: Lang) -> float:
    return 1.0 / (1.0 + math.exp(_STEEPNESS[lang] * (_EVEN[lang] - score)))


def score(line: Line, asked: Asked, lang: Lang) -> Scored:
    around = inside = detail = detail_found = 0.0
    for term in asked.terms:
        weight, here, above = term[1], found(term, line.words), found(term, line.context)
        inside += weight * here
        around += weight * max(here, IN_CONTEXT * above, NEARBY * found(term, line.neighbours))
        detail += weight * (1.0 - above)
        detail_found += weight * (1.0 - above) * here
    for size in asked.sizes:
        held = SIZE_WEIGHT * line.names_size(size)
        inside, around = inside + held, around + held
    total = asked.weight or 1.0
    return Scored(
        line,
        around / total,
        inside / total,
        detail_found / detail if detail else 1.0,
        unexpected=_unexpected(line, asked.expectation),
        late=_late(line, asked),
        wordy=_wordy(line, asked),
        conflicting=_conflicting(line, asked),
        foreign=line.passage.lang != lang,
        signpost=_SIGNPOST.match(line.text) is not None,
        dangling=asked.dangling,
        covers=frozenset(term[0] for term in asked.terms if found(term, line.words) >= BY_VARIANT),
    )


def _unexpected(line: Line, expectation: Expectation | None) -> float:
    return expectation.loss if expectation and not expectation.answered.search(line.text) else 0.0


def found(term: Term, text: Text) -> float:
    word, _, variants = term
    if text.holds(word):
        return 1.0
    by_variant = BY_VARIANT if any(text.holds(variant) for variant in variants) else 0.0
    return max(by_variant, _part(word, text) if has_cjk(word) else 0.0)


def _part(word: str, text: Text) -> float:
    """Of a Chinese word that does not stand there, the longest part that does: segmentation is often off by one."""
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


def _conflicting(line: Line, asked: Asked) -> bool:
    for name, number in asked.pairs:
        sequence = [*_sequence(line.context.raw), "", *_sequence(line.text)]
        pairs = zip(sequence, sequence[1:], strict=False)
        numbers = {after for word, after in pairs if word == name and after.isdigit()}
        if numbers and number not in numbers:
            return True
    return False


@lru_cache(maxsize=4096)
def _sequence(text: str) -> tuple[str, ...]:
    return tuple(words(text))
