"""What is counted of answers."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from cloud_core.engines.evaluation.questions import Question
from cloud_core.messages import Answer, Outcome, Passage

BINS = 10
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Answered:
    """`evidence`: the passages that the engine was given. `seconds` of processor time, searching included."""

    question: Question
    answer: Answer
    evidence: tuple[Passage, ...]
    seconds: float
    tokens: int = 0

    @property
    def is_answer(self) -> bool:
        return self.answer.outcome is Outcome.GROUNDED

    @property
    def is_right(self) -> bool:
        """It has all the facts and, where documents are named, quotes one of them; or it rightly has no answer."""
        if self.question.unanswerable or not self.is_answer:
            return self.question.unanswerable and not self.is_answer
        return self.contained == 1.0 and (not self.question.relevant or self.cited_relevant > 0)

    @property
    def contained(self) -> float:
        """The share of the facts that stand in the answer, white space and letters' case apart."""
        if not self.is_answer:
            return 0.0
        text = _squeezed(self.answer.text)
        return float(np.mean([_squeezed(fact) in text for fact in self.question.facts]))

    @property
    def cited(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(citation.document_id for citation in self.answer.citations))

    @property
    def cited_relevant(self) -> int:
        """How many of the relevant documents it quotes."""
        names = {name for document_id in self.cited for name in _names(document_id)}
        return sum(relevant in names for relevant in set(self.question.relevant))

    @property
    def numbers(self) -> tuple[str, ...]:
        return tuple(_NUMBER.findall(_folded(self.answer.text))) if self.is_answer else ()

    @property
    def invented(self) -> tuple[str, ...]:
        """Numbers of the answer that stand in no passage it quotes."""
        quoted = {citation.passage_id for citation in self.answer.citations}
        passages = [passage for passage in self.evidence if passage.passage_id in quoted]
        text = _folded("\n".join(f"{one.title}\n{one.heading}\n{one.text}" for one in passages))
        known = set(_NUMBER.findall(text))
        return tuple(number for number in self.numbers if number not in known)


@dataclass(frozen=True, slots=True)
class Bin:
    """Of the answers whose confidence is from `least` on: its mean, the share that is right, how many they are."""

    least: float
    confidence: float
    right: float
    count: int


def figures(answered: Sequence[Answered]) -> dict[str, Any]:
    """Shares are 0 to 1, None where there is nothing to count; `ms_…` are of processor time."""
    answerable = [one for one in answered if not one.question.unanswerable]
    unanswerable = [one for one in answered if one.question.unanswerable]
    cited = [one for one in answerable if one.is_answer and one.question.relevant]
    answers = [one for one in answered if one.is_answer]
    numbers = sum(len(one.numbers) for one in answers)
    ms = [one.seconds * 1000 for one in answered]
    return {
        "questions": len(answered),
        "answerable": len(answerable),
        "answered_right": _mean(one.is_right for one in answerable),
        "containment": _mean(one.contained == 1.0 for one in answerable),
        "facts": _mean(one.contained for one in answerable),
        "answers_right": _mean(one.is_right for one in answers),
        "citation_precision": _mean(_precision(one) for one in cited),
        "citation_recall": _mean(one.cited_relevant / len(set(one.question.relevant)) for one in cited),
        "abstained_right": _mean(not one.is_answer for one in unanswerable),
        "abstained_wrong": _mean(not one.is_answer for one in answerable),
        "invented_numbers": round(sum(len(one.invented) for one in answers) / numbers, 4) if numbers else None,
        "ece": _calibration_error(reliability(answered)),
        "ms_p50": round(float(np.percentile(ms, 50)), 3),
        "ms_p99": round(float(np.percentile(ms, 99)), 3),
        "cost": _mean(one.tokens for one in answered),
    }


def reliability(answered: Sequence[Answered]) -> list[Bin]:
    """Ten bins of equal width over the answers; those without any are left out."""
    bins = []
    answers = [one for one in answered if one.is_answer]
    places = [min(int(one.answer.confidence * BINS), BINS - 1) for one in answers]
    for place in sorted(set(places)):
        here = [one for one, of in zip(answers, places, strict=True) if of == place]
        sure = float(np.mean([one.answer.confidence for one in here]))
        bins.append(Bin(place / BINS, sure, float(np.mean([one.is_right for one in here])), len(here)))
    return bins


def coverage(answered: Sequence[Answered]) -> tuple[list[float], list[float]]:
    """The surest answer given, the two surest, and so on: the share of the questions answered, and right of those."""
    sure_first = sorted((one for one in answered if one.is_answer), key=lambda one: -one.answer.confidence)
    counts = np.arange(1, len(sure_first) + 1)
    right = np.cumsum([one.is_right for one in sure_first]) / counts if sure_first else np.zeros(0)
    return (counts / max(len(answered), 1)).tolist(), right.tolist()


def _precision(one: Answered) -> float:
    """Of the documents that it quotes, the share that is relevant."""
    relevant = set(one.question.relevant)
    return float(np.mean([any(name in relevant for name in _names(document_id)) for document_id in one.cited]))


def _names(document_id: str) -> tuple[str, ...]:
    """A document goes by its id, its file's name, and that without the ending."""
    path = PurePosixPath(document_id)
    return document_id, path.name, path.stem


def _calibration_error(bins: Sequence[Bin]) -> float | None:
    total = sum(one.count for one in bins)
    return round(sum(one.count * abs(one.confidence - one.right) for one in bins) / total, 4) if total else None


def _mean(values: Iterable[float]) -> float | None:
    counted = [float(value) for value in values]
    return round(float(np.mean(counted)), 4) if counted else None


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _squeezed(text: str) -> str:
    return _SPACE.sub("", _folded(text))
