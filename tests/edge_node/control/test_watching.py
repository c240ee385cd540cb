"""What an operator's own tools see of an edge: gauges, conditions, and what is swept away."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from edge_node.control import retention
from edge_node.control.conditions import EdgeConditions, cause
from edge_node.control.gauges import GAUGES, Gauges
from edge_node.control.retention import Sweeper
from edge_node.messages import DeadReason
from nearside.errors import StorageError
from nearside.telemetry import Condition
from tests.edge_node.control.stage import Operated, settings_in, stopped

pytestmark = pytest.mark.unit


def figures(operated: Operated) -> dict[str, dict[tuple[str, ...], float]]:
    """As Prometheus reads them: by name, then by the values of the labels besides the tenant."""
    registry = CollectorRegistry()
    registry.register(Gauges(operated.edge.stores))
    return {
        family.name: {
            tuple(value for label, value in sample.labels.items() if label != "tenant"): sample.value
            for sample in family.samples
        }
        for family in text_string_to_metric_families(generate_latest(registry).decode())
    }


def conditions(operated: Operated) -> Mapping[str, Condition]:
    return {condition.name: condition for condition in EdgeConditions(operated.edge.stores, {}).all()}


async def test_the_gauges_count_what_waits_and_what_is_dead(tmp_path: Path) -> None:
    async with stopped(settings_in(tmp_path)) as operated:
        assert all(set(of_one.values()) == {0.0} for of_one in figures(operated).values())
        company = operated.company
        await company.hears("one"), await company.answers("two", customer="bob")
        await company.parks("poison"), await company.fails_to_send(), await company.loses_a_call()
        found = figures(operated)
    assert found.keys() == {gauge[0] for gauge in GAUGES}
    assert found["nearside_inbox_turns"] == {("queued",): 1, ("deferred",): 0}
    assert found["nearside_outbox_replies"] == {("pending",): 1}
    assert found["nearside_dead"] == {("turn",): 1, ("reply",): 1, ("call",): 1}
    assert 0 < found["nearside_inbox_oldest_seconds"][()] < 60
    assert 0 < found["nearside_outbox_oldest_seconds"][()] < 60


async def test_the_gauges_count_sends_in_doubt_and_erasures(tmp_path: Path) -> None:
    async with stopped(settings_in(tmp_path)) as operated:
        ended = await operated.company.answers()
        await operated.company.store.record_attempt(ended.event.id, time.time())
        await operated.company.store.unsent(())
        await operated.company.hears("hello", customer="bob")
        await operated.ask("forget", tenant="demo", customer="bob")
        found = figures(operated)
    assert found["nearside_outbox_doubtful"] == {(): 1}
    assert found["nearside_erasures_waiting"] == {(): 1}


async def test_a_store_that_cannot_be_read_has_no_gauges_and_says_why(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    async with stopped(settings) as operated:
        await operated.company.hears("hello")
        for file in (settings.data / "tenants" / "demo").glob("edge.db*"):
            file.write_bytes(b"damaged" * 10_000)
        assert all(of_one == {} for of_one in figures(operated).values())
        store = conditions(operated)["store_demo"]
        assert not store.ok and store.needed and "damaged: restore the backup" in store.detail


async def test_an_edge_that_is_well_meets_every_condition(tmp_path: Path) -> None:
    async with stopped(settings_in(tmp_path)) as operated:
        await operated.company.hears("hello")
        found = conditions(operated)
    assert found.keys() == {"store_demo", "dead", "doubtful"}
    assert all(condition.ok and not condition.detail for condition in found.values())


async def test_what_a_person_should_look_at_is_said_and_stops_nothing(tmp_path: Path) -> None:
    async with stopped(settings_in(tmp_path)) as operated:
        await operated.company.parks("poison", DeadReason.INTERRUPTED)
        await operated.company.fails_to_send()
        watched = EdgeConditions(operated.edge.stores, {})
        [dead] = [condition for condition in watched.all() if condition.name == "dead"]
        assert watched.ready
    assert (dead.ok, dead.needed) == (False, False)
    assert dead.detail == "demo: turns 1, replies 1; see `edge-node dead list`"


@pytest.mark.parametrize(
    ("sqlite", "meaning"),
    [
        ("database or disk is full", "disk full"),
        ("attempt to write a readonly database", "read-only"),
        ("unable to open database file: Read-only file system", "read-only"),
        ("database is locked", "locked by another program"),
        ("database disk image is malformed", "damaged"),
        ("file is not a database", "damaged"),
        ("disk I/O error", "the disk fails"),
        ("something new", "something new"),
    ],
)
def test_a_store_that_refuses_says_what_it_means_and_what_to_do(sqlite: str, meaning: str) -> None:
    assert cause(sqlite).startswith(meaning) and sqlite in cause(sqlite)


async def test_what_is_older_than_the_company_wants_to_keep_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PAUSE_S", 0.0)
    async with stopped(settings_in(tmp_path)) as operated:
        store, days = operated.company.store, {"demo": 30}
        for customer in ("alice", "bob"):
            ended = await operated.company.answers(customer=customer)
            await store.confirm_sent(ended.event.id, time.time())
        waiting = await operated.company.hears("still open", customer="carol")
        await Sweeper({"demo": store}, days).sweep()
        assert len(await store.conversations_of("alice")) == 1
        monkeypatch.setattr(retention, "DAY_S", -1.0)
        await Sweeper({"demo": store}, {"demo": 0}).sweep()
        assert len(await store.conversations_of("alice")) == 1
        await Sweeper({"demo": store}, days).sweep()
        assert [len(await store.conversations_of(one)) for one in ("alice", "bob", "carol")] == [0, 0, 1]
        assert [turn.turn_id for turn in await store.open_turns()] == [waiting]


async def test_a_company_whose_store_refuses_keeps_no_other_from_being_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "DAY_S", -1.0)
    async with stopped(settings_in(tmp_path)) as operated:
        store = operated.company.store
        ended = await operated.company.answers()
        await store.confirm_sent(ended.event.id, time.time())
        (tmp_path / "closed").mkdir()
        async with stopped(settings_in(tmp_path / "closed")) as other:
            closed = other.company.store
        await Sweeper({"closed": closed, "demo": store}, {"closed": 1, "demo": 1}).sweep()
        assert await store.conversations_of("alice") == []


async def test_a_sweeper_sweeps_after_the_start_and_then_every_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await Sweeper({}, {}).run()
    assert waits == [retention.FIRST_S, retention.EVERY_S, retention.EVERY_S]


async def refuse(_turn_ids: Sequence[str]) -> None:
    raise StorageError("it is full")


async def test_writers_that_have_their_turn_are_a_sign_of_life_and_so_is_one_that_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stopped(settings_in(tmp_path)) as operated:
        assert await operated.edge.is_alive()
        monkeypatch.setattr(operated.company.store, "erased", refuse)
        assert await operated.edge.is_alive()


async def test_a_writer_that_an_operation_holds_is_not_asked_for_a_sign_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_turn_ids: Sequence[str]) -> None:
        await asyncio.sleep(60)

    async with stopped(settings_in(tmp_path)) as operated:
        monkeypatch.setattr(operated.company.store, "erased", hang)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(operated.edge.is_alive(), 0.05)
        operated.edge.held.add("demo")
        assert await operated.edge.is_alive()
