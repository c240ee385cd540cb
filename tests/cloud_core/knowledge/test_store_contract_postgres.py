"""What every store promises, on PostgreSQL; and that nothing of a text can be read there."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from psycopg import sql

from cloud_core.knowledge.stores.base import Gap, Store
from cloud_core.knowledge.stores.postgres.store import PostgresStore
from cloud_core.tenants.postgres import PostgresTenants
from tests.cloud_core.knowledge import test_store_contract as contract
from tests.cloud_core.knowledge.store_contract import StoreMachine, document, entries, put, texts_with
from tests.cloud_core.knowledge.test_store_contract import (  # noqa: F401  run here too, with the `place` below
    store,
    test_a_snapshot_is_of_one_moment,
    test_an_empty_one_has_version_0,
    test_an_encoder_is_switched_to_when_no_passage_lacks_its_vectors,
    test_dense_search_looks_only_among_what_counts,
    test_gaps_are_noted_once_and_forgotten,
    test_known_vectors_are_those_of_one_encoder,
    test_many_small_pieces_of_the_index_become_few,
    test_of_many_gaps_the_newest_are_kept,
    test_only_the_last_versions_are_kept_and_the_rest_is_gone,
    test_what_an_unpublished_document_had_before_is_gone,
    test_what_waits_goes_on_waiting_after_a_rollback_but_for_what_is_live_by_it,
    test_what_was_learned_apart_from_documents_is_a_version_of_its_own,
    test_what_was_learned_is_what_was_learned_last,
    test_what_was_put_comes_back_as_it_was,
    test_where_documents_came_from_is_the_last_folder,
)
from tests.cloud_core.stage_postgres import tenants_on
from tests.postgres import Database

pytestmark = pytest.mark.server
Place = Callable[[], Store]
NUMBERS = count()


@pytest.fixture
def tenants(postgres: Database, tmp_path: Path) -> Iterator[PostgresTenants]:
    opened = tenants_on(postgres, tmp_path)
    yield opened
    opened.close()


def place_in(tenants: PostgresTenants) -> Place:
    tenant = tenants.add(f"company-{next(NUMBERS)}", "Company")
    assert tenant.database is not None
    database = tenant.database
    return lambda: PostgresStore(database)


@pytest.fixture
def place(tenants: PostgresTenants) -> Iterator[Place]:
    with ExitStack() as parts:
        open_one = place_in(tenants)

        def opened() -> Store:
            opened_now = open_one()
            parts.callback(opened_now.close)
            return opened_now

        yield opened


def test_no_test_of_the_contract_is_left_out() -> None:
    missing = {name for name in vars(contract) if name.startswith("test_")} - globals().keys()
    assert missing == set()


def test_whatever_is_done_it_is_as_the_model_says(tenants: PostgresTenants) -> None:
    open_one: list[Place] = []

    class Machine(StoreMachine):
        @staticmethod
        def open_store() -> Store:
            if not open_one:
                open_one.append(place_in(tenants))
            return open_one[0]()

        @staticmethod
        def forget() -> None:
            open_one.clear()

    run_state_machine_as_test(Machine, settings=settings(max_examples=10, stateful_step_count=25, deadline=None))


def test_no_text_can_be_read_in_the_database(place: Place, postgres: Database) -> None:
    kept = place()
    info = replace(document("a.md"), audience="marker-audience", tags=("marker-tag",))
    kept.put(info, "1:digest", entries("a.md", ("marker-kayak weighs 20 kg", "帐篷三公斤")), "one")
    kept.publish("marker-note")
    kept.keep_learned("topics", b"marker-learned")
    kept.note_gap(Gap("t1", "marker-question", "en", "2026-01-01"))
    dumped = everything_in(postgres)
    for word in (b"marker", "帐篷".encode(), b"Title of", b"kayak"):
        assert word.hex().encode() not in dumped and word not in dumped


def everything_in(given: Database) -> bytes:
    rows: list[bytes] = []
    with given.connect() as admin:
        tables = admin.execute("SELECT table_schema, table_name FROM information_schema.tables").fetchall()
        for schema, table in tables:
            if schema == "nearside" or schema.startswith("tenant_"):
                query = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(schema, table))
                rows += [str(row).encode() for row in admin.execute(query)]
    assert len(rows) > 10
    return b"\n".join(rows)


def test_two_companies_share_no_hash_of_a_word(tenants: PostgresTenants, postgres: Database) -> None:
    for _ in range(2):
        own = place_in(tenants)()
        put(own, "a.md", "kayak tent")
        own.publish()
    with postgres.connect() as admin:
        schemas = [row[0] for row in admin.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tenant_%'")]
        query = sql.SQL("SELECT term FROM {}")
        terms = [{row[0] for row in admin.execute(query.format(sql.Identifier(name, "terms")))} for name in schemas]
    assert len(terms) == 2 and all(terms) and not terms[0] & terms[1]


def test_cores_that_write_at_once_lose_nothing_and_give_no_number_twice(place: Place) -> None:
    begin, published = threading.Barrier(6), list[str]()

    def work(which: int) -> None:
        own = place()
        begin.wait()
        for turn in range(3):
            put(own, f"{which}-{turn}.md", "kayak", f"word{which}{turn}")
            published.append(own.publish(f"by {which}"))

    threads = [threading.Thread(target=work, args=(which,)) for which in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = place()
    assert len(published) == 18
    assert {info.document_id for info in kept.documents()} == {
        f"{one}-{turn}.md" for one in range(6) for turn in range(3)
    }
    numbers = [version.number for version in kept.versions()]
    assert numbers == list(range(len(numbers), 0, -1)) and kept.changes() == []
    with kept.reading() as snapshot:
        assert len(texts_with(snapshot, "kayak")) == 18
