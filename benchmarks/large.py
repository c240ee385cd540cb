"""`make bench-large`: knowledge of a million passages on PostgreSQL, filled first and given its vector index then."""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import corpus
from benchmarks.figures import Budget, Figure, Limit, Section, WrongAnswerError, percentile
from benchmarks.machine import MIB, resident_bytes, this_machine
from benchmarks.report import Report
from cloud_core.knowledge.base import KnowledgeBase
from cloud_core.knowledge.stores.base import Store
from cloud_core.knowledge.stores.postgres.schema import index_of
from cloud_core.knowledge.stores.postgres.store import PostgresStore
from nearside.encoder import DIMENSIONS
from nearside.errors import NearsideError
from tests.cloud_core.stage_postgres import tenants_on
from tests.postgres import Database, postgres_server
from tests.servers import ServerError

PASSAGES, WORDS = 1_000_000, 12
BLOCK = 10_000
WARMING, ASKED, COMPARED = 300, 1_000, 300
WANTED = 10
INDEX = f"vectors_{DIMENSIONS}"
SERVER = (
    "shared_buffers=3GB",
    "maintenance_work_mem=3GB",
    f"max_parallel_maintenance_workers={os.cpu_count() or 1}",
    "max_wal_size=16GB",
    "checkpoint_timeout=1h",
)
LATENCY = Budget("p99 at most 50 ms", most=50)
RECALL = Budget("at least 0.95", least=0.95)
BROKEN = (WrongAnswerError, ServerError, NearsideError, OSError)
_BUILT = "SELECT coalesce(max(100.0 * blocks_done / nullif(blocks_total, 0)), 0) FROM pg_stat_progress_create_index"
_SIZES = "SELECT pg_relation_size({0}), pg_database_size(current_database())"


