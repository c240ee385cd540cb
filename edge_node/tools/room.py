"""A tenant's tools at the edge: what its folder declares, and nothing else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2

from edge_node.tools.ledger import CallBook, Ledger, MadeCall
from nearside.tools import Tool, ToolCall, ToolFailure, ToolRunner, read_secret

CONNECT_S = 3.0
KEEP_ALIVE_S = 2.0
"""Less than servers keep an idle connection: a write sent on one just closed has an outcome that nobody knows."""


class Connections:
    """Those to a company's own systems; they stay when its tools change. `close` lets go of them."""

    def __init__(self) -> None:
        # the environment's proxies are not for a company's own systems
        self.client = httpx2.AsyncClient(
            trust_env=False,
            timeout=httpx2.Timeout(None, connect=CONNECT_S),
            limits=httpx2.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=KEEP_ALIVE_S),
        )

    async def close(self) -> None:
        await self.client.aclose()


class ToolRoom:
    """`book` keeps the calls that write, `key` makes the digests in it."""

    def __init__(
        self,
        tools: Mapping[str, Tool],
        variables: Mapping[str, str],
        secret_files: Mapping[str, Path],
        book: CallBook,
        key: bytes,
        connections: Connections,
    ) -> None:
        self._tools = tools
        self._runner = ToolRunner(connections.client, variables, lambda name: read_secret(secret_files, name))
        self._ledger = Ledger(book, self._runner, key)

    async def run(
        self, name: str, arguments: Mapping[str, Any], turn_id: str, call_id: str, conversation_id: str
    ) -> Any:
        """The mapped result. Raises ToolError, and StorageError where the ledger cannot be written.

        A write repeated with the same turn and call ids changes nothing more and ends as it ended before.
        """
        tool = self._tools.get(name)
        if tool is None:
            raise ToolFailure(
                "not_allowed", "the tenant has no such tool", where=name[:32], hint="add it to the folder tools/"
            )
        if tool.runs_at != "edge":
            raise ToolFailure("not_allowed", "this tool runs at the core", where=name)
        call = ToolCall(tool, arguments, turn_id, call_id)
        if tool.effect == "write":
            return await self._ledger.run(call, conversation_id)
        return (await self._runner.run(call)).value

    async def calls(self, turn_id: str) -> list[MadeCall]:
        """The writes that a turn has made, for when it is repeated."""
        return await self._ledger.calls(turn_id)
