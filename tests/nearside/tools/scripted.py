"""A business API made of a function, and a tool that calls it."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from nearside.tools import Tool, ToolCall, ToolFailure, ToolRunner

Handler = Callable[[httpx2.Request], httpx2.Response]
GZIPPED = {"content-type": "application/json", "content-encoding": "gzip"}
VARIABLES = {"shop_url": "https://shop.example:8443/api", "plan": "basic"}


class Transport(httpx2.AsyncBaseTransport):
    """Unlike httpx2's own mock its answers can be streamed, as those of a network."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        answer = self._handler(request)
        if not answer.is_closed:
            return answer
        return httpx2.Response(answer.status_code, headers=answer.headers, stream=httpx2.ByteStream(answer.content))


def tool(**more: Any) -> Tool:
    return Tool.model_validate(
        {
            "name": "find",
            "description": "d",
            "effect": "read",
            "parameters": {
                "type": "object",
                "required": ["number"],
                "properties": {
                    "number": {"type": "string", "maxLength": 40},
                    "count": {"type": "integer"},
                    "note": {"type": "string"},
                },
            },
            "request": {"url": "{shop_url}/orders/{number}", "query": {"n": "{count}", "plan": "{plan}"}},
            **more,
        }
    )


def run(handler: Handler, called: Tool, arguments: dict[str, Any] | None = None) -> Any:
    async def go() -> Any:
        async with httpx2.AsyncClient(transport=Transport(handler)) as client:
            runner = ToolRunner(client, VARIABLES, lambda name: f"secret-{name}")
            call = ToolCall(called, {"number": "1042"} if arguments is None else arguments, "t_1", "r/find")
            return (await runner.run(call)).value

    return asyncio.run(go())


def failure(handler: Handler, called: Tool, arguments: dict[str, Any] | None = None) -> ToolFailure:
    with pytest.raises(ToolFailure) as caught:
        run(handler, called, arguments)
    return caught.value


def never(request: httpx2.Request) -> httpx2.Response:
    raise AssertionError(f"nothing may be sent, but {request.url} was")


def answering(status: int = 200, body: Any = None, **headers: str) -> Handler:
    return lambda request: httpx2.Response(
        status, json=body if body is not None else {"a": {"b": [1, 2]}}, headers=headers
    )
