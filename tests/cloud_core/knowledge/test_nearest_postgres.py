"""Dense search on PostgreSQL beyond what stays in memory: pgvector's index beside an exact scan."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from cloud_core.knowledge.stores.base import Entry, Vector
from cloud_core.knowledge.stores.postgres import nearest, snapshot
from cloud_core.knowledge.stores.postgres.schema import index_of
from cloud_core.knowledge.stores.postgres.store import PostgresStore
from tests.cloud_core.knowledge.store_contract import document
from tests.cloud_core.stage_postgres import tenants_on
from tests.postgres import PostgresServer
from tests.servers import ROOT

pytestmark = pytest.mark.server
WIDTH, COUNT, DOCUMENTS, LIMIT = 384, 1_500, 30, 10
ENCODER = "one"


def clustered(count: int, seed: int) -> NDArray[np.float16]:
    """(n, 384) of length 1, in 60 clusters that are the same for every seed."""
    centres = np.random.default_rng(0).standard_normal((60, WIDTH))
    noise = np.random.default_rng(seed)
    vectors = centres[noise.integers(0, len(centres), count)] + 0.6 * noise.standard_normal((count, WIDTH))
    halved: NDArray[np.float16] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    return halved


@pytest.fixture(scope="module")
def filled(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresStore]:
    """1,500 passages in 30 documents; of each document's vectors one says nothing."""
    tenants = tenants_on(postgres_server.make_database(), tmp_path_factory.mktemp("nearest"))
    database = tenants.add("demo", "Demo").database
    assert database is not None
    store = PostgresStore(database)
    for name, part in enumerate(np.split(clustered(COUNT, 1), DOCUMENTS)):
        entries = [
            Entry(f"{name}#{at}", "", f"text {name} {at}", "en", Vector(values, 0.0 if at else 0.9))
            for at, values in enumerate(part)
        ]
        store.put(document(f"{name}.md"), f"1:{name}", entries, ENCODER)
    store.publish()
    with pytest.MonkeyPatch.context() as small:
        small.setattr(snapshot, "MOST_IN_MEMORY", 100)
        small.setattr(nearest, "FEW", 100)
        yield store
    tenants.close()


def exact(store: PostgresStore, asked: NDArray[np.float32], counting: NDArray[np.int64]) -> list[int]:
    scores = clustered(COUNT, 1).astype(np.float32) @ asked
    scores[:: COUNT // DOCUMENTS] = -1.0
    with store.reading() as reading:
        numbers = reading.catalogue.numbers
    scores[~np.isin(numbers, counting)] = -1.0
    return [int(number) for number in numbers[np.argsort(-scores)[:LIMIT]]]


def test_the_index_finds_what_an_exact_scan_finds(filled: PostgresStore) -> None:
    hits = 0
    for asked in clustered(40, 2).astype(np.float32):
        with filled.reading() as reading:
            found = reading.dense(asked, LIMIT)
            assert len(found) == LIMIT
            assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
            hits += len({number for number, _ in found} & set(exact(filled, asked, reading.catalogue.numbers)))
    assert hits / (40 * LIMIT) >= 0.95


def test_with_a_filter_there_are_as_many_and_the_right_ones(filled: PostgresStore) -> None:
    hits = 0
    for asked in clustered(20, 3).astype(np.float32):
        with filled.reading() as reading:
            among = reading.catalogue.documents % 5 == 3
            found = [number for number, _ in reading.dense(asked, LIMIT, among)]
            counting = reading.catalogue.numbers[among]
            assert len(found) == LIMIT and set(found) <= set(counting.tolist())
            hits += len(set(found) & set(exact(filled, asked, counting)))
    assert hits / (20 * LIMIT) >= 0.95


def test_few_that_count_are_compared_one_by_one(filled: PostgresStore) -> None:
    asked = clustered(1, 4)[0].astype(np.float32)
    with filled.reading() as reading:
        among = reading.catalogue.documents == 7
        found = [number for number, _ in reading.dense(asked, LIMIT, among)]
        assert found == exact(filled, asked, reading.catalogue.numbers[among])


def test_the_index_is_what_is_asked(filled: PostgresStore) -> None:
    """Not a scan and a sort, which give the same."""
    asked = clustered(1, 5)[0].astype(np.float32)
    before, _ = used(filled)
    with filled.reading() as reading:
        reading.dense(asked, LIMIT)
    assert used(filled)[0] == before + 1


def test_no_more_is_fetched_than_is_wanted(filled: PostgresStore) -> None:
    """Beyond its first candidates the index searches anew, and longer."""
    asked = clustered(1, 6)[0].astype(np.float32)
    _, before = used(filled)
    with filled.reading() as reading:
        assert len(reading.dense(asked, 60)) == 60
    assert used(filled)[1] == before + 60


def test_the_docs_make_the_index_as_the_core_does() -> None:
    docs = " ".join((ROOT / "docs" / "core.md").read_text(encoding="utf-8").split())
    assert index_of(WIDTH) in docs.replace("tenant_shop.", "")


def used(store: PostgresStore) -> tuple[int, int]:
    """Scans of the index and entries they gave, counted when this session has said what it did."""
    query = "SELECT idx_scan, idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'vectors_384'"
    for statement in ("SELECT pg_stat_force_next_flush()", query):
        with store._connections.reading() as connection:
            row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])
