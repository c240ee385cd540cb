import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from edge_node.control.operations import operations
from edge_node.messages import DeadReason, Delivery
from edge_node.settings import EdgeSettings
from edge_node.uplink.base import Answer
from nearside.errors import NearsideError, SettingsError, StorageError
from nearside.sealing import KeyRing
from tests.edge_node.control.stage import Operated, opened, running, settings_in, stopped
from tests.edge_node.stage import TENANT, ScriptedUplink, inbound, until

pytestmark = pytest.mark.unit

Stage = Callable[[EdgeSettings], AbstractAsyncContextManager[Operated]]


@pytest.fixture(params=[stopped, running])
async def operated(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Operated]:
    """Every operation does the same whether the edge runs or not."""
    stage: Stage = request.param
    async with stage(settings_in(tmp_path)) as ready:
        yield ready


def test_every_operation_is_found() -> None:
    expected = {"inbox", "outbox list", "outbox retry", "dead list", "dead show", "dead retry", "dead drop", "forget"}
    assert expected | {"keys rotate"} <= operations().keys()


async def test_what_does_not_wait_is_said(operated: Operated) -> None:
    assert await operated.ask("inbox") == [
        {"tenant": "demo", "queued": 0, "deferred": 0, "oldest_s": None, "turns": []}
    ]
    assert await operated.ask("outbox list") == [
        {"tenant": "demo", "pending": 0, "doubtful": 0, "oldest_s": None, "replies": []}
    ]
    assert await operated.ask("dead list") == [{"tenant": "demo", "turns": 0, "replies": 0, "calls": 0, "items": []}]


async def test_the_inbox_shows_how_many_turns_wait_and_since_when(operated: Operated) -> None:
    first, second = await operated.company.hears("one"), await operated.company.hears("two")
    [found] = await operated.ask("inbox", tenant="demo")
    assert (found["queued"], found["deferred"]) == (2, 0)
    assert [row["id"] for row in found["turns"]] == [first, second]
    assert 0 <= found["oldest_s"] == found["turns"][0]["age_s"] < 60
    [shorter] = await operated.ask("inbox", limit=1)
    assert (shorter["queued"], len(shorter["turns"])) == (2, 1)


async def test_the_outbox_shows_how_often_a_reply_was_tried_and_when_it_is_tried_again(operated: Operated) -> None:
    ended = await operated.company.answers()
    await operated.company.store.postpone(ended.event.id, "503", time.time() + 500)
    [found] = await operated.ask("outbox list")
    [row] = found["replies"]
    assert (found["pending"], row["id"], row["attempts"], row["reason"]) == (1, f"r{ended.event.id}", 1, "503")
    assert 400 < row["next_in_s"] <= 500


async def test_the_dead_list_counts_each_kind_and_says_why(operated: Operated) -> None:
    turn, reply, call = (
        await operated.company.parks("poison"),
        await operated.company.fails_to_send(),
        await operated.company.loses_a_call(),
    )
    [found] = await operated.ask("dead list")
    assert (found["turns"], found["replies"], found["calls"]) == (1, 1, 1)
    reasons = {row["id"]: row["reason"] for row in found["items"]}
    assert reasons == {turn: "turn_failed", reply: "gave_up", call: "outcome_unknown"}
    [filtered] = await operated.ask("dead list", reason="gave_up")
    assert [row["id"] for row in filtered["items"]] == [reply]


async def test_one_dead_thing_is_shown_with_what_was_said(operated: Operated) -> None:
    turn = await operated.company.parks("poison, please")
    found = await operated.ask("dead show", tenant="demo", id=turn)
    assert (found["customer"], found["message"], found["reason"]) == ("alice", "poison, please", "turn_failed")
    reply = await operated.ask("dead show", tenant="demo", id=await operated.company.fails_to_send())
    assert reply["reply"] == "An answer"


async def test_what_is_not_dead_cannot_be_shown(operated: Operated) -> None:
    turn = await operated.company.hears("hello")
    for item_id in (turn, "r1", "r9999999999999999999999", "t_1/2", "", "'"):
        with pytest.raises(NearsideError, match="nothing of that id is dead"):
            await operated.ask("dead show", tenant="demo", id=item_id)


