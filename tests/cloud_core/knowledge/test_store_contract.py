"""The same for every store."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from cloud_core.knowledge.stores.base import KEPT_VERSIONS, Gap, Kind, Store
from nearside.errors import NearsideError
from nearside.lexical import search_terms
from tests.cloud_core.knowledge import sqlite_file
from tests.cloud_core.knowledge.store_contract import (
    ENCODER,
    State,
    StoreMachine,
    document,
    entries,
    holding,
    put,
    texts_with,
    vector,
)

pytestmark = pytest.mark.unit
Place = Callable[[], Store]


def in_sqlite(parts: ExitStack) -> Place:
    folder = parts.enter_context(tempfile.TemporaryDirectory())
    return lambda: sqlite_file.open_store(Path(folder) / "core.db")


KINDS: dict[str, Callable[[ExitStack], Place]] = {"sqlite": in_sqlite}
"""By the store's name, how to make a new, empty place; what it gives opens the same place each time."""


@pytest.fixture(params=sorted(KINDS))
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with ExitStack() as parts:
        open_one = KINDS[request.param](parts)

        def opened() -> Store:
            store = open_one()
            parts.callback(store.close)
            return store

        yield opened


@pytest.fixture
def store(place: Place) -> Store:
    return place()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_whatever_is_done_it_is_as_the_model_says(kind: str) -> None:
    parts = ExitStack()
    open_one: list[Place] = []

    class Machine(StoreMachine):
        @staticmethod
        def open_store() -> Store:
            if not open_one:
                open_one.append(KINDS[kind](parts))
            return open_one[0]()

        @staticmethod
        def forget() -> None:
            open_one.clear()
            parts.close()

    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    quick = (Phase.explicit, Phase.reuse, Phase.generate)  # making a failing example small takes minutes
    bounded = settings(max_examples=50, stateful_step_count=25, phases=quick, suppress_health_check=checks)
    run_state_machine_as_test(Machine, settings=bounded)


def test_an_empty_one_has_version_0(store: Store) -> None:
    assert (store.version(), store.encoder(), store.versions(), store.documents()) == ("0", "", [], [])
    assert (store.changes(), store.discard(), store.publish(), store.drop("a.md")) == ([], 0, "0", False)
    with store.reading() as snapshot:
        assert (len(snapshot.catalogue), snapshot.postings(["tent"]), snapshot.passages([1])) == (0, {}, {})
        assert snapshot.dense(np.ones(8, dtype=np.float32), 5) == []


def test_a_snapshot_is_of_one_moment(place: Place) -> None:
    reader, writer = place(), place()
    put(writer, "a.md", "kayak")
    writer.publish()
    with reader.reading() as snapshot:
        put(writer, "a.md", "tent")
        put(writer, "b.md", "kayak", "tent")
        writer.publish()
        assert snapshot.version == "1"
        assert (texts_with(snapshot, "kayak"), texts_with(snapshot, "tent")) == ({("a.md", "kayak")}, set())
    with reader.reading() as snapshot:
        assert texts_with(snapshot, "tent") == {("a.md", "tent"), ("b.md", "tent")}


def test_what_was_put_comes_back_as_it_was(store: Store) -> None:
    plain = replace(document("a.md"), tags=("boats", "租"), audience="staff")
    info = replace(plain, valid_from="2026-01-01", valid_until="2026-12-31")
    store.put(info, "7:x:abc", entries("a.md", ("kayak", "帐篷")), ENCODER)
    store.publish("with a note")
    (listed,) = store.documents()
    assert (listed.tags, listed.audience, listed.valid_from) == (("boats", "租"), "staff", "2026-01-01")
    assert (listed.passages, listed.size) == (2, len("kayak帐篷".encode()))
    known = store.known("a.md")
    assert known is not None and (known.digest, known.document) == ("7:x:abc", listed)
    (version,) = store.versions()
    assert (version.number, version.note, version.restored, version.kept) == (1, "with a note", None, True)
    with store.reading() as snapshot:
        (about,) = snapshot.catalogue.about
        assert (about.document_id, about.tags) == ("a.md", frozenset({"boats", "租"}))
        assert (about.audience, about.valid_from, about.valid_until) == ("staff", "2026-01-01", "2026-12-31")
        assert snapshot.catalogue.positions.tolist() == [0, 1]
        texts = (("Title of a.md", "Heading", text) for text in ("kayak", "帐篷"))
        assert snapshot.catalogue.lengths.tolist() == [[len(search_terms(part)) for part in one] for one in texts]
        numbers = [int(number) for number in snapshot.catalogue.numbers]
        first = snapshot.passages(numbers)[numbers[0]]
        assert (first.passage_id, first.title, first.heading, first.text) == (
            "a.md#0",
            "Title of a.md",
            "Heading",
            "kayak",
        )


