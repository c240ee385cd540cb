"""Tenants do not mix: two of them with the same customer, conversation and message ids."""

from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from edge_node.messages import Conversation, Draft, Reply, Tenant
from edge_node.storage.conversations import Conversations
from edge_node.storage.places import api_keys
from edge_node.storage.store import TenantStore
from edge_node.turns.core_step import CoreStep
from edge_node.turns.metrics import Metrics
from edge_node.turns.room import TenantRoom
from edge_node.turns.turns import Limits, Turns
from nearside.errors import StorageError
from nearside.origins import Reason, Source
from tests.edge_node.stage import (
    KEY,
    TENANT,
    Answering,
    Collecting,
    NoSemantics,
    ScriptedUplink,
    inbound,
    ladder_of,
    sender_to,
    until,
)

pytestmark = pytest.mark.unit

OTHER_KEY = bytes(reversed(KEY))
ONE, OTHER = TENANT, replace(TENANT, id="other")


async def room_of(tenant: Tenant, folder: Path, key: bytes) -> TenantRoom:
    store = await TenantStore.open(folder / tenant.id / "edge.db", key)
    echo = Answering(lambda turn: Reply(f"{turn.tenant.id}: {turn.text}", Source.RULE, Reason.MATCHED))
    ladder = ladder_of([echo], CoreStep(ScriptedUplink(), key, 5.0))
    return TenantRoom(tenant, store, NoSemantics(), ladder, lambda text: False)


async def test_the_same_ids_in_two_tenants_are_two_conversations(tmp_path: Path) -> None:
    rooms = {"demo": await room_of(ONE, tmp_path, KEY), "other": await room_of(OTHER, tmp_path, OTHER_KEY)}
    outlet = Collecting()
    sent = outlet.sent

    async def draft(tenant: Tenant, conversation: Conversation, draft: Draft) -> None:
        raise AssertionError("nothing streams here")

    turns = Turns(rooms, sender_to(outlet), draft, Metrics(CollectorRegistry()), Limits())
    log = Conversations({name: room.store for name, room in rooms.items()})
    accepted = {tenant.id: await turns.accept(tenant, inbound(f"planted-{tenant.id}")) for tenant in (ONE, OTHER)}
    await until(lambda: len(sent) == 2)
    assert accepted["demo"].conversation_id != accepted["other"].conversation_id
    assert {delivery.event.body["text"] for delivery in sent} == {"demo: planted-demo", "other: planted-other"}
    for tenant, stranger in ((ONE, OTHER), (OTHER, ONE)):
        own = accepted[tenant.id]
        events = await log.events(tenant, own.conversation_id, 0)
        assert [planted(event.body["text"]) for event in events] == [f"planted-{tenant.id}"] * 2
        assert await log.events(stranger, own.conversation_id, 0) == []
        assert await log.reply_to(stranger, own.turn_id) is None
        assert await rooms[stranger.id].store.load(own.turn_id) is None
        assert log.token(tenant, "t1") != log.token(stranger, "t1")
    for room in rooms.values():
        await room.store.close()
    assert stored(tmp_path)
    assert b"planted" not in stored(tmp_path) and b"SQLite format" not in stored(tmp_path)


def stored(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("edge.db*"))


def planted(text: str) -> str:
    return text.rpartition(" ")[2]


async def test_one_tenants_key_does_not_open_anothers_file(tmp_path: Path) -> None:
    await (await room_of(ONE, tmp_path, KEY)).store.close()
    with pytest.raises(StorageError):
        await TenantStore.open(tmp_path / "demo" / "edge.db", OTHER_KEY)


def test_one_tenants_api_key_is_worth_nothing_at_another(tmp_path: Path) -> None:
    _, secret = api_keys(tmp_path, "demo").add("backend")
    api_keys(tmp_path, "other").add("backend")
    assert api_keys(tmp_path, "demo").is_valid(secret)
    assert not api_keys(tmp_path, "other").is_valid(secret)
