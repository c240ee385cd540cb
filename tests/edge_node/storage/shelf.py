"""A tenant's store with messages in it, for the tests of this room."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from edge_node.messages import Accepted, Inbound, Reply
from edge_node.storage.records import Ended
from edge_node.storage.store import TenantStore
from nearside.database import open_database
from nearside.origins import Reason, Source

KEY = bytes(range(32))
OTHER_KEY = bytes(reversed(KEY))
ANSWER = Reply("Tomorrow.", Source.FAQ, Reason.MATCHED)
PROMISE = Reply("Later.", Source.FALLBACK, Reason.CORE_UNREACHABLE, final=False)


def inbound(
    message_id: str, thread: str = "t1", text: str = "When?", customer: str = "c1", account: str = "default"
) -> Inbound:
    return Inbound("api", account, thread, message_id, customer, text)


class Shelf:
    """A store, and short ways to fill it. Everything happens at second `now`."""

    def __init__(self, store: TenantStore, path: Path) -> None:
        self.store, self.path, self.now = store, path, 1000.0

    async def accept(self, message_id: str, thread: str = "t1", **other: str) -> Accepted:
        return await self.store.accept(inbound(message_id, thread, **other), self.now)

    async def end(self, turn_id: str, reply: Reply = ANSWER, **other: Any) -> Ended:
        loaded = await self.store.load(turn_id)
        assert loaded is not None
        ended = await self.store.end(turn_id, loaded.epoch, reply, self.now, {}, **other)
        assert ended is not None
        return ended

    async def answered(self, message_id: str, thread: str = "t1", reply: Reply = ANSWER, **other: str) -> Ended:
        return await self.end((await self.accept(message_id, thread, **other)).turn_id, reply)

    async def reopen(self) -> None:
        await self.store.close()
        self.store = await TenantStore.open(self.path, self.store.key)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Straight from the file, past the store."""
        with contextlib.closing(open_database(self.path, self.store.key)) as db:
            return db.execute(query, values).fetchall()

    def state_of(self, turn_id: str) -> tuple[str, str]:
        (state,) = self.rows("SELECT status, reason FROM inbox WHERE turn_id = ?", turn_id)
        return state


@contextlib.asynccontextmanager
async def shelf(folder: Path) -> AsyncIterator[Shelf]:
    path = folder / "edge.db"
    opened = Shelf(await TenantStore.open(path, KEY), path)
    try:
        yield opened
    finally:
        await opened.store.close()