async def test_what_is_dropped_leaves_the_list(operated: Operated) -> None:
    items = [
        await operated.company.parks("poison"),
        await operated.company.fails_to_send(),
        await operated.company.loses_a_call(),
    ]
    outcome = await operated.ask("dead drop", tenant="demo", ids=[*items, "t_none"])
    assert [row["id"] for row in outcome["dropped"]] == items
    assert outcome["left"] == [{"tenant": "demo", "id": "t_none"}]
    [found] = await operated.ask("dead list")
    assert found["items"] == []


async def test_a_call_is_never_retried(operated: Operated) -> None:
    call = await operated.company.loses_a_call()
    outcome = await operated.ask("dead retry", tenant="demo", ids=[call])
    assert (outcome["retried"], outcome["left"]) == ([], [{"tenant": "demo", "id": call}])
    assert (await operated.ask("dead retry"))["left"] == []


async def test_a_turn_that_is_retried_is_answered_by_a_running_edge(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path)) as operated:
        turn = await operated.company.parks("poison")
        outcome = await operated.ask("dead retry", tenant="demo", ids=[turn])
        assert outcome == {"retried": [{"tenant": "demo", "id": turn}], "left": [], "runs": True}
        await until(lambda: len(operated.outlet.sent) == 1)
        assert operated.outlet.sent[0].event.turn_id == turn


async def test_a_reply_that_is_retried_is_sent_by_a_running_edge(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path)) as operated:
        reply = await operated.company.fails_to_send()
        await operated.ask("dead retry", tenant="demo", ids=[reply])
        await until(lambda: [f"r{sent.event.id}" for sent in operated.outlet.sent] == [reply])


async def test_what_is_retried_of_a_stopped_edge_waits_for_its_start(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    async with stopped(settings) as operated:
        turn, reply = await operated.company.parks("poison"), await operated.company.fails_to_send()
        outcome = await operated.ask("dead retry")
        assert ({row["id"] for row in outcome["retried"]}, outcome["runs"]) == ({turn, reply}, False)
    store = await opened(settings)
    assert [one.turn_id for one in await store.open_turns()] == [turn]
    assert [f"r{one.ended.event.id}" for one in await store.unsent(())] == [reply]
    await store.close()


async def test_all_of_one_reason_are_retried_and_no_other(operated: Operated) -> None:
    kept = await operated.company.fails_to_send(DeadReason.REFUSED)
    await operated.company.fails_to_send(DeadReason.GAVE_UP)
    outcome = await operated.ask("dead retry", reason="gave_up")
    assert len(outcome["retried"]) == 1
    [found] = await operated.ask("dead list")
    assert [row["id"] for row in found["items"]] == [kept]


async def test_the_oldest_of_what_is_dead_is_taken_up_first(operated: Operated) -> None:
    died = [await operated.company.fails_to_send() for _ in range(3)]
    assert [row["id"] for row in (await operated.ask("dead retry"))["retried"]] == died


async def test_a_reply_that_waits_is_sent_at_once_when_an_operator_wants_it(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path)) as operated:
        ended = await operated.company.answers()
        await operated.company.store.postpone(ended.event.id, "503", time.time() + 500)
        outcome = await operated.ask("outbox retry")
        assert [row["id"] for row in outcome["retried"]] == [f"r{ended.event.id}"]
        await until(lambda: [sent.event.id for sent in operated.outlet.sent] == [ended.event.id])


