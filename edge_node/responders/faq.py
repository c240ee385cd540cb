"""Approved answers: the FAQ entry that a turn means, if that is sure enough; a question back if it is nearly so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from edge_node.messages import HistoryItem, Lang, Reply, Turn
from edge_node.responders.choosing import OFFERED, chosen, may_point, offered
from nearside.confidence import CERTAIN
from nearside.content import FAQ, TenantContent
from nearside.nearest import Match
from nearside.operator_files import LANGS
from nearside.origins import Reason, Source

CLOSE = 0.5
"""Two entries with this share of the threshold are offered as a question back."""
LIKELY = 0.6
"""With this share of the threshold an entry answers once the core has found nothing …"""
LIKELY_UNASKED = 0.8
"""… and with this one if the core could not be asked: what it knows might be better."""
LEAST_LIKELY = 0.45
"""However low the threshold is: less than this is rather wrong than right …"""
LEAST_MEASURED = 0.8
"""… and of a confidence that was measured, less than this is wrong too often to stand in for nothing: it reckons with
three questions that nobody answers beside ten, but what the core finds nothing for is such a question more often."""
WORTH_SHOWING = 0.35
SHOWN = 3

CLARIFY: Mapping[Lang, str] = {"en": "Did you mean one of these?", "zh": "您想问的是不是："}
CLARIFY_ONE: Mapping[Lang, str] = {"en": "Did you mean this?", "zh": "您想问的是不是："}
SAY_OTHERWISE: Mapping[Lang, str] = {
    "en": "All right. Could you put your question in other words?",
    "zh": "好的。请您换个说法再问一次，好吗？",
}


@dataclass(frozen=True, slots=True)
class FaqEntry:
    """One approved answer; every language has its question and answer."""

    id: str
    questions: Mapping[Lang, str]
    answers: Mapping[Lang, str]


def entries_of(content: TenantContent) -> dict[str, FaqEntry]:
    """By id; an entry written in one language answers in it for both."""
    entries = {}
    for entry in content.faq:
        written = entry.texts()
        any_written = next(iter(written.values()))
        texts = {lang: written.get(lang, any_written) for lang in LANGS}
        entries[entry.id] = FaqEntry(
            entry.id,
            {lang: text.question for lang, text in texts.items()},
            {lang: text.answer for lang, text in texts.items()},
        )
    return entries


class Responder:
    """`threshold` is the confidence at which an entry answers at once; `is_calibrated`: both were measured."""

    def __init__(
        self, entries: Mapping[str, FaqEntry], threshold: float, version: str, *, is_calibrated: bool = False
    ) -> None:
        self._entries, self._threshold, self._version = entries, threshold, version
        self._least_likely = LEAST_MEASURED if is_calibrated else LEAST_LIKELY
        self._by_question = {text: entry for entry in entries.values() for text in entry.questions.values()}

    async def answer(self, turn: Turn) -> Reply | None:
        if may_point(turn.text) and (reply := self._pointed_at(turn, await turn.history())) is not None:
            return reply
        matches = await self._matches(turn)
        if matches and matches[0].confidence >= self._threshold:
            return self._reply(turn, matches[0])
        close = [match for match in matches if match.confidence >= self._threshold * CLOSE][:SHOWN]
        return self._ask_which(turn, close) if len(close) >= 2 else None

    async def likely(self, turn: Turn, *, core_was_asked: bool) -> Reply | None:
        """An entry that was not sure enough to answer at once, but is better than nothing."""
        share = LIKELY if core_was_asked else LIKELY_UNASKED
        least = min(self._threshold, max(self._least_likely, self._threshold * share))
        matches = await self._matches(turn)
        return self._reply(turn, matches[0]) if matches and matches[0].confidence >= least else None

    async def suggest(self, turn: Turn, reply: Reply) -> Reply:
        """`reply`, which says that nothing was found, with the nearest questions that have an answer."""
        near = [match for match in await self._matches(turn) if match.confidence >= WORTH_SHOWING][:SHOWN]
        if not near:
            return reply
        questions = self._questions(turn, near)
        asked = (CLARIFY if len(questions) > 1 else CLARIFY_ONE)[turn.lang]
        return replace(reply, text=_listed(f"{reply.text}\n{asked}", questions), quick_replies=questions)

    def _pointed_at(self, turn: Turn, history: Sequence[HistoryItem]) -> Reply | None:
        """The answers to those of the questions just offered that the turn points at; None where none were."""
        last = history[-1] if history else None
        questions = offered(last.text) if last and last.role == "assistant" else []
        entries = [self._by_question[question] for question in questions if question in self._by_question]
        if (places := chosen(turn.text, len(entries))) is None:
            return None
        if not places:
            return Reply(SAY_OTHERWISE[turn.lang], Source.FAQ, Reason.CLARIFY, CERTAIN)
        text = "\n\n".join(entries[place].answers[turn.lang] for place in places)
        return Reply(text, Source.FAQ, Reason.MATCHED, CERTAIN, knowledge_version=self._version)

    async def _matches(self, turn: Turn) -> list[Match]:
        return [match for match in await turn.nearest() if match.label.startswith(FAQ)]

    def _reply(self, turn: Turn, match: Match) -> Reply:
        answer = self._entry(match).answers[turn.lang]
        return Reply(answer, Source.FAQ, Reason.MATCHED, match.confidence, knowledge_version=self._version)

    def _ask_which(self, turn: Turn, close: Sequence[Match]) -> Reply:
        questions = self._questions(turn, close)
        text = _listed(CLARIFY[turn.lang], questions)
        return Reply(text, Source.FAQ, Reason.CLARIFY, close[0].confidence, quick_replies=questions)

    def _questions(self, turn: Turn, matches: Sequence[Match]) -> tuple[str, ...]:
        return tuple(self._entry(match).questions[turn.lang] for match in matches)

    def _entry(self, match: Match) -> FaqEntry:
        return self._entries[match.label.removeprefix(FAQ)]


def _listed(text: str, questions: Sequence[str]) -> str:
    return "\n".join([text, *(f"{OFFERED}{question}" for question in questions)])
