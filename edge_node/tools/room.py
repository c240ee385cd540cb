"""A tenant's tools at the edge: what its folder declares, and nothing else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2

from nearside.tools import Tool, ToolCall, ToolFailure, ToolRunner, read_secret

CONNECT_S = 3.0


class ToolRoom:
    """`close` lets go of its connections."""

    def __init__(
        self,
        tools: Mapping[str, Tool],
        variables: Mapping[str, str],
        secret_files: Mapping[str, Path],
        client: httpx2.AsyncClient | None = None,
    ) -> None:
        self._tools = tools
        # the environment's proxies are not for a company's own systems
        self._client = client or httpx2.AsyncClient(trust_env=False, timeout=httpx2.Timeout(None, connect=CONNECT_S))
        self._runner = ToolRunner(self._client, variables, lambda name: read_secret(secret_files, name))

    async def run(self, name: str, arguments: Mapping[str, Any], turn_id: str, call_id: str) -> Any:
        """The mapped result; raises ToolFailure. A write repeated with the same ids changes nothing more."""
        tool = self._tools.get(name)
        if tool is None:
            raise ToolFailure(
                "not_allowed", "the tenant has no such tool", where=name[:32], hint="add it to the folder tools/"
            )
        if tool.runs_at != "edge":
            raise ToolFailure("not_allowed", "this tool runs at the core", where=name)
        result = await self._runner.run(ToolCall(tool, arguments, turn_id, call_id))
        return result.value

    async def close(self) -> None:
        await self._client.aclose()
