"""How fast a message is taken when nobody can answer it: the core is down, and every message needs it."""

import asyncio
import itertools

import uvloop

from benchmarks.customers import Load, at_rate
from benchmarks.fast import edge_subject, expect
from benchmarks.figures import Budget, Figure, Limit, Section, percentile
from benchmarks.posting import Door, post_at_rate
from benchmarks.questions import DOCUMENT_QUESTIONS, GREETING
from benchmarks.stage import Stage

PER_S = 200.0
CONNECTIONS = 16
INTERVAL_S = 3.0
ROUNDS = 2
GREETINGS_PER_S = 10.0

BARE, COMMITTED, EDGE = "bare 202", "202 + commit", "edge"


def measure(stage: Stage) -> list[Section]:
    doors = _doors(stage)
    stage.demo.kill_core()
    return uvloop.run(_measure(stage, doors))


async def _measure(stage: Stage, doors: list[Door]) -> list[Section]:
    took: dict[str, list[float]] = {door.name: [] for door in doors}
    alone, meanwhile = Load(), Load()
    greeting = edge_subject(stage, "greeting", itertools.repeat(GREETING), expect("rule"))
    await at_rate(greeting, 1, GREETINGS_PER_S, INTERVAL_S, alone)
    for door in doors * ROUNDS:
        posting = asyncio.create_task(post_at_rate(door, DOCUMENT_QUESTIONS, CONNECTIONS, PER_S, INTERVAL_S))
        if door.name == EDGE:
            await at_rate(greeting, 1, GREETINGS_PER_S, INTERVAL_S, meanwhile)
        took[door.name] += await posting
    return [_acknowledgements(took), _greetings(alone, meanwhile)]


def _doors(stage: Stage) -> list[Door]:
    demo, bare = stage.demo, stage.bare
    bearer = f"Authorization: Bearer {demo.env['API_KEY']}\r\n"
    return [
        Door(BARE, bare.port, "/accept", bare.tls),
        Door(COMMITTED, bare.port, "/committed-accept", bare.tls),
        Door(EDGE, stage.edge_port, f"/v1/{demo.env['TENANT']}/messages", demo.tls, bearer),
    ]


def _acknowledgements(took: dict[str, list[float]]) -> Section:
    figures = []
    for share in (50, 99):
        limits: tuple[Limit, ...] = ()
        for name, latencies in took.items():
            value = percentile(latencies, share)
            budget = Budget("≤ 10 ms", most=10.0) if (name, share) == (EDGE, 99) else None
            figures.append(Figure(f"{name}, p{share}", value, "ms", limits, budget))
            limits = (*limits, Limit(name, value))
    title = f"acknowledged at {PER_S:.0f} messages/s, the core down, {CONNECTIONS} connections"
    return Section(title, tuple(figures))


def _greetings(alone: Load, meanwhile: Load) -> Section:
    budget = Budget("≤ 20 ms", most=20.0)
    figures = []
    for share in (50, 99):
        limit = Limit("core down, nothing else", alone.percentile(share))
        name = f"a greeting answered meanwhile, p{share}"
        figures.append(Figure(name, meanwhile.percentile(share), "ms", (limit,), budget if share == 99 else None))
    return Section("what the others notice of it", tuple(figures))
