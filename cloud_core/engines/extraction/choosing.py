"""The lines that answer, and how sure that is."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cloud_core.engines.base import EngineRequest
from cloud_core.engines.extraction.asked import take_apart
from cloud_core.engines.extraction.lines import Line, lines_of
from cloud_core.engines.extraction.scoring import Scored, probability, score
from cloud_core.messages import Question, Role
from nearside.encoder import TextEncoder
from nearside.lexical import content_words, has_cjk, normalise

_ENCODED = 6
_SAME_WORDS = 0.8
_CLOSE, _OPEN_PART, _AS_GOOD = 0.85, 0.7, 0.12
_LEANS_BACK = re.compile(
    r"(?:it|its|this|these|they|their|that|those|then|however|therefore|otherwise|in (?:this|that) case)\b"
    r"|此时|此外|这|其(?!他|它)|它|否则|但是?|因此|届时",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Choice:
    """`lines` in reading order; `confidence`: the probability that the first of them in rank is right."""

    lines: tuple[Line, ...]
    confidence: float


def choose(request: EngineRequest, encoder: TextEncoder, most: int) -> Choice:
    question = request.question
    asked = take_apart(question.text, request.terms)
    lines = lines_of(request.passages)
    ranked = sorted((score(line, asked, question.lang) for line in lines), key=_order)
    if not has_cjk(question.text):  # the encoder knows no Chinese
        ranked = _with_cosines(ranked[:_ENCODED], question, request, encoder)
    if not ranked:
        return Choice((), 0.0)
    confidence = probability(ranked[0].score, question.lang)
    best = _straightest(ranked)
    ranked = [best, *(one for one in ranked if one is not best)]
    chosen = [one.line for one in _without_repeats([best, *_additions(ranked)])][:most]
    return Choice(_in_reading_order(_led_in(chosen, lines, most)), confidence)


def _order(one: Scored) -> tuple[float, int, int]:
    return -one.score, one.line.rank, one.line.position


def _with_cosines(
    ranked: Sequence[Scored], question: Question, request: EngineRequest, encoder: TextEncoder
) -> list[Scored]:
    vector = encoder.encode(_whole_question(question, request)).vector
    found = []
    for one in ranked:
        passage = one.line.passage
        encoding = encoder.encode(f"{passage.title}. {passage.heading}. {one.line.text}")
        found.append(replace(one, cosine=float(encoding.vector @ vector)))
    return sorted(found, key=_order)


def _whole_question(question: Question, request: EngineRequest) -> str:
    """A follow-up is understood with the turn that it follows: search has carried that turn's words over."""
    own = set(content_words(question.text))
    earlier = [item.text for item in question.history if item.role is Role.CUSTOMER and item.text != question.text]
    carried = any(word not in own for word, _, _ in request.terms) and earlier
    return f"{earlier[-1]} {question.text}" if carried else question.text


def _straightest(ranked: Sequence[Scored]) -> Scored:
    """Of sentences that say as much of what was asked, the one that says least besides."""
    best = ranked[0]
    alike = [
        one
        for one in ranked
        if (one.coverage >= best.coverage or one.line.passage.document_id == best.line.passage.document_id)
        and (one is best or not one.line.columns)
        and one.detail >= best.detail
        and one.unexpected <= best.unexpected
        and one.score >= best.score - _AS_GOOD
    ]
    return min(alike, key=lambda one: one.wordy)


def _additions(ranked: Sequence[Scored]) -> Iterator[Scored]:
    """What comes close to the best, and what answers a part of the question that is still open."""
    best, *others = ranked
    covered = best.covers
    for one in others:
        fits = one.unexpected <= best.unexpected and one.conflicting <= best.conflicting and one.foreign == best.foreign
        least = _CLOSE if one.covers <= covered else _OPEN_PART
        if fits and one.score >= least * best.score:
            covered |= one.covers
            yield one


def _without_repeats(ranked: Sequence[Scored]) -> list[Scored]:
    """A table row often says again what a sentence says: same numbers, and no other."""
    kept: list[Scored] = []
    for one in ranked:
        if not any(_repeats(one, other) for other in kept):
            kept.append(one)
    said = [_numbers(one.line.text) for one in kept if not one.line.columns]

    def said_in_prose(row: Line) -> bool:
        return any(_numbers(row.text) <= numbers for numbers in said)

    return [one for one in kept if not (one.line.columns and said_in_prose(one.line))]


def _repeats(one: Scored, other: Scored) -> bool:
    numbers, stems = _numbers(one.line.text), one.line.words.stems
    same_numbers = bool(numbers) and numbers <= _numbers(other.line.text)
    same_words = len(stems & other.line.words.stems) >= _SAME_WORDS * len(stems)
    return one.covers <= other.covers and (same_numbers or same_words)


def _numbers(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\d+(?:[.,:]\d+)*", normalise(text)))


def _led_in(chosen: Sequence[Line], lines: Sequence[Line], most: int) -> list[Line]:
    """A line that starts with "It …" brings the line before it along."""
    places = {(line.rank, line.position): line for line in lines}
    complete = list(chosen)
    for line in chosen:
        before = places.get((line.rank, line.position - 1))
        if before and before not in complete and not before.columns and _LEANS_BACK.match(line.text):
            complete.insert(complete.index(line), before)
    return complete[:most] if chosen[0] in complete[:most] else list(chosen)


def _in_reading_order(lines: Sequence[Line]) -> tuple[Line, ...]:
    """The best line's document first; within a passage as it is written."""
    documents = list(dict.fromkeys(line.passage.document_id for line in lines))
    ranks = list(dict.fromkeys(line.rank for line in lines))

    def place(line: Line) -> tuple[int, int, int]:
        return documents.index(line.passage.document_id), ranks.index(line.rank), line.position

    return tuple(sorted(lines, key=place))
