"""Approved answers: the FAQ entry that a turn means, if that is sure enough; a question back if it is nearly so."""

from collections.abc import Mapping
from dataclasses import dataclass

from edge_node.messages import Lang, Reply, Turn
from edge_node.responders.semantic import FAQ
from nearside.origins import Reason, Source

CLARIFY: Mapping[Lang, str] = {"en": "Did you mean one of these?", "zh": "您想问的是不是："}


@dataclass(frozen=True, slots=True)
class FaqEntry:
    """One approved answer; every language has its question and answer."""

    id: str
    questions: Mapping[Lang, str]
    answers: Mapping[Lang, str]


class Responder:
    """`threshold` is the confidence at which an entry answers; from `clarify_from` on, two or more are offered."""

    def __init__(self, entries: Mapping[str, FaqEntry], threshold: float, clarify_from: float, version: str) -> None:
        self._entries, self._threshold, self._clarify_from = entries, threshold, clarify_from
        self._version = version

    async def answer(self, turn: Turn) -> Reply | None:
        matches = [match for match in await turn.nearest() if match.label.startswith(FAQ)]
        if not matches:
            return None
        best = matches[0]
        if best.confidence >= self._threshold:
            entry = self._entries[best.label.removeprefix(FAQ)]
            return Reply(
                entry.answers[turn.lang],
                Source.FAQ,
                Reason.MATCHED,
                best.confidence,
                knowledge_version=self._version,
            )
        close = [match for match in matches if match.confidence >= self._clarify_from]
        if len(close) < 2:
            return None
        questions = [self._entries[match.label.removeprefix(FAQ)].questions[turn.lang] for match in close[:3]]
        text = "\n".join([CLARIFY[turn.lang], *(f"- {question}" for question in questions)])
        return Reply(text, Source.FAQ, Reason.CLARIFY, best.confidence, quick_replies=tuple(questions))
