"""A tool room over a real store, opened for one call and closed again, as after a restart."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge_node.messages import Inbound
from edge_node.storage.records import DeadItem, KnownCall
from edge_node.storage.store import TenantStore
from edge_node.tools.room import Connections, ToolRoom
from nearside.content import TenantContent, load_tenant_content
from nearside.sealing import derive
from tests.servers import ROOT

KEY = bytes(range(32))


def company(folder: Path, url: str, *, asks: bool, timeout_s: float = 20) -> TenantContent:
    """The demo's, whose tool `cancel_order` says how to ask for its outcome, or does not."""
    token = folder / "shop.token"
    token.write_text("token")
    content = load_tenant_content(ROOT / "demo", variables={"shop_url": url}, secret_files={"shop_token": token})
    cancel = content.tools["cancel_order"]
    update: dict[str, Any] = {"timeout_s": timeout_s, **({} if asks else {"outcome": None})}
    return replace(content, tools={**content.tools, "cancel_order": cancel.model_copy(update=update)})


@dataclass(frozen=True, slots=True)
class Opened:
    tools: ToolRoom
    store: TenantStore
    conversation_id: str
    turn_id: str


@contextlib.asynccontextmanager
async def opened(folder: Path, content: TenantContent) -> AsyncIterator[Opened]:
    """With one conversation and its turn, the same at every opening."""
    store = await TenantStore.open(folder / "edge.db", KEY)
    connections, key = Connections(), derive(KEY, "test")
    tools = ToolRoom(content.tools, content.variables, content.secret_files, store, key, connections)
    try:
        accepted = await store.accept(Inbound("api", "default", "t", "m", "c", "yes"), 1.0)
        yield Opened(tools, store, accepted.conversation_id, accepted.turn_id)
    finally:
        await connections.close()
        await store.close()


class Room:
    """The same, for code that has no loop of its own: every call runs in a new one."""

    def __init__(self, folder: Path, content: TenantContent) -> None:
        self._folder, self._content = folder, content

    async def run(self, name: str, arguments: Mapping[str, Any], turn_id: str, call_id: str) -> Any:
        async with opened(self._folder, self._content) as room:
            return await room.tools.run(name, arguments, turn_id, call_id, room.conversation_id)

    def calls(self, turn_id: str) -> list[KnownCall]:
        async def read() -> list[KnownCall]:
            async with opened(self._folder, self._content) as room:
                return await room.store.calls(turn_id)

        return asyncio.run(read())

    def dead(self) -> list[DeadItem]:
        async def read() -> list[DeadItem]:
            async with opened(self._folder, self._content) as room:
                return await room.store.dead(10)

        return asyncio.run(read())
