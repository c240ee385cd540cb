"""How well a line answers a question."""

from dataclasses import dataclass
from functools import lru_cache

from cloud_core.engines.base import Term
from cloud_core.engines.extraction.asked import _SIZE_WEIGHT, Asked
from cloud_core.engines.extraction.lines import Line, Text
from nearside.lexical import has_cjk, is_stop_word, words

VARIANT, IN_CONTEXT, NEARBY = 0.75, 0.8, 0.4
PARTIAL = 0.7


@dataclass(frozen=True, slots=True)
class Scored:
    """`coverage`: share of the question's weight found in the line, its heading and title; `own`: in the line alone."""

    line: Line
    coverage: float
    own: float
    expected: bool
    lead: float
    conflict: bool

    @property
    def score(self) -> float:
        return self.coverage + 0.5 * self.own - 0.25 * (not self.expected) - 0.1 * self.lead - 0.3 * self.conflict


def found(term: Term, text: Text) -> float:
    word, _, variants = term
    if text.holds(word):
        return 1.0
    by_variant = VARIANT if any(text.holds(variant) for variant in variants) else 0.0
    return max(by_variant, _partial(word, text) if has_cjk(word) else 0.0)


def _partial(word: str, text: Text) -> float:
    """Of a Chinese word that does not stand there, the longest part that does."""
    for length in range(len(word) - 1, 0, -1):
        parts = (word[start : start + length] for start in range(len(word) - length + 1))
        if any(part in text.folded and not is_stop_word(part) for part in parts):
            return PARTIAL * length / len(word) if length > 1 else 0.3 / (len(word) - 1)
    return 0.0


def score(line: Line, asked: Asked) -> Scored:
    around = inside = 0.0
    for term in asked.terms:
        weight, here = term[1], found(term, line.text_words)
        inside += weight * here
        around += weight * max(here, IN_CONTEXT * found(term, line.context), NEARBY * found(term, line.neighbours))
    for size in asked.sizes:
        held = size in line.text.replace("–", " ").split() or any(size == word for word in line.cells)
        inside, around = inside + held * _SIZE_WEIGHT, around + held * _SIZE_WEIGHT
    total = asked.weight or 1.0
    wanted = asked.expectation is None or asked.expectation.answered.search(line.text) is not None
    return Scored(line, around / total, inside / total, wanted, _lead(line, asked), _conflicts(line, asked))


def _lead(line: Line, asked: Asked) -> float:
    """0 if the line starts with what was asked about, towards 1 the more else comes first."""
    sequence = _sequence(line.text)
    names = {name for term in asked.terms for name in (term[0], *term[2])}
    first = next((number for number, word in enumerate(sequence) if word in names), len(sequence))
    before = [word for word in sequence[:first] if not is_stop_word(word)]
    return min(len(before), 5) / 5


@lru_cache(maxsize=4096)
def _sequence(text: str) -> tuple[str, ...]:
    return tuple(words(text))


def _conflicts(line: Line, asked: Asked) -> bool:
    """The line is about another number of the same name: the Skua 3 where the Skua 4 was asked about."""
    for name, number in asked.pairs:
        sequence = [*_sequence(line.context.raw), "", *_sequence(line.text)]
        follow = {after for word, after in zip(sequence, sequence[1:], strict=False) if word == name and after.isdigit()}
        if follow and number not in follow:
            return True
    return False
