"""One tenant's file: conversations, their log, the inbox and the outbox."""

import asyncio
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Self, TypeVar

from edge_node.messages import Accepted, Conversation, Event, HistoryItem, Inbound, Owner, Reply
from edge_node.storage import inbox, log, outbox
from edge_node.storage.records import Ended, LoadedTurn, OpenTurn
from edge_node.storage.schema import MIGRATIONS
from edge_node.storage.writer import Writer
from nearside.database import Connection, migrate, open_database
from nearside.sealing import derive

T = TypeVar("T")


class TenantStore:
    """All of one tenant's data at the edge. Writes are durable when they return; reads see all that was committed."""

    def __init__(self, writer: Writer, reader: Connection, key: bytes) -> None:
        self._writer, self._reader = writer, reader
        self._reading = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader")
        self.token_key = derive(key, "conversation-token")

    @classmethod
    async def open(cls, path: Path, key: bytes) -> Self:
        connection = open_database(path, key)
        migrate(connection, MIGRATIONS, path)
        return cls(Writer(connection, str(path)), open_database(path, key, read_only=True), key)

    async def close(self) -> None:
        await self._writer.close()
        await asyncio.get_running_loop().run_in_executor(self._reading, self._reader.close)
        self._reading.shutdown()

    @property
    def condition(self) -> str | None:
        """Why the store refuses, None while it doesn't."""
        return self._writer.condition

    async def accept(self, message: Inbound, at: float) -> Accepted:
        """Commit the message once; the same (channel, account, message_id) again gives the first acceptance.

        Raises Refused (422) if the message id was used with another body.
        """
        said = json.dumps([message.thread, message.customer, message.text, [*map(dict, message.attachments)]])
        digest = sha256(said.encode()).digest()
        return await self._writer.run(lambda db: inbox.accept(db, message, digest, at))

    async def load(self, turn_id: str) -> LoadedTurn | None:
        """The turn with its conversation, or None if it has ended."""
        return await self._read(lambda db: inbox.load(db, turn_id))

    async def history(self, conversation_id: str, before: int) -> tuple[HistoryItem, ...]:
        """What was said before the event `before`, oldest first; the latest items only."""
        return await self._read(lambda db: log.history(db, conversation_id, before))

    async def open_turns(self) -> list[OpenTurn]:
        return await self._read(inbox.open_turns)

    async def end(
        self, turn_id: str, epoch: int, reply: Reply, at: float, timing_ms: Mapping[str, float]
    ) -> Ended | None:
        """Commit the reply, the turn's end, the outbox row and the conversation's new state in one transaction.

        None if the turn had ended before or its conversation changed owner meanwhile (nothing is then sent).
        """
        return await self._writer.run(lambda db: outbox.end_turn(db, turn_id, epoch, reply, at, timing_ms))

    async def drop(self, turn_id: str, reason: str, at: float) -> None:
        """End a turn without a reply."""
        await self._writer.run(lambda db: outbox.close_turn(db, turn_id, "dropped", reason, at))

    def mark_sent(self, event_id: int, at: float) -> None:
        self._writer.post(lambda db: outbox.mark(db, event_id, "sent", "", at))

    def mark_failed(self, event_id: int, reason: str, at: float) -> None:
        self._writer.post(lambda db: outbox.mark(db, event_id, "failed", reason, at))

    async def pending_replies(self) -> list[Ended]:
        return await self._read(outbox.pending)

    async def may_send(self, event_id: int) -> bool:
        """False if an agent took the conversation over since the reply was committed."""
        return await self._read(lambda db: outbox.may_send(db, event_id))

    async def events(self, conversation_id: str, after: int, limit: int) -> list[Event]:
        return await self._read(lambda db: log.events(db, conversation_id, after, limit))

    async def reply_to(self, turn_id: str) -> Event | None:
        """The newest reply of a turn."""
        return await self._read(lambda db: log.reply_to(db, turn_id))

    async def conversation(self, channel: str, account: str, thread: str) -> tuple[Conversation, Owner] | None:
        return await self._read(lambda db: log.conversation(db, channel, account, thread))

    async def counts(self) -> dict[str, int]:
        """Rows by state: inbox_queued, inbox_deferred, outbox_pending."""
        return await self._read(_counts)

    async def _read(self, query: Callable[[Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reading, query, self._reader)


def _counts(db: Connection) -> dict[str, int]:
    counted = {"inbox_queued": 0, "inbox_deferred": 0}
    for status, number in db.execute(
        "SELECT status, count(*) FROM inbox WHERE status IN ('queued', 'deferred') GROUP BY status"
    ):
        counted[f"inbox_{status}"] = number
    counted["outbox_pending"] = db.execute("SELECT count(*) FROM outbox WHERE status = 'pending'").fetchone()[0]
    return counted
