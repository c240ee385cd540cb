"""How well a line answers a question."""

from collections.abc import Sequence
from dataclasses import dataclass

from cloud_core.engines.base import Term
from cloud_core.engines.extraction.expectations import Expectation
from cloud_core.engines.extraction.lines import Line

IN_LINE, VARIANT, IN_CONTEXT, NEARBY = 1.0, 0.75, 0.8, 0.4


@dataclass(frozen=True, slots=True)
class Scored:
    """`coverage`: share of the question's weight found in the line, its heading and title; `own`: in the line alone."""

    line: Line
    coverage: float
    own: float
    expected: bool
    score: float


def term_match(term: Term, line: Line) -> tuple[float, float]:
    """(in the line or around it, in the line alone)"""
    word, _, variants = term
    if line.text_words.holds(word):
        return IN_LINE, IN_LINE
    if any(line.text_words.holds(variant) for variant in variants):
        return VARIANT, VARIANT
    if line.context.holds(word):
        return IN_CONTEXT, 0.0
    if any(line.context.holds(variant) for variant in variants):
        return IN_CONTEXT * VARIANT, 0.0
    return (NEARBY if line.neighbours.holds(word) else 0.0), 0.0


def score(line: Line, terms: Sequence[Term], expectation: Expectation | None) -> Scored:
    total = sum(weight for _, weight, _ in terms) or 1.0
    matches = [(term[1], *term_match(term, line)) for term in terms]
    coverage = sum(weight * around for weight, around, _ in matches) / total
    own = sum(weight * inside for weight, _, inside in matches) / total
    expected = expectation is None or expectation.answered.search(line.text) is not None
    return Scored(line, coverage, own, expected, coverage + 0.5 * own + (0.0 if expected else -0.25))
