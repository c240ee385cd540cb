"""Answers of the edge's own small language model: from the nearest approved answers, or not at all."""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Literal, Protocol

from prometheus_client import CollectorRegistry, Counter

from edge_node.local_model.client import CutShort
from edge_node.local_model.frames import Budget, Prompt
from edge_node.messages import Citation, Draft, Reply, Turn
from edge_node.responders.briefing import NOTHING, brief
from edge_node.responders.evidence import Evidence, is_empty, sentences
from edge_node.responders.faq import FaqEntry
from nearside.content import FAQ
from nearside.errors import EngineError
from nearside.following import is_follow_up
from nearside.lexical import language_of, words
from nearside.logs import failure, logger
from nearside.origins import Reason, Source
from nearside.tenant_toml import LocalModelSettings

log = logger("local_model")

NEAR: Mapping[str, float] = {"before": 0.4, "after": 0.2}
"""The confidence that the nearest entry needs: while the core can be asked, more is wanted."""
ALSO_NEAR = 0.1
MOST_ENTRIES, MOST_SENTENCES = 3, 4
SIMPLE_CHARACTERS, SIMPLE_WORDS = 160, 25
DIGIT = re.compile(r"\d")

Outcome = Literal["answered", "silent", "ungrounded", "failed"]
"""A reply; the model said that it does not know; it said what stands in no entry; it broke, or was out of time."""

Count = Callable[[str, Outcome], None]
"""`count(tenant_id, outcome)`"""
Show = Callable[[Turn, Draft], Awaitable[None]]


class Model(Protocol):
    @property
    def is_ready(self) -> bool: ...

    def generate(self, tenant_id: str, prompt: Prompt, budget: Budget) -> AsyncGenerator[str]: ...


class _Attempt:
    """The sentences that were found to stand in the entries so far, and the entries that they stand in."""

    def __init__(self, turn: Turn, entries: Sequence[FaqEntry], show: Show | None, revision: int) -> None:
        self._turn, self._show, self._revision = turn, show, revision
        self._evidence = Evidence(entries, turn.lang)
        self._space = " " if turn.lang == "en" else ""
        self._said: list[str] = []
        self.used: dict[str, FaqEntry] = {}

    @property
    def text(self) -> str:
        return self._space.join(self._said)

    @property
    def outcome(self) -> Outcome:
        """If it ends here."""
        return "answered" if self._said else "silent"

    async def take(self, sentence: str) -> Outcome | None:
        """What the attempt ends in with this sentence; None where it goes on."""
        if NOTHING[self._turn.lang].casefold() in sentence.casefold():
            return self.outcome
        if sentence in self._said:  # small models repeat themselves
            return self.outcome
        if is_empty(sentence):
            return None
        entry = self._evidence.entry_of(sentence)
        if entry is None:
            return "ungrounded"
        self.used[entry.id] = entry
        await self._say(sentence)
        return self.outcome if len(self._said) == MOST_SENTENCES else None

    async def _say(self, sentence: str) -> None:
        if self._show is not None:
            text = f"{self._space}{sentence}" if self._said else sentence
            await self._show(self._turn, Draft(self._turn.turn_id, self._revision, len(self._said), text))
        self._said.append(sentence)


class Responder:
    """`use` says when the ladder should ask it."""

    def __init__(
        self,
        entries: Mapping[str, FaqEntry],
        version: str,
        settings: LocalModelSettings,
        model: Model,
        count: Count,
    ) -> None:
        self._entries, self._version, self._settings = entries, version, settings
        self._model, self._count = model, count
        self.use = settings.use

    async def answer(self, turn: Turn, show: Show | None, revision: int) -> Reply | None:
        """None where it is not sure, is not there or is out of time. `show` gets each sentence as a draft."""
        near = await self._near(turn)
        if not near or not self._model.is_ready:
            return None
        attempt = _Attempt(turn, [entry for entry, _ in near], show, revision)
        outcome = await self._write(turn, brief(turn, [entry for entry, _ in near]), attempt)
        self._count(turn.tenant.id, outcome)
        if outcome != "answered":
            return None
        return Reply(
            attempt.text,
            Source.EDGE_MODEL,
            Reason.GENERATED,
            confidence=max(sureness for entry, sureness in near if entry.id in attempt.used),
            citations=tuple(_citation(entry, turn) for entry in attempt.used.values()),
            knowledge_version=self._version,
        )

    async def _near(self, turn: Turn) -> list[tuple[FaqEntry, float]]:
        """The entries that may answer it, in its language, nearest first; none for what is not for this model."""
        if self.use == "never" or (self.use == "before" and not is_simple(turn.text)):
            return []
        found: list[tuple[FaqEntry, float]] = []
        for match in await turn.nearest():
            entry = self._entries.get(match.label.removeprefix(FAQ)) if match.label.startswith(FAQ) else None
            is_near = match.confidence >= (ALSO_NEAR if found else NEAR[self.use])
            if entry is not None and is_near and language_of(entry.answers[turn.lang]) == turn.lang:
                found.append((entry, match.confidence))
        return found[:MOST_ENTRIES]

    async def _write(self, turn: Turn, prompt: Prompt, attempt: _Attempt) -> Outcome:
        budget, rest = Budget(self._settings.time_s, self._settings.tokens), ""
        try:
            async with aclosing(self._model.generate(turn.tenant.id, prompt, budget)) as pieces:
                async for piece in pieces:
                    whole, rest = sentences(rest + piece)
                    for sentence in whole:
                        if outcome := await attempt.take(sentence):
                            return outcome
        except CutShort:
            return attempt.outcome
        except EngineError as error:
            log.warning("local_model_gave_no_answer", turn_id=turn.turn_id, error=failure(error))
            return "failed"
        return (await attempt.take(rest.strip()) if rest.strip() else None) or attempt.outcome


def _citation(entry: FaqEntry, turn: Turn) -> Citation:
    return Citation(entry.questions[turn.lang], f"faq:{entry.id}", entry.answers[turn.lang])


def is_simple(text: str) -> bool:
    """One short question that can be understood by itself, with nothing in it to look up by a number."""
    line = text.strip()
    is_short = len(line) <= SIMPLE_CHARACTERS and len(words(line)) <= SIMPLE_WORDS
    return is_short and "\n" not in line and DIGIT.search(line) is None and not is_follow_up(line)


def answer_counter(registry: CollectorRegistry) -> Count:
    counter = Counter(
        "nearside_local_model_answers_total",
        "What became of turns that the edge's own model was asked about",
        ["tenant", "outcome"],
        registry=registry,
    )

    def count(tenant_id: str, outcome: Outcome) -> None:
        counter.labels(tenant_id, outcome).inc()

    return count