def test_dense_search_looks_only_among_what_counts(store: Store) -> None:
    put(store, "a.md", "kayak", "tent", "boat")
    store.publish()
    asked = vector("tent").values.astype(np.float32)
    with store.reading() as snapshot:
        numbers = snapshot.catalogue.numbers
        assert snapshot.dense(asked, 1)[0][0] == numbers[1]
        among = np.array([True, False, True])
        assert {number for number, _ in snapshot.dense(asked, 5, among)} == {int(numbers[0]), int(numbers[2])}
        assert snapshot.dense(np.ones(3, dtype=np.float32), 5) == []


def test_known_vectors_are_those_of_one_encoder(store: Store) -> None:
    put(store, "a.md", "kayak")
    known = store.known_vectors(ENCODER, ["a.md#0", "b.md#0"])
    assert set(known) == {"a.md#0"}
    assert np.array_equal(known["a.md#0"].values, vector("kayak").values)
    assert store.known_vectors("another", ["a.md#0"]) == {}


def test_only_the_last_versions_are_kept_and_the_rest_is_gone(store: Store) -> None:
    for number in range(KEPT_VERSIONS + 4):
        put(store, "a.md", f"word{number}", "tent")
        store.publish()
    kept = [version.number for version in store.versions() if version.kept]
    assert kept == list(range(KEPT_VERSIONS + 4, 4, -1))
    assert len(store.versions()) == KEPT_VERSIONS + 4
    assert store.measure().vectors == 2 * KEPT_VERSIONS
    for number in (0, 4, KEPT_VERSIONS + 5, -1):
        with pytest.raises(NearsideError, match="no version"):
            store.rollback(number)
    with pytest.raises(NearsideError, match="live already"):
        store.rollback(KEPT_VERSIONS + 4)
    assert store.rollback(5) == str(KEPT_VERSIONS + 5)
    with store.reading() as snapshot:
        assert texts_with(snapshot, "word4") == {("a.md", "word4")}
    assert store.versions()[0].restored == 5


def test_many_small_pieces_of_the_index_become_few(store: Store) -> None:
    state: State = {}
    for number in range(30):
        put(store, f"{number}.md", "kayak", f"word{number}")
        state[f"{number}.md"] = ("kayak", f"word{number}")
        store.publish()
    assert store.measure().index_segments <= 10
    with store.reading() as snapshot:
        assert texts_with(snapshot, "kayak") == holding(state, "kayak")
        assert sum(len(segment.numbers) for segment in snapshot.segments()) >= 60
        assert any("word7" in segment.postings for segment in snapshot.segments())


def test_what_waits_goes_on_waiting_after_a_rollback_but_for_what_is_live_by_it(store: Store) -> None:
    put(store, "a.md", "kayak")
    put(store, "b.md", "tent")
    store.publish()
    store.drop("a.md")
    put(store, "b.md", "boat")
    put(store, "c.md", "lamp")
    store.publish()
    put(store, "a.md", "kayak")
    put(store, "b.md", "lamp")
    store.drop("c.md")
    assert len(store.changes()) == 3
    store.rollback(1)
    assert [(change.document_id, change.kind) for change in store.changes()] == [("b.md", Kind.UPDATED)]
    assert [it.document_id for it in store.documents()] == ["a.md", "b.md"]


