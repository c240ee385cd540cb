"""Files of earlier releases open with all that is in them, and earlier releases leave a newer file alone."""

import contextlib
import json
from pathlib import Path

import pytest

from edge_node.storage.records import state_to_json
from edge_node.storage.schema import MIGRATIONS
from edge_node.storage.store import TenantStore
from nearside.database import migrate, open_database
from nearside.errors import StorageError
from nearside.sealing import derive
from tests.edge_node.storage.shelf import KEY, inbound, shelf

pytestmark = pytest.mark.unit

STATE = '{"lang":"en","slots":{"order":"1042"},"form":null,"verified":{},"verification_tries":0,"ticket":"","masks":{}}'
INBOX = "INSERT INTO inbox VALUES (?, ?, 'c_1', 'api', 'default', ?, x'00', 'en', ?, ?, 0, 500.0, ?)"
OUTBOX = "INSERT INTO outbox VALUES (?, 'c_1', 0, ?, ?, 8, 500.0, ?)"
TURNS = [("t_done", "done", "matched", 501.0), ("t_open", "queued", "", None), ("t_later", "deferred", "x", None)]
REPLIES = [("sent", "", 501.0), ("pending", "", None), ("failed", "agent_owns", None), ("failed", "gave_up", None)]


def first_release(path: Path) -> None:
    """A file as the first release wrote it."""
    with contextlib.closing(open_database(path, KEY)) as db:
        migrate(db, MIGRATIONS[:1], path)
        db.execute(
            "INSERT INTO conversations VALUES ('c_1', 'api', 'default', 't1', 'c1', ?, 'bot', 0, 500.0, 500.0)",
            (STATE,),
        )
        for event_id, (turn_id, status, reason, ended_at) in enumerate(TURNS, start=1):
            message = json.dumps({"id": turn_id, "text": turn_id, "at": ""})
            db.execute("INSERT INTO log VALUES (?, 'c_1', ?, 'message', ?, 500.0)", (event_id, turn_id, message))
            db.execute(INBOX, (turn_id, event_id, turn_id, status, reason, ended_at))
        for event_id, (status, reason, sent_at) in enumerate(REPLIES, start=10):
            reply = json.dumps({"turn_id": "t_done", "text": "Yes.", "source": "faq"})
            db.execute("INSERT INTO log VALUES (?, 'c_1', 't_done', 'reply', ?, 500.0)", (event_id, reply))
            db.execute(OUTBOX, (event_id, status, reason, sent_at))


async def test_a_file_of_the_first_release_opens_with_all_that_is_in_it(tmp_path: Path) -> None:
    first_release(tmp_path / "edge.db")
    async with shelf(tmp_path) as filled:
        assert [(turn.turn_id, turn.deferred) for turn in await filled.store.open_turns()] == [
            ("t_open", False),
            ("t_later", True),
        ]
        loaded = await filled.store.load("t_open")
        assert loaded is not None and loaded.text == "t_open" and state_to_json(loaded.state) == STATE
        assert [(one.ended.event.id, one.doubts, one.next_at) for one in await filled.store.unsent(())] == [
            (11, 0, None)
        ]
        assert filled.rows("SELECT status, reason FROM outbox ORDER BY event_id") == [
            ("sent", ""),
            ("pending", ""),
            ("dropped", "agent_owns"),
            ("dead", "gave_up"),
        ]
        assert [item.id for item in await filled.store.dead(10)] == ["r13"]
        assert filled.store.secret("conversation-token") == derive(KEY, "conversation-token")
        await filled.end("t_later")


async def test_both_ways_lead_to_the_same_tables(tmp_path: Path) -> None:
    first_release(tmp_path / "old" / "edge.db")
    schemas = []
    for folder in ("old", "new"):
        async with shelf(tmp_path / folder) as filled:
            schemas.append(filled.rows("SELECT type, name, sql FROM sqlite_master ORDER BY name"))
    assert schemas[0] == schemas[1]


async def test_an_older_release_leaves_a_newer_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with shelf(tmp_path) as filled:
        await filled.accept("m1")
    content = (tmp_path / "edge.db").read_bytes()
    monkeypatch.setattr("edge_node.storage.files.MIGRATIONS", MIGRATIONS[:1])
    with pytest.raises(StorageError, match=f"schema {len(MIGRATIONS)} is newer than this program's 1"):
        await TenantStore.open(tmp_path / "edge.db", KEY)
    with pytest.raises(StorageError, match="newer"):
        TenantStore.mark_restored(tmp_path / "edge.db", (KEY,))
    assert (tmp_path / "edge.db").read_bytes() == content


async def test_a_migration_that_breaks_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_release(tmp_path / "edge.db")

    def breaks(database: object) -> None:
        MIGRATIONS[1](database)  # type: ignore[arg-type]
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr("edge_node.storage.files.MIGRATIONS", [MIGRATIONS[0], breaks])
        with pytest.raises(OSError, match="no space"):
            await TenantStore.open(tmp_path / "edge.db", KEY)
    async with shelf(tmp_path) as filled:
        assert len(await filled.store.open_turns()) == 2


async def test_a_message_of_the_first_release_is_still_known(tmp_path: Path) -> None:
    first_release(tmp_path / "edge.db")
    async with shelf(tmp_path) as filled:
        await filled.store.forget("c1", 1000.0)
        known = await filled.store.accept(inbound("t_done"), 1001.0)
        assert (known.turn_id, known.duplicate) == ("t_done", True)