def main() -> int:
    wanted = _arguments()
    report, began = Report(this_machine()), time.monotonic()
    report.open()
    try:
        report.add(measure(wanted.passages))
    except BROKEN as error:
        print(f"nearside: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    report.close(time.monotonic() - began)
    if wanted.json:
        wanted.json.write_text(json.dumps(report.as_json(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0


def measure(passages: int) -> Section:
    with filled(passages) as (database, store, took):
        notes = tuple(f"{name}: {seconds:,.0f} s" for name, seconds in took.items())
        figures = (*_nearest(store, passages), *_whole(store, passages), *_sizes(database))
    return Section(f"{passages:,} passages on PostgreSQL", figures, notes)


@contextmanager
def filled(passages: int) -> Iterator[tuple[Database, Store, dict[str, float]]]:
    """A company with so many published passages, and how long each step took."""
    took: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="nearside-large-") as home, postgres_server(*SERVER) as server:
        given = server.make_database()
        tenants = tenants_on(given, Path(home))
        database = tenants.add("demo", "Demo").database
        assert database is not None
        store = PostgresStore(database)
        try:
            with given.connect() as admin:
                admin.execute(f"DROP INDEX tenant_demo.{INDEX}".encode())
            with _timed(took, "passages and their vectors written"):
                fill(store, passages)
            with _timed(took, "published: indexed by words"):
                store.publish()
            with _timed(took, "indexed by vectors"):
                build_index(given)
            yield given, store, took
        finally:
            tenants.close()


def fill(store: Store, passages: int) -> None:
    written = 0
    for document in corpus.documents(passages, WORDS):
        if written % BLOCK == 0:
            vectors = corpus.vectors(min(BLOCK, passages - written), seed=1 + written // BLOCK)
            _say(f"{written:,} of {passages:,} passages written")
        at = written % BLOCK
        entries = document.entries(vectors[at : at + len(document.texts)])
        store.put(document.about, f"1:{document.document_id}", entries, corpus.MadeUp.fingerprint)
        written += len(document.texts)


def build_index(database: Database) -> None:
    """At once and on every core, which is much faster than row by row."""
    with database.connect() as owner, database.connect() as watching, ThreadPoolExecutor() as pool:
        owner.execute("SET search_path = tenant_demo, public")
        owner.execute("ANALYZE")
        building = pool.submit(owner.execute, index_of(DIMENSIONS).encode())
        while not building.done():
            (done,) = watching.execute(_BUILT).fetchone() or (0,)
            _say(f"vector index: {done:.0f} % of the table read")
            time.sleep(1)
        building.result()
        owner.execute("VACUUM ANALYZE")
    _say("")


def _nearest(store: Store, passages: int) -> tuple[Figure, ...]:
    asked = corpus.vectors(WARMING + ASKED, seed=0).astype(np.float32)
    took, found = [], []
    for vector in asked:
        with store.reading() as reading:
            numbers = reading.catalogue.numbers
            began = time.perf_counter()
            best = reading.dense(vector, WANTED)
            took.append(time.perf_counter() - began)
        found.append([number for number, _ in best])
    scans, right = _exactly(asked[WARMING : WARMING + COMPARED], numbers, passages)
    hits = [len(set(one) & set(other)) for one, other in zip(found[WARMING:], right, strict=False)]
    limit = Limit("an exact numpy scan", percentile(scans, 50))
    return (
        Figure("nearest 10 by vector, p50", percentile(took[WARMING:], 50), "ms", (limit,)),
        Figure("nearest 10 by vector, p99", percentile(took[WARMING:], 99), "ms", (limit,), LATENCY),
        Figure("recall@10 against exact search", sum(hits) / (WANTED * COMPARED), "", budget=RECALL),
    )


def _exactly(asked: corpus.Floats, numbers: NDArray[np.int64], passages: int) -> tuple[list[float], list[list[int]]]:
    """The seconds of each scan, and the numbers of the nearest 10."""
    known = np.concatenate(
        [corpus.vectors(min(BLOCK, passages - start), 1 + start // BLOCK) for start in range(0, passages, BLOCK)]
    ).astype(np.float32)
    took, found = [], []
    for vector in asked:
        began = time.perf_counter()
        scores = known @ vector
        rows = np.argpartition(scores, -WANTED)[-WANTED:]
        took.append(time.perf_counter() - began)
        found.append([int(number) for number in numbers[rows]])
    return took, found


def _whole(store: Store, passages: int) -> tuple[Figure, ...]:
    """Words, vectors and texts: what a customer's question asks for."""
    written = list(corpus.documents(min(passages, BLOCK), WORDS))
    knowledge = KnowledgeBase(store, corpus.MadeUp(seed=0))
    took = []
    for text, lang in corpus.questions(written, WARMING + ASKED):
        began = time.perf_counter()
        found = knowledge.search(text, lang)
        took.append(time.perf_counter() - began)
        if not found:
            raise WrongAnswerError(f"nothing is found for {text!r}")
    shares = [percentile(took[WARMING:], share) for share in (50, 99)]
    return (
        Figure("search by words and vector, p50", shares[0], "ms"),
        Figure("search by words and vector, p99", shares[1], "ms", budget=LATENCY),
    )


def _sizes(database: Database) -> tuple[Figure, ...]:
    with database.connect() as admin:
        query = _SIZES.format(f"'tenant_demo.{INDEX}'")
        index, whole = admin.execute(query.encode()).fetchone() or (0, 0)
    return (
        Figure("disk: the vector index", index / MIB, "MiB"),
        Figure("disk: the database", whole / MIB, "MiB"),
        Figure("memory: this process, with the catalogue", resident_bytes(os.getpid()) / MIB, "MiB"),
    )


@contextmanager
def _timed(took: dict[str, float], name: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    took[name] = time.monotonic() - began
    _say("")


def _say(text: str) -> None:
    """Progress, on one line of a terminal that is written over."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-large", description=__doc__)
    parser.add_argument(
        "--passages", type=int, default=PASSAGES, metavar="N", help=f"{PASSAGES:,} unless told otherwise"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