def test_what_an_unpublished_document_had_before_is_gone(store: Store) -> None:
    put(store, "a.md", "kayak", "tent")
    with store.reading(draft=True) as snapshot:
        assert texts_with(snapshot, "kayak")
    put(store, "a.md", "boat")
    assert store.measure().vectors == 1
    store.publish()
    with store.reading() as snapshot:
        assert (texts_with(snapshot, "kayak"), texts_with(snapshot, "boat")) == (set(), {("a.md", "boat")})
    put(store, "b.md", "lamp")
    store.discard()
    assert store.measure().vectors == 1


def test_an_encoder_is_switched_to_when_no_passage_lacks_its_vectors(place: Place) -> None:
    store, reader = place(), place()
    put(store, "a.md", "kayak", "tent")
    store.publish()
    assert not store.switch_encoder("two")
    waiting = store.without_vectors("two", 10)
    assert [(one.title, one.heading, one.text) for one in waiting] == [
        ("Title of a.md", "Heading", "kayak"),
        ("Title of a.md", "Heading", "tent"),
    ]
    assert len(store.without_vectors("two", 1)) == 1
    store.put_vectors("two", [(waiting[0].number, vector("boat")), (10_000, vector("lamp"))])
    assert (store.switch_encoder("two"), reader.encoder()) == (False, ENCODER)
    with reader.reading() as snapshot:
        assert best(snapshot.dense(vector("kayak").values.astype(np.float32), 1)) > 0.99
    store.put_vectors("two", [(waiting[1].number, vector("lamp"))])
    assert (store.switch_encoder("two"), reader.encoder()) == (True, "two")
    with reader.reading() as snapshot:
        assert snapshot.encoder == "two"
        assert best(snapshot.dense(vector("kayak").values.astype(np.float32), 1)) < 0.99
        assert best(snapshot.dense(vector("boat").values.astype(np.float32), 1)) > 0.99
    assert store.measure().vectors == 2


def best(found: list[tuple[int, float]]) -> float:
    return found[0][1]


def test_what_was_learned_is_what_was_learned_last(place: Place) -> None:
    store, reader = place(), place()
    with reader.reading() as snapshot:
        assert snapshot.learned("topics") is None
    for blob in (b"one", b"two"):
        store.keep_learned("topics", blob)
        with reader.reading() as snapshot:
            assert (snapshot.learned("topics"), snapshot.learned("other")) == (blob, None)


def test_where_documents_came_from_is_the_last_folder(store: Store) -> None:
    store.note_sources("/one", ["a.md", "b.md"])
    store.note_sources("/two", ["b.md"])
    assert (store.from_source("/one"), store.from_source("/two")) == ({"a.md"}, {"b.md"})


def test_gaps_are_noted_once_and_forgotten(store: Store) -> None:
    first, second = Gap("t1", "帐篷多重？", "zh", "2026-01-01T00:00:00"), Gap("t2", "Why?", "en", "2026-01-02T00:00:00")
    for gap in (second, first, first):
        store.note_gap(gap)
    assert store.gaps() == [first, second]
    store.forget_gaps(["t1", "t9"])
    assert store.gaps() == [second]


def test_of_many_gaps_the_newest_are_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{type(store).__module__}.MOST_GAPS", 3)
    for at in range(5):
        store.note_gap(Gap(f"t{at}", "Any kayaks?", "en", f"2026-01-0{at + 1}"))
    assert [gap.turn_id for gap in store.gaps()] == ["t2", "t3", "t4"]


def test_what_was_learned_apart_from_documents_is_a_version_of_its_own(store: Store, place: Place) -> None:
    put(store, "a.md", "kayak")
    store.publish()
    put(store, "b.md", "tent")
    assert store.publish_learned("synonyms", b"kayak, boat", "synonyms") == store.version() == "2"
    with place().reading() as snapshot:
        assert (snapshot.version, snapshot.learned("synonyms")) == ("2", b"kayak, boat")
        assert texts_with(snapshot, "kayak") == {("a.md", "kayak")} and not texts_with(snapshot, "tent")
    newest = store.versions()[0]
    assert (store.learned("synonyms"), store.learned("other")) == (b"kayak, boat", None)
    assert (newest.number, newest.note, newest.documents, newest.restored) == (2, "synonyms", 1, None)
    assert [change.document_id for change in store.changes()] == ["b.md"]
    assert store.rollback(1) == "3"
