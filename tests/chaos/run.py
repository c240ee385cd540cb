"""A chaos run: customers talk to the edge while it is killed again and again; then everything is counted."""

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import httpx2

from tests import planted
from tests.chaos import programs
from tests.chaos.customers import Conversation, Pace, Scene
from tests.chaos.edge import Edge
from tests.chaos.record import Frame, Record, StuckError
from tests.chaos.script import Script, Strike
from tests.chaos.verdict import Logs, Verdict, judge
from tests.chaos.visitors import Secret, SpeakingTab, Tab
from tests.sealed import open_sealed
from tests.servers import Demo

QUIET_S = (1.0, 5.0, 15.0)
"""How long nothing more may come before a log is taken as whole; again and longer while something is missing."""

Show = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    script: Script
    record: Record
    verdict: Verdict
    logs: Logs
    rows: dict[str, int]
    """Of the edge's file after its end: what is open, dead or doubtful."""
    leaks: list[str]

    @property
    def is_good(self) -> bool:
        return self.verdict.is_good and not self.leaks


async def chaos(demo: Demo, script: Script, show: Show) -> Outcome:
    """Raises ServerError if the edge does not start again."""
    with Edge(demo) as edge:
        record = Record(edge.door.is_set)
        scene = Scene(demo, demo.tls, record, Pace(), edge.door)
        async with programs.client(scene) as http, asyncio.TaskGroup() as group:
            with customers(group, scene, http, script):
                await attack(edge, scene, script, show)
                logs = await settle(edge, scene, http, script, show)
        await edge.stop()
    rows, dead = left_in_file(demo)
    return Outcome(script, record, judge(record, logs, dead), logs, rows, planted.findings(demo.home))


@contextmanager
def customers(group: asyncio.TaskGroup, scene: Scene, http: httpx2.AsyncClient, script: Script) -> Iterator[None]:
    """Every other conversation is one of the API; every third of the chat's is open in two tabs."""
    chance = random.Random(script.seed)
    tasks = []
    for number, lines in enumerate(script.lines):
        conversation = Conversation(scene, f"c-{number}", lines, random.Random(chance.random()))
        if number % 2:
            secret = Secret()
            tasks.append(group.create_task(SpeakingTab(conversation, secret).run()))
            if number % 3 == 0:
                tasks.append(group.create_task(Tab(conversation, secret).run()))
        else:
            reader = scene.record.reader(conversation.name, conversation.name, is_shown_own=True)
            tasks.append(group.create_task(programs.Program(conversation, http).run()))
            tasks.append(group.create_task(programs.follow(scene, http, reader)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()


async def attack(edge: Edge, scene: Scene, script: Script, show: Show) -> None:
    for number, strike in enumerate(script.strikes):
        await scene.pace.let_out(script.portion * (number + 1))
        await moment_of(strike, script.portion * number + strike.taken, edge, scene)
        await edge.kill()
        scene.record.killed()
        scene.record.counts[strike.moment] += 1
        edge.start()
        show(f"{number + 1} of {len(script.strikes)} kills, {len(scene.record.acknowledged)} messages acknowledged")
    await scene.pace.let_out(script.messages)


async def moment_of(strike: Strike, acknowledged: int, edge: Edge, scene: Scene) -> None:
    if strike.moment == "starting":
        await asyncio.sleep(strike.delay_s)
        return
    record = scene.record
    await record.until(lambda: edge.is_well() and len(record.acknowledged) >= acknowledged, "messages taken")
    if strike.moment == "working":
        await asyncio.sleep(strike.delay_s)
    elif not await edge.ask_to_stop(strike.delay_s):
        edge.start()  # it was faster than we; the kill meets the next one
        await record.until(lambda: edge.is_well() and edge.door.is_set(), "the edge again")


async def settle(edge: Edge, scene: Scene, http: httpx2.AsyncClient, script: Script, show: Show) -> Logs:
    """Waits until all is acknowledged, answered and seen, as far as it comes to that; the logs then."""
    record = scene.record
    with suppress(StuckError):
        await record.until(lambda: edge.is_well() and len(record.acknowledged) == script.messages, "messages taken")
        show(f"all {script.messages} messages acknowledged, {record.unanswered} answers to come")
        await record.until(lambda: record.unanswered == 0, "answers")
    show("reading the logs back")
    threads = list(record.threads)
    logs = await asyncio.gather(*(whole_log(scene, http, thread) for thread in threads))
    by_thread = dict(zip(threads, logs, strict=True))
    last = {thread: log[-1]["event_id"] if log else 0 for thread, log in by_thread.items()}
    with suppress(StuckError):
        await record.until(
            lambda: all(reader.highest >= last[reader.thread] for reader in record.readers), "tabs", 10.0
        )
    return by_thread


async def whole_log(scene: Scene, http: httpx2.AsyncClient, thread: str) -> list[Frame]:
    record = scene.record
    wanted = {turn_id for message_id in record.threads[thread] for turn_id in record.acknowledged[message_id]}
    log: list[Frame] = []
    for quiet_s in QUIET_S:
        log = await programs.read_log(scene, http, thread, quiet_s)
        if wanted <= {frame["turn_id"] for frame in log if frame["type"] == "reply" and frame["final"]}:
            break
    return log


def left_in_file(demo: Demo) -> tuple[dict[str, int], list[str]]:
    """Rows by what they are, and the ids of dead turns."""
    connection = open_sealed(demo.home / "edge" / "edge.toml", demo.env["TENANT"])
    try:
        rows = {
            "open": "SELECT count(*) FROM inbox WHERE status IN ('queued', 'deferred')",
            "unsent": "SELECT count(*) FROM outbox WHERE status IN ('pending', 'sending')",
            "dead": "SELECT (SELECT count(*) FROM inbox WHERE status = 'dead')"
            " + (SELECT count(*) FROM outbox WHERE status IN ('dead', 'failed'))",
            "doubtful": "SELECT (SELECT count(*) FROM inbox WHERE status = 'doubtful')"
            " + (SELECT count(*) FROM outbox WHERE status = 'doubtful')",
        }
        counted = {name: int(connection.execute(query).fetchone()[0]) for name, query in rows.items()}
        dead = [row[0] for row in connection.execute("SELECT turn_id FROM inbox WHERE status = 'dead'")]
        return counted, dead
    finally:
        connection.close()