async def test_a_reply_of_a_stopped_edge_is_due_at_its_start(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    async with stopped(settings) as operated:
        ended = await operated.company.answers()
        await operated.company.store.postpone(ended.event.id, "503", time.time() + 500)
        outcome = await operated.ask("outbox retry", tenant="demo", ids=[f"r{ended.event.id}", "r999"])
        assert [row["id"] for row in outcome["left"]] == ["r999"]
        [unsent] = await operated.company.store.unsent(())
        assert (unsent.next_at, unsent.attempts) == (None, 1)


async def test_a_reply_that_an_operator_wants_sent_keeps_its_reason_and_its_doubts(operated: Operated) -> None:
    ended = await operated.company.answers()
    await operated.company.store.record_attempt(ended.event.id, time.time())
    await operated.company.store.postpone(ended.event.id, "timeout", time.time() + 500, doubt=True)
    assert len((await operated.ask("outbox retry"))["retried"]) == 1
    if operated.edge.sender is None:
        [row] = (await operated.ask("outbox list"))[0]["replies"]
        assert (row["reason"], row["attempts"], row["doubtful"], row["next_in_s"]) == ("timeout", 1, 1, None)
    else:
        await until(lambda: [sent.doubtful for sent in operated.outlet.sent] == [True])


async def test_a_send_in_doubt_stays_in_doubt_when_an_operator_wants_it_sent(tmp_path: Path) -> None:
    """An attempt was recorded and not settled: what is done with it is decided at the start, and counted there."""
    async with stopped(settings_in(tmp_path)) as operated:
        ended = await operated.company.answers()
        await operated.company.store.record_attempt(ended.event.id, time.time())
        outcome = await operated.ask("outbox retry", tenant="demo", ids=[f"r{ended.event.id}"])
        assert outcome["left"]
        [unsent] = await operated.company.store.unsent(())
        assert unsent.doubts == 1


async def test_a_forgotten_customer_leaves_nothing_and_the_others_stay(operated: Operated) -> None:
    await operated.company.answers("my number is 42", customer="alice")
    kept = await operated.company.hears("hello", customer="bob")
    counts = await operated.ask("forget", tenant="demo", customer="alice")
    assert (counts["conversations"], counts["messages"], counts["replies"], counts["turns"]) == (1, 1, 1, 1)
    [inbox] = await operated.ask("inbox")
    [outbox] = await operated.ask("outbox list")
    assert ([row["id"] for row in inbox["turns"]], outbox["replies"]) == ([kept], [])
    assert set((await operated.ask("forget", tenant="demo", customer="alice")).values()) == {0}


async def test_a_customer_may_be_forgotten_on_one_channel_only(operated: Operated) -> None:
    await operated.company.hears("hello", customer="alice", channel="api")
    kept = await operated.company.hears("hello", customer="alice", channel="web")
    assert (await operated.ask("forget", tenant="demo", customer="alice", channel="api"))["conversations"] == 1
    [inbox] = await operated.ask("inbox")
    assert [row["id"] for row in inbox["turns"]] == [kept]


async def test_nothing_more_is_sent_to_a_forgotten_customer(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path)) as operated:
        ended = await operated.company.answers()
        await operated.company.store.postpone(ended.event.id, "503", time.time() + 500)
        await operated.ask("outbox list")
        await operated.ask("forget", tenant="demo", customer="alice")
        assert (await operated.ask("outbox retry"))["retried"] == []
        assert operated.outlet.sent == []


async def test_a_turn_that_waits_for_the_core_ends_when_its_customer_is_forgotten(tmp_path: Path) -> None:
    core = ScriptedUplink()
    core.hold = asyncio.Event()
    async with running(settings_in(tmp_path), core) as operated:
        turns = operated.edge.turns
        assert turns is not None
        await turns.accept(TENANT, inbound("who am I?", customer="alice"))
        await until(lambda: len(core.asked) == 1)
        await operated.ask("forget", tenant="demo", customer="alice")
        await until(lambda: turns.waiting("demo") == 0)
        assert operated.outlet.sent == []


async def test_a_send_under_way_is_cancelled_when_its_customer_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    async def send(_delivery: Delivery) -> None:
        told.append("begun")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            told.append("cancelled")
            raise

    async with running(settings_in(tmp_path)) as operated:
        monkeypatch.setattr(operated.outlet, "send", send)
        assert operated.edge.sender is not None
        operated.edge.sender.send(TENANT, operated.company.store, await operated.company.answers())
        await until(lambda: told == ["begun"])
        await operated.ask("forget", tenant="demo", customer="alice")
        await until(lambda: told == ["begun", "cancelled"])


async def test_what_runs_for_a_customer_goes_on_where_forgetting_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise StorageError("it is full")

    core = ScriptedUplink(Answer("from the core", True, 1.0, (), "1", False))
    core.hold = asyncio.Event()
    async with running(settings_in(tmp_path), core) as operated:
        assert operated.edge.turns is not None
        await operated.edge.turns.accept(TENANT, inbound("who am I?", customer="alice"))
        await until(lambda: len(core.asked) == 1)
        monkeypatch.setattr(operated.company.store, "forget", refuse)
        with pytest.raises(StorageError):
            await operated.ask("forget", tenant="demo", customer="alice")
        core.hold.set()
        await until(lambda: len(operated.outlet.sent) == 1)


