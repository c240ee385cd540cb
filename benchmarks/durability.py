"""What the promises cost: turns/s as they are kept against weaker ones, and as the store grows."""

import asyncio
import itertools
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import uvloop
from sqlcipher3 import dbapi2 as sqlite

from benchmarks.figures import Figure, Limit, Section, percentile
from benchmarks.filling import fill
from benchmarks.stage import Stage as Programs
from edge_node.messages import Delivery, Reply, Turn
from edge_node.storage import files, reader
from nearside.database import Connection, open_database
from nearside.origins import Reason, Source
from tests.edge_node.stage import KEY, TENANT, Answering, Collecting, Stage, inbound, staged

CUSTOMERS = 16
ROUND_S = 2.0
ROUNDS = 3
SIZES = (1_000, 10_000, 100_000, 1_000_000)

OpenDatabase = Callable[..., Connection]


class Announcing(Collecting):
    """A channel whose customers are told when their turn's reply has left."""

    def __init__(self) -> None:
        super().__init__()
        self.replied: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def send(self, delivery: Delivery) -> None:
        self.replied[delivery.event.turn_id].set()


def measure(programs: Programs) -> list[Section]:
    with tempfile.TemporaryDirectory(dir=programs.home) as folder:
        return uvloop.run(_measure(Path(folder)))


async def _measure(folder: Path) -> list[Section]:
    return [await _promises(folder), await _growth(folder)]


async def _promises(folder: Path) -> Section:
    kinds: dict[str, OpenDatabase] = {"FULL, sealed": open_database, "NORMAL, sealed": _normal, "FULL, plain": _plain}
    speeds: dict[str, list[float]] = {name: [] for name in kinds}
    for number, (name, opening) in itertools.product(range(ROUNDS), kinds.items()):
        with _opened_by(opening):
            took, seconds = await _converse(folder / f"{name} {number}")
        speeds[name].append(len(took) / seconds)
    best = {name: max(found) for name, found in speeds.items()}
    limits = tuple(Limit(name, speed) for name, speed in best.items() if name != "FULL, sealed")
    figure = Figure("turns/s, rule, store and pipeline alone", best["FULL, sealed"], "/s", limits)
    note = f"{CUSTOMERS} customers, each waits for its reply; the best of {ROUNDS} rounds; ours is FULL and sealed"
    return Section("what durability and sealing cost", (figure,), (note,))


async def _growth(folder: Path) -> Section:
    place, figures = folder / "grown", []
    place.mkdir()
    limits: tuple[Limit, ...] = ()
    filled = 0
    for size in SIZES:
        await asyncio.to_thread(fill, place / "edge.db", KEY, size - filled)
        filled = size
        took, _ = await _converse(place)
        value = percentile(took, 50)
        figures.append(Figure(f"a turn with {size:,} messages stored, p50", value, "ms", limits))
        limits = limits or (Limit(f"with {size:,}", value),)
    megabytes = (place / "edge.db").stat().st_size / 1e6
    note = f"{CUSTOMERS} customers; the file is {megabytes:,.0f} MB at the end"
    return Section("cost of a turn as the store grows", tuple(figures), (note,))


async def _converse(folder: Path) -> tuple[list[float], float]:
    """Seconds of each turn, from the door to its reply sent, and of the whole round."""
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    took: list[float] = []
    outlet = Announcing()
    async with staged(folder, [Answering(_rule)], outlet=outlet) as stage:
        began = time.perf_counter()
        async with asyncio.TaskGroup() as customers:
            for _ in range(CUSTOMERS):
                customers.create_task(_customer(stage, outlet, began + ROUND_S, took))
        return took, time.perf_counter() - began


async def _customer(stage: Stage, outlet: Announcing, until: float, took: list[float]) -> None:
    thread = os.urandom(8).hex()
    while (began := time.perf_counter()) < until:
        message = inbound("When does my order arrive?", os.urandom(16).hex(), thread, thread)
        accepted = await stage.turns.accept(TENANT, message)
        await outlet.replied[accepted.turn_id].wait()
        del outlet.replied[accepted.turn_id]
        took.append(time.perf_counter() - began)


def _rule(turn: Turn) -> Reply:
    return Reply("It arrives within three working days.", Source.RULE, Reason.MATCHED)


@contextmanager
def _opened_by(opening: OpenDatabase) -> Iterator[None]:
    with patch.object(files, "open_database", opening), patch.object(reader, "open_database", opening):
        yield


def _normal(path: Path, key: bytes, *, read_only: bool = False) -> Connection:
    connection = open_database(path, key, read_only=read_only)
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _plain(path: Path, key: bytes, *, read_only: bool = False) -> Connection:
    """The same file without a key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite.connect(str(path), isolation_level=None, check_same_thread=False, timeout=5.0)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", f"query_only = {int(read_only)}"):
        connection.execute(f"PRAGMA {pragma}")
    return connection
