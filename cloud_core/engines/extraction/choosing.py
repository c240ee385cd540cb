"""The lines that answer, and how sure that is."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cloud_core.engines.base import EngineRequest
from cloud_core.engines.extraction.asked import Asked, asked_in
from cloud_core.engines.extraction.confidence import probability
from cloud_core.engines.extraction.lines import Line, lines_of
from cloud_core.engines.extraction.models import Known, is_about_another
from cloud_core.engines.extraction.reading import Reader, carried_over, order
from cloud_core.engines.extraction.scoring import Scored, score
from nearside.lexical import has_cjk, normalise

_SAME_WORDS = 0.8
_CLOSE, _OPEN_PART, _AS_GOOD = 0.85, 0.7, 0.12
_LONGEST_LIST = 8
_LEANS_BACK = re.compile(
    r"(?:it|its|this|these|they|their|that|those|then|however|therefore|otherwise|in (?:this|that) case)\b"
    r"|此时|此外|这|其(?!他|它)|它|否则|但是?|因此|届时",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Choice:
    """`lines` in reading order; `confidence`: the probability that they answer what was asked."""

    lines: tuple[Line, ...]
    confidence: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Lines for one thing that is asked, best first."""

    ranked: tuple[Scored, ...]
    confidence: float


def choose(request: EngineRequest, reader: Reader, most: int, least_confidence: float) -> Choice:
    """Of a question with two parts, what is sure of both, or of one."""
    lines = lines_of(request.passages)
    known = Known(request.passages, lines)
    asked = asked_in(request.question.text, request.terms, carried_over(request))
    rankings = [rank(one, request, lines, known, reader) for one in asked]
    sure = [ranking for ranking in rankings if ranking.ranked and ranking.confidence >= least_confidence]
    if not sure:
        return Choice((), max(ranking.confidence for ranking in rankings))
    share = max(most // len(sure), 1)
    chosen: dict[Line, None] = {}
    for ranking in sure:
        found = [one.line for one in _without_repeats([ranking.ranked[0], *_additions(ranking.ranked)])]
        chosen |= dict.fromkeys(_complete(found[:share], lines, share))
    return Choice(_in_reading_order(list(chosen)), min(ranking.confidence for ranking in sure))


def rank(asked: Asked, request: EngineRequest, lines: Sequence[Line], known: Known, reader: Reader) -> Ranking:
    question = request.question
    if any(known.lacks(model) for model in asked.models) or known.lacks_variant(asked.text):
        return Ranking((), 0.0)
    eligible = [line for line in lines if not is_about_another(line, asked.models)]
    ranked = sorted((score(line, asked, question.lang) for line in eligible), key=order)
    chinese = has_cjk(question.text)
    if not chinese:  # the encoder knows no Chinese
        ranked = reader.read(ranked, asked, request)
    if not ranked:
        return Ranking((), 0.0)
    alone = len({line.passage.document_id for line in lines}) == 1
    unknown_name = _has_unknown_name(asked, lines)
    confidence = probability(ranked, unknown_name=unknown_name, alone=alone, encoded=not chinese)
    best = _straightest(ranked)
    return Ranking((best, *(one for one in ranked if one is not best)), confidence)


def _has_unknown_name(asked: Asked, lines: Sequence[Line]) -> bool:
    """It names what search found nothing about."""
    variants = {word: others for word, _, others in asked.terms}
    return any(
        not any(
            line.words.holds(one) or line.context.holds(one)
            for line in lines
            for one in (name, *variants.get(name, ()))
        )
        for name in asked.names
    )


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
        fits = one.unexpected <= best.unexpected and one.foreign == best.foreign
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


def _complete(chosen: Sequence[Line], lines: Sequence[Line], most: int) -> list[Line]:
    """What starts with "It …" brings the line before it along, an item what leads its list in, and that its items."""
    places = {(line.rank, line.position): line for line in lines}
    complete = list(chosen)
    for line in chosen:
        before = places.get((line.rank, line.position - 1))
        if before and before not in complete and not before.columns and _LEANS_BACK.match(line.text):
            complete.insert(complete.index(line), before)
    kept = complete[:most] if chosen[0] in complete[:most] else list(chosen)
    leads = [places[line.rank, line.lead] for line in kept if line.lead is not None and not line.columns]
    items = [one for line in kept if line.leads_in for one in _items(line, lines)]
    return [*kept, *(line for line in (*leads, *items) if line not in kept)]


def _items(lead: Line, lines: Sequence[Line]) -> list[Line]:
    return [line for line in lines if (line.rank, line.lead) == (lead.rank, lead.position)][:_LONGEST_LIST]


def _in_reading_order(lines: Sequence[Line]) -> tuple[Line, ...]:
    """The best line's document first; within a passage as it is written."""
    documents = list(dict.fromkeys(line.passage.document_id for line in lines))
    ranks = list(dict.fromkeys(line.rank for line in lines))

    def place(line: Line) -> tuple[int, int, int]:
        return documents.index(line.passage.document_id), ranks.index(line.rank), line.position

    return tuple(sorted(dict.fromkeys(lines), key=place))