async def test_a_forgotten_customer_of_a_tenant_without_data_is_nobody(tmp_path: Path) -> None:
    async with stopped(settings_in(tmp_path, "demo", "acme")) as operated:
        assert set((await operated.ask("forget", tenant="acme", customer="alice")).values()) == {0}


async def test_new_keys_open_what_the_old_ones_sealed(operated: Operated, tmp_path: Path) -> None:
    turn = await operated.company.hears("hello")
    folder = operated.edge.settings.data / "tenants" / "demo"
    keys, before = operated.edge.keys, operated.edge.keys.tenant_key(folder, "demo")
    node_before = (tmp_path / "node.key").read_bytes()
    assert await operated.ask("keys rotate") == {"wrapped": 1, "tenants": ["demo"]}
    assert operated.reports == [{"wrapped": 1}, {"tenant": "demo", "number": 1, "of": 1}]
    assert (tmp_path / "node.key").read_bytes() != node_before
    assert keys.tenant_keys(folder, "demo") == (operated.company.store.key,)
    assert operated.company.store.key != before
    [inbox] = await operated.ask("inbox")
    assert [row["id"] for row in inbox["turns"]] == [turn]
    assert await operated.company.hears("again")


async def test_one_tenants_new_key_leaves_the_nodes(operated: Operated, tmp_path: Path) -> None:
    node_before = (tmp_path / "node.key").read_bytes()
    assert await operated.ask("keys rotate", tenant="demo") == {"wrapped": None, "tenants": ["demo"]}
    assert (tmp_path / "node.key").read_bytes() == node_before


async def test_the_nodes_new_key_alone_leaves_the_files(operated: Operated, tmp_path: Path) -> None:
    node_before, before = (tmp_path / "node.key").read_bytes(), operated.company.store.key
    assert await operated.ask("keys rotate", node_only=True) == {"wrapped": 1, "tenants": []}
    assert (tmp_path / "node.key").read_bytes() != node_before
    folder = operated.edge.settings.data / "tenants" / "demo"
    assert operated.edge.keys.tenant_key(folder, "demo") == operated.company.store.key == before


async def test_a_rotation_that_was_cut_short_is_ended_by_the_next_one(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    async with stopped(settings) as operated:
        turn = await operated.company.hears("hello")
        folder = settings.data / "tenants" / "demo"
        await operated.company.store.rekey(operated.edge.keys.begin_rekey(folder, "demo"))
    async with stopped(settings) as operated:
        assert [row["id"] for row in (await operated.ask("inbox"))[0]["turns"]] == [turn]
        assert len(operated.edge.keys.tenant_keys(folder, "demo")) == 1
        await operated.ask("keys rotate", tenant="demo")
    store = await opened(settings)
    assert KeyRing(settings.node_key, "edge").tenant_key(folder, "demo") == store.key
    await store.close()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("inbox", {"limit": 0}),
        ("inbox", {"limit": "many"}),
        ("inbox", {"bogus": 1}),
        ("inbox", {"tenant": ["demo"]}),
        ("dead list", {"reason": "bad luck"}),
        ("dead show", {"tenant": "demo"}),
        ("dead drop", {"ids": ["t_1"]}),
        ("forget", {"customer": "alice"}),
        ("forget", {"tenant": "demo", "customer": "\ud800"}),
    ],
)
async def test_arguments_that_are_not_right_are_refused_and_not_quoted(
    operated: Operated, name: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(SettingsError, match="is not right") as refused:
        await operated.ask(name, **arguments)
    assert "bad luck" not in str(refused.value) and "alice" not in str(refused.value)


@pytest.mark.parametrize("name", ["inbox", "outbox list", "dead list", "dead retry", "outbox retry", "keys rotate"])
async def test_a_tenant_that_nobody_knows_is_said(operated: Operated, name: str) -> None:
    with pytest.raises(SettingsError, match="no tenant acme — this edge serves demo"):
        await operated.ask(name, tenant="acme")
