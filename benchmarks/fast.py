"""Answers that the edge gives alone, through TLS and the WebSocket protocol, committed in and out."""

import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from operator import methodcaller

import uvloop

from benchmarks.customers import (
    Load,
    Subject,
    as_fast_as_answered,
    at_rate,
    edge_turn,
    enter_chat,
)
from benchmarks.encoder import bare_run_ms
from benchmarks.figures import Budget, Figure, Limit, Section, WrongAnswerError
from benchmarks.questions import GREETING, KNOWN_QUESTION, FaqQuestions
from benchmarks.stage import Stage
from tests.servers import ROOT

CONNECTIONS = (1, 16)
ROUNDS = 3
INTERVAL_S = 1.5
WARM_UP_S = 1.0
RATE_PER_S = 50.0
RATE_CONNECTIONS = 16
RATE_INTERVAL_S = 2.5
PROBES = 250
STRAYS = 0.01
"""Share of the distinct variations that the edge may take for something else."""

ECHO, COMMITS, RULE, DISTINCT, AGAIN = "echo", "echo + 2 commits", "rule", "FAQ, new words", "FAQ, seen before"
LEAST_PER_S = {RULE: 2_000, DISTINCT: 1_000, AGAIN: 2_000}

Loads = Mapping[str, Load]


def measure(stage: Stage) -> list[Section]:
    return uvloop.run(_measure(stage))


async def _measure(stage: Stage) -> list[Section]:
    questions = await _understood(stage)
    variations = Variations(questions)
    subjects = [*bare_subjects(stage), *_edge_subjects(stage, variations)]
    for subject in subjects:
        await as_fast_as_answered(subject, 4, WARM_UP_S, Load())
    sections = []
    for connections in CONNECTIONS:
        loads = {subject.name: Load() for subject in subjects}
        for subject in _interleaved(subjects):
            await as_fast_as_answered(subject, connections, INTERVAL_S, loads[subject.name])
        sections.append(_throughput(connections, loads))
    loads = {subject.name: Load() for subject in subjects}
    for subject in _interleaved(subjects):
        await at_rate(subject, RATE_CONNECTIONS, RATE_PER_S, RATE_INTERVAL_S, loads[subject.name])
    return [*sections, _paced(loads, bare_run_ms(variations.asked)), variations.conclude()]


def _interleaved(subjects: Iterable[Subject]) -> list[Subject]:
    return list(subjects) * ROUNDS


class Variations:
    """FAQ questions in new words, and how many of them the edge took for something else."""

    def __init__(self, questions: FaqQuestions) -> None:
        self._questions, self._strays = questions, 0
        self.asked: list[str] = []

    def __iter__(self) -> "Variations":
        self._texts = self._questions.distinct()
        return self

    def __next__(self) -> str:
        self.asked.append(next(self._texts))
        return self.asked[-1]

    def check(self, text: str, frame: str) -> None:
        reply = json.loads(frame)
        if reply["source"] == "faq" and self._questions.is_answer(text, reply["text"].strip()):
            return
        self._strays += 1

    def conclude(self) -> Section:
        """Raises WrongAnswerError if too many went astray."""
        share = self._strays / len(self.asked)
        if share > STRAYS:
            raise WrongAnswerError(f"{share:.1%} of the FAQ questions in new words did not get their answer")
        budget = Budget(f"≤ {STRAYS * 100:.0f} %", most=STRAYS * 100)
        title = f"of {len(self.asked):,} FAQ questions, each asked once"
        return Section(
            "answers checked", (Figure(f"{title}: not answered by their entry", share * 100, "%", (), budget),)
        )


async def _understood(stage: Stage) -> FaqQuestions:
    """Variations of the questions that the edge knows to be FAQ: a miss belongs to other measurements."""
    questions, understood = FaqQuestions(ROOT / "demo" / "faq.yaml"), set()

    def learn(text: str, frame: str) -> None:
        reply = json.loads(frame)
        if reply["source"] == "faq" and questions.is_answer(text, reply["text"].strip()):
            understood.add(text)

    probes = questions.probes(PROBES)
    subject = edge_subject(stage, "probes", iter(probes), learn)
    await at_rate(subject, 1, len(probes), 1.0, Load())
    questions.keep(understood)
    if len(understood) < PROBES / 2:
        raise WrongAnswerError(f"only {len(understood)} of {PROBES} FAQ questions get their answer")
    return questions


