"""One tenant's file: conversations, their log, the inbox, the outbox, the ledger of calls and the dead list."""

import asyncio
import time
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

from edge_node.messages import (
    Accepted,
    Conversation,
    DeadReason,
    Event,
    HistoryItem,
    Inbound,
    KeptAnswer,
    Owner,
    Reply,
)
from edge_node.storage import (
    answers,
    dead,
    fence,
    figures,
    files,
    forgetting,
    inbox,
    ledger,
    loading,
    log,
    outbox,
    rekeying,
    restored,
    retention,
)
from edge_node.storage.reader import Reader
from edge_node.storage.recent import Known, Recent
from edge_node.storage.records import (
    DeadDetail,
    DeadItem,
    Ended,
    Figures,
    Forgotten,
    KnownCall,
    LoadedTurn,
    OpenTurn,
    QueueRow,
    Unsent,
    reply_body,
    to_json,
)
from edge_node.storage.seen import Seen
from edge_node.storage.writer import Writer
from nearside.database import Connection, copy_database
from nearside.errors import StorageError

Settled = Literal["done", "failed", "unknown"]


class TenantStore:
    """All of one tenant's data at the edge. What is awaited is durable when it returns; reads see all committed.

    Times are seconds since 1970. Raises StorageError where the store refuses.
    """

    def __init__(self, connection: Connection, path: Path, key: bytes) -> None:
        self._path, self._secrets = path, files.secrets(connection)
        self._seen = Seen(self._secrets["seen-message"], connection)
        self._writer = Writer(connection, str(path), lambda: files.open_writing(path, (self.key,))[0])
        self._reader = Reader(path, key, self._writer.suspect)
        self._fence, self._recent = fence.Fence(), Recent()
        self._file = asyncio.Lock()
        """Held by what works on the file as a whole."""
        self._rekeying: asyncio.Task[None] | None = None
        self._kept_figures: Figures | None = None
        """Those of before, while the file is re-keyed."""
        self.key = key
        """The one that opens the file."""

    @classmethod
    async def open(cls, path: Path, keys: bytes | Sequence[bytes]) -> Self:
        """Several keys where a re-keying may have been cut short: the first that opens the file is its key."""
        keys = (keys,) if isinstance(keys, bytes) else keys
        connection, key = await asyncio.to_thread(files.open_writing, path, keys)
        return cls(connection, path, key)

    async def close(self) -> None:
        async with self._file:
            await self._writer.close()
            await self._reader.close()

    @property
    def condition(self) -> str | None:
        """Why the store refuses, None while it doesn't."""
        return self._writer.condition

    def secret(self, purpose: str) -> bytes:
        """32 bytes for one of `files.SECRETS`, the same for the life of the file."""
        return self._secrets[purpose]

    async def accept(
        self, message: Inbound, at: float, settled: Callable[[Accepted | None], None] | None = None
    ) -> Accepted:
        """Commit the message once; the same (channel, account, message_id) again gives the first acceptance.

        `settled` is called with it just before the caller goes on, also where that is no longer there; with None where
        the message was not taken. Raises Refused (422) if the message id was used with another body.
        """
        arrival = inbox.arrival(message, at)

        def committed(outcome: tuple[Accepted, Known | None]) -> None:
            if outcome[1] is not None:
                self._recent.add(outcome[1])

        def settle(outcome: tuple[Accepted, Known | None] | None) -> None:
            accepted = outcome[0] if outcome else None
            if accepted is not None and not accepted.duplicate:
                self._recent.take(accepted, message, at)
            if settled is not None:
                settled(accepted)

        accepted, _ = await self._writer.run(
            lambda db: inbox.accept(db, arrival, self._seen, self._recent), committed, settle
        )
        return accepted

    async def load(self, turn_id: str) -> LoadedTurn | None:
        """The turn with its conversation, or None if it has ended or is doubtful."""
        return self._recent.load(turn_id) or await self._reader.run(lambda db: loading.load(db, turn_id))

    async def history(self, conversation_id: str, before: int) -> tuple[HistoryItem, ...]:
        """What was said before the event `before`, oldest first; the latest items only."""
        return await self._reader.run(lambda db: log.history(db, conversation_id, before))

    async def events(self, conversation_id: str, after: int, limit: int) -> list[Event]:
        return await self._reader.run(lambda db: log.events(db, conversation_id, after, limit))

    async def reply_to(self, turn_id: str) -> Event | None:
        """The newest reply of a turn, or of the one that it was merged into."""
        return await self._reader.run(lambda db: log.reply_to(db, turn_id))

    async def conversation(self, channel: str, account: str, thread: str) -> tuple[Conversation, Owner] | None:
        return await self._reader.run(lambda db: log.conversation(db, channel, account, thread))

    async def open_turns(self) -> list[OpenTurn]:
        """In the order of their arrival."""
        return await self._reader.run(inbox.open_turns)

    async def begin_attempt(self, turn_id: str) -> int:
        """How many attempts there were with this one; 0 if the turn has ended."""
        self._recent.let_go(turn_id)
        return await self._writer.run(lambda db: inbox.begin_attempt(db, turn_id))

    async def end(
        self,
        turn_id: str,
        epoch: int,
        reply: Reply,
        at: float,
        timing_ms: Mapping[str, float],
        *,
        merged: Sequence[str] = (),
        parked: DeadReason | None = None,
    ) -> Ended | None:
        """Commit the reply, the turn's end, the outbox row and the conversation's new state in one transaction.

        The turns `merged` end with it. `parked`: the turn goes to the dead list, though a reply goes out.
        None if the turn had ended before or its conversation changed owner meanwhile (nothing is then sent).
        """
        body = reply_body(turn_id, merged, reply, at, timing_ms)
        end = outbox.TurnEnd(turn_id, epoch, reply, body, to_json(body), merged, parked)

        def committed(ended: Ended | None) -> None:
            if ended is None:
                return
            if ended.epoch != epoch:
                self._fence.raise_to(ended.conversation.id, ended.epoch)
            if reply.state or reply.owner:
                self._recent.change(ended.conversation.id, state=reply.state, owner=reply.owner, epoch=ended.epoch)

        return await self._writer.run(lambda db: outbox.end_turn(db, end, at), committed)

    async def drop(self, turn_id: str, reason: str, at: float) -> None:
        """End a turn without a reply."""
        await self._writer.run(lambda db: inbox.close_turn(db, turn_id, "dropped", reason, at))

    async def park(self, turn_id: str, reason: DeadReason, at: float) -> None:
        """Put a turn into the dead list without a reply."""
        await self._writer.run(lambda db: inbox.close_turn(db, turn_id, "dead", reason.value, at))

    async def settle_doubtful_turns(self, idempotent: Container[str]) -> int:
        """Turns open in a restored backup are queued where their channel is idempotent; others die: how many."""
        return await self._writer.run(lambda db: inbox.settle_doubtful(db, idempotent, time.time()), is_slow=True)

    async def change_owner(self, conversation_id: str, owner: Owner, at: float) -> int:
        """The conversation's epoch from now on, the same where the owner is. No reply of an older one is sent."""

        def committed(epoch: int) -> None:
            self._fence.raise_to(conversation_id, epoch)
            self._recent.change(conversation_id, owner=owner, epoch=epoch)

        return await self._writer.run(lambda db: fence.change_owner(db, conversation_id, owner, at), committed)

    def may_send(self, ended: Ended) -> bool:
        """False once the conversation changed owner since, or was forgotten."""
        return self._fence.lets_pass(ended)

    async def record_attempt(self, event_id: int, at: float) -> None:
        """Before a send whose outcome a crash would leave unknown."""
        await self._writer.run(lambda db: outbox.record_attempt(db, event_id, at))

    def mark_sent(self, event_id: int, at: float) -> None:
        """Committed some time soon: for channels where sending twice does no harm."""
        self._writer.post(lambda db: outbox.mark_sent(db, event_id, at))

    async def confirm_sent(self, event_id: int, at: float) -> None:
        await self._writer.run(lambda db: outbox.mark_sent(db, event_id, at))

    async def postpone(self, event_id: int, reason: str, next_at: float, doubt: bool = False) -> None:
        """A send that failed. `doubt`: nobody knows whether it arrived."""
        await self._writer.run(lambda db: outbox.postpone(db, event_id, reason, next_at, doubt))

    async def hasten(self, event_id: int) -> None:
        """A reply that waits for its next attempt is due; nothing else of it changes."""
        await self._writer.run(lambda db: outbox.hasten(db, event_id))

    async def mark_dead(self, event_id: int, reason: DeadReason, at: float, doubt: bool = False) -> None:
        """`doubt` as for `postpone`."""
        await self._writer.run(lambda db: outbox.mark_dead(db, event_id, reason.value, at, doubt))

    async def mark_dropped(self, event_id: int, reason: str, at: float) -> None:
        await self._writer.run(lambda db: outbox.mark_dropped(db, event_id, reason, at))

    async def unsent(self, idempotent: Container[str]) -> list[Unsent]:
        """What a stop left unsent, in event order; to be asked once, at the start.

        A send under way at the stop counts as a doubt. Replies of an older epoch are dropped; those that a restored
        backup made doubtful go to the dead list, but for channels in `idempotent`.
        """
        return await self._writer.run(lambda db: outbox.take_up(db, idempotent, time.time()), is_slow=True)

    async def intend_call(
        self, turn_id: str, call_id: str, conversation_id: str, tool: str, arguments_digest: bytes, at: float
    ) -> KnownCall | None:
        """None: the call is new, and that it is intended is committed. Else what is known of it.

        A new call of a turn that a backup brought back counts as one found after a crash: it may have been made since.
        Raises StorageError where the conversation was forgotten.
        """
        intent = ledger.Intent(turn_id, call_id, conversation_id, tool, arguments_digest)
        return await self._writer.run(lambda db: ledger.intend(db, intent, at))

    async def settle_call(
        self, turn_id: str, call_id: str, status: Settled, result_json: str, kind: str, at: float
    ) -> None:
        await self._writer.run(lambda db: ledger.settle(db, turn_id, call_id, status, result_json, kind, at))

    async def release_call(self, turn_id: str, call_id: str) -> None:
        """It was never sent."""
        await self._writer.run(lambda db: ledger.release(db, turn_id, call_id))

    async def calls(self, turn_id: str) -> list[KnownCall]:
        return await self._reader.run(lambda db: ledger.calls(db, turn_id))

    def keep_answer(self, kept: KeptAnswer, before: float) -> None:
        """Committed with the next group; those of another version, and those kept `before`, go."""
        self._writer.post(lambda db: answers.keep(db, kept, before))

    async def kept_answer(self, key: bytes) -> KeptAnswer | None:
        return await self._reader.run(lambda db: answers.find(db, key))

    async def kept_answers(self) -> list[KeptAnswer]:
        """The oldest first."""
        return await self._reader.run(answers.every)

    def drop_answers(self, keys: Sequence[bytes] | None = None) -> None:
        """Committed with the next group; without `keys`, all of them."""
        self._writer.post(answers.drop_all if keys is None else lambda db: answers.drop(db, keys))

    async def inbox_rows(self, limit: int) -> list[QueueRow]:
        """Open turns, the oldest first."""
        return await self._reader.run(lambda db: figures.inbox_rows(db, limit))

    async def outbox_rows(self, limit: int) -> list[QueueRow]:
        """Unsent replies, the oldest first."""
        return await self._reader.run(lambda db: figures.outbox_rows(db, limit))

    async def dead(self, limit: int, reason: DeadReason | None = None) -> list[DeadItem]:
        """The newest first."""
        return await self._reader.run(lambda db: dead.dead(db, limit, reason))

    async def dead_detail(self, item_id: str) -> DeadDetail | None:
        return await self._reader.run(lambda db: dead.detail(db, item_id))

    async def revive(self, item_id: str, at: float) -> DeadItem | None:
        """A turn is queued again, a reply pending with all its time before it.

        None where there is no such item, or it is a call.
        """
        return await self._writer.run(lambda db: dead.revive(db, item_id, at))

    async def revived_reply(self, event_id: int) -> Unsent | None:
        """A pending reply, to be sent now."""
        found = await self._reader.run(lambda db: outbox.pending(db, event_id))
        if found is None:
            return None
        unsent, epoch = found
        self._fence.raise_to(unsent.ended.conversation.id, epoch)
        return unsent

    async def discard(self, item_id: str, at: float) -> DeadItem | None:
        """A dead turn or reply is dropped, a call of unknown outcome settled."""
        return await self._writer.run(lambda db: dead.discard(db, item_id, at))

    def figures(self) -> Figures:
        """Waits for the file, on any thread; while it is re-keyed, the last ones."""
        return self._kept_figures or self._reader.run_now(figures.figures)

    async def conversations_of(self, customer: str, channel: str | None = None) -> list[str]:
        return await self._reader.run(lambda db: forgetting.conversations_of(db, customer, channel))

    async def forget(self, customer: str, at: float, channel: str | None = None) -> Forgotten:
        """Remove every trace of the customer; what the core has of it stands in `erasures` until it is `erased`."""

        def job(db: Connection) -> tuple[Forgotten, list[str]]:
            self._recent.clear()
            conversation_ids = forgetting.conversations_of(db, customer, channel)
            return forgetting.forget(db, conversation_ids, self._seen, at), conversation_ids

        def committed(outcome: tuple[Forgotten, list[str]]) -> None:
            self._fence.close(outcome[1])
            self._recent.clear()

        forgotten, _ = await self._writer.run(job, committed, is_slow=True)
        async with self._file:
            await self._truncate_wal()
        return forgotten

    async def erasures(self, limit: int) -> list[str]:
        """Turns that the core has still to erase."""
        return await self._reader.run(lambda db: forgetting.erasures(db, limit))

    async def erased(self, turn_ids: Sequence[str]) -> None:
        await self._writer.run(lambda db: forgetting.erased(db, turn_ids))

    async def sweep(self, before: float, at: float, limit: int = 500) -> int:
        """Remove up to `limit` lines of the log that are older than `before`, and their turns; the rows removed.

        Open turns, unsent replies and all that is dead stay, however old.
        """

        def job(db: Connection) -> int:
            self._recent.clear()
            return retention.sweep(db, before, at, limit, self._seen)

        return await self._writer.run(job, lambda _: self._recent.clear(), is_slow=True)

    async def snapshot(self, target: Path) -> None:
        """One moment of the file, sealed with the same key, copied while writing goes on; durable on return."""
        async with self._file:
            await asyncio.to_thread(copy_database, self._path, self.key, target)

    async def rekey(self, new_key: bytes) -> None:
        """Seal the file with another key. Whoever reads or writes meanwhile waits, and none fails.

        Raises StorageError if the file kept its key.
        """
        self._rekeying = asyncio.create_task(self._rekey(new_key))
        await asyncio.shield(self._rekeying)

    async def _rekey(self, new_key: bytes) -> None:
        def rekey(connection: Connection) -> tuple[Connection, bytes]:
            connection, self.key = rekeying.rekey(connection, self._path, self.key, new_key)
            return connection, self.key

        async with self._file:
            self._kept_figures = await self._reader.run(figures.figures)
            try:
                aside = self._reader.stand_aside(lambda: self._writer.alone(rekey).result())
                await asyncio.wrap_future(aside)
            finally:
                self._kept_figures = None
        if self.key != new_key:
            raise StorageError("the file kept its key", where=str(self._path), hint="free space and try again")

    async def _truncate_wal(self) -> None:
        def truncate(connection: Connection) -> tuple[Connection, bool]:
            return connection, forgetting.truncate_wal(connection)

        if not await asyncio.wrap_future(self._writer.alone(truncate)):
            raise StorageError(
                "the data is gone, but old pages of the file are still being read",
                where=str(self._path),
                hint="do it again when no other program has the file open",
            )

    mark_restored = staticmethod(restored.mark_restored)
