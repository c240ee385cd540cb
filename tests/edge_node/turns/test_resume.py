"""What a start takes up: in which order, from a store that refuses at first, from a restored backup; and what shows."""

import asyncio
import time
from collections import defaultdict
from pathlib import Path

import pytest

from edge_node.messages import Delivery, Reply, Turn
from edge_node.storage.records import OpenTurn
from edge_node.storage.store import TenantStore
from nearside.errors import Refused, StorageError
from nearside.origins import Reason, Source
from tests.edge_node.stage import KEY, TENANT, Answering, Collecting, ScriptedUplink, Stage, inbound, staged, until

pytestmark = pytest.mark.unit


def echo(turn: Turn) -> Reply:
    return Reply(f"echo {turn.text}", Source.RULE, Reason.MATCHED)


def texts(stage: Stage) -> list[str]:
    return [delivery.event.body["text"] for delivery in stage.sent]


async def leave_open(folder: Path, *said: str) -> None:
    """Messages of one conversation whose turns are open when the program ends."""
    uplink = ScriptedUplink()
    uplink.hold = asyncio.Event()
    async with staged(folder, uplink=uplink) as stage:
        stage.grace_s = 0.0
        for number, text in enumerate(said):
            await stage.say(text, f"m{number}")


async def test_what_was_open_goes_before_what_comes_now(tmp_path: Path) -> None:
    said = [str(number) for number in range(30)]
    await leave_open(tmp_path, *said)
    async with staged(tmp_path, [Answering(echo)]) as stage:
        assert await stage.turns.resume() == 30
        await stage.say("now", "now")
        await stage.settle(31)
    assert texts(stage) == [f"echo {text}" for text in (*said, "now")]


async def test_a_tenant_whose_store_refuses_at_the_start_is_taken_up_when_it_is_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await leave_open(tmp_path, "one", "two")
    open_turns, is_well = TenantStore.open_turns, False

    async def refusing(store: TenantStore) -> list[OpenTurn]:
        if not is_well:
            raise StorageError("the store cannot be read")
        return await open_turns(store)

    monkeypatch.setattr(TenantStore, "open_turns", refusing)
    monkeypatch.setattr("edge_node.turns.turns.STORE_AGAIN_S", 0.001)
    async with staged(tmp_path, [Answering(echo)]) as stage:
        assert await stage.turns.resume() == 0
        with pytest.raises(Refused) as refused:
            await stage.say("now", "now")
        assert (refused.value.status, refused.value.retry_after_s) == (503, 5)
        is_well = True
        await until(lambda: not stage.turns._unresumed)
        await stage.say("now", "now")
        await stage.settle(3)
    assert texts(stage) == ["echo one", "echo two", "echo now"]


@pytest.mark.parametrize("idempotent", [True, False])
async def test_turns_open_in_a_backup_are_answered_only_where_a_second_reply_does_no_harm(
    tmp_path: Path, idempotent: bool
) -> None:
    await leave_open(tmp_path, "hello")
    TenantStore.mark_restored(tmp_path / "edge.db", [KEY])
    async with staged(tmp_path, [Answering(echo)]) as stage:
        if not idempotent:
            stage.turns._sender.idempotent_channels = ()
        await stage.turns.resume()
        await until(lambda: stage.turns.waiting("demo") == 0)
        dead = await stage.store.dead(10)
        assert [item.reason for item in dead] == ([] if idempotent else ["restored"])
        if not idempotent:
            assert await stage.store.revive(dead[0].id, time.time())
            await stage.turns.retry("demo", dead[0].id)
        reply = (await stage.settle(1))[0].event.body
    assert (reply["text"], reply["quotes"]) == ("echo hello", None if idempotent else "hello")


async def test_whoever_looks_sees_messages_and_replies_in_the_order_of_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message is shown when `accept` returns, a reply at its commit; often one commit holds both."""
    seen: dict[str, list[int]] = defaultdict(list)

    def show(_outlet: Collecting, delivery: Delivery) -> bool:
        seen[delivery.conversation.id].append(delivery.event.id)
        return True

    monkeypatch.setattr(Collecting, "show", show)
    async with staged(tmp_path, [Answering(echo)]) as stage:

        async def say(number: int) -> None:
            accepted = await stage.turns.accept(TENANT, inbound("hello", f"m{number}", f"t{number % 7}"))
            seen[accepted.conversation_id].append(accepted.event_id)

        for start in range(0, 600, 20):
            await asyncio.gather(*(say(number) for number in range(start, start + 20)))
        await until(lambda: sum(map(len, seen.values())) == 1_200)
    assert [ids for ids in seen.values() if ids != sorted(ids)] == []