def bare_subjects(stage: Stage) -> list[Subject]:
    bare, texts = stage.bare, itertools.repeat(KNOWN_QUESTION)
    url = f"wss://localhost:{bare.port}"
    return [
        Subject(ECHO, f"{url}/echo", bare.tls, bare.pid, texts),
        Subject(COMMITS, f"{url}/committed-echo", bare.tls, bare.pid, texts),
    ]


def _edge_subjects(stage: Stage, variations: Variations) -> list[Subject]:
    return [
        edge_subject(stage, RULE, itertools.repeat(GREETING), expect("rule")),
        edge_subject(stage, DISTINCT, iter(variations), variations.check),
        edge_subject(stage, AGAIN, itertools.repeat(KNOWN_QUESTION), expect("faq", "cache")),
    ]


def edge_subject(stage: Stage, name: str, texts: Iterable[str], check: Callable[[str, str], None]) -> Subject:
    env = stage.demo.env
    url = env["EDGE_URL"].replace("https", "wss") + f"/v1/{env['TENANT']}/chat"
    return Subject(name, url, stage.demo.tls, int(env["EDGE_PID"]), iter(texts), edge_turn, enter_chat, check)


def expect(*sources: str) -> Callable[[str, str], None]:
    def check(text: str, frame: str) -> None:
        reply = json.loads(frame)
        if reply["source"] not in sources or not reply["final"] or not reply["text"]:
            raise WrongAnswerError(f'"{text}" was answered by {reply["source"]} ({reply["reason"]})')

    return check


def _throughput(connections: int, loads: Loads) -> Section:
    figures = []
    for name, load in loads.items():
        budget = None
        if connections > 1 and name in LEAST_PER_S:
            budget = Budget(f"≥ {LEAST_PER_S[name]:,} /s", least=LEAST_PER_S[name])
        figures.append(Figure(f"{name}, turns", load.per_s, "/s", _limits(loads, name, lambda of: of.per_s), budget))
    for share in (50, 99):
        for name, load in loads.items():
            limits = _limits(loads, name, methodcaller("percentile", share))
            figures.append(Figure(f"{name}, p{share}", load.percentile(share), "ms", limits))
    for name, load in loads.items() if connections > 1 else ():
        limits = _limits(loads, name, lambda of: of.cpu_ms)
        figures.append(Figure(f"{name}, server's processor time", load.cpu_ms, "ms", limits))
    for name, load in loads.items() if connections > 1 else ():
        figures.append(Figure(f"{name}, customers' processor time", load.client_cpu_ms, "ms"))
    plural = "s" if connections > 1 else ""
    return Section(f"fast answers over TLS WebSockets, {connections} connection{plural}", tuple(figures))


def _paced(loads: Loads, encoder_ms: float) -> Section:
    figures = []
    for name, load in loads.items():
        base = encoder_ms if name in (DISTINCT, AGAIN) else 0.0
        told = f"≤ 5 ms + encoder's {base:.1f}" if base else "≤ 5 ms"
        budget = Budget(told, most=5.0 + base) if name in LEAST_PER_S else None
        limits = _limits(loads, name, methodcaller("percentile", 50))
        figures.append(Figure(f"{name}, p50", load.percentile(50), "ms", limits, budget))
    for name, load in loads.items():
        budget = Budget("≤ 20 ms", most=20.0) if name in LEAST_PER_S else None
        limits = _limits(loads, name, methodcaller("percentile", 99))
        figures.append(Figure(f"{name}, p99", load.percentile(99), "ms", limits, budget))
    title = f"fast answers at {RATE_PER_S:.0f} turns/s, {RATE_CONNECTIONS} connections"
    return Section(title, tuple(figures))


def _limits(loads: Loads, name: str, value: Callable[[Load], float]) -> tuple[Limit, ...]:
    names = {ECHO: (), COMMITS: (ECHO,)}.get(name, (ECHO, COMMITS))
    return tuple(Limit(limit, value(loads[limit])) for limit in names)
