"""Executes tool calls over HTTP: checked before anything is sent, to declared hosts only, bounded in time and size."""

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2

from nearside.errors import ToolError
from nearside.tools.errors import ToolFailure
from nearside.tools.schema import HOLE, Tool, fill, plain_value

READ_ATTEMPTS = 2
RETRY_STATUS = frozenset({502, 503, 504})
NO_ORIGIN = ("", "", None)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """`turn_id` and `call_id` make the Idempotency-Key of a write: the same call repeated changes nothing more."""

    tool: Tool
    arguments: Mapping[str, Any]
    turn_id: str
    call_id: str

    @property
    def idempotency_key(self) -> str:
        return f"{self.turn_id}:{self.call_id}"


@dataclass(frozen=True, slots=True)
class ToolResult:
    value: Any
    status: int


class ToolRunner:
    """`variables` are the tenant's addresses; `secret` gives a credential by name (raises ToolError)."""

    def __init__(self, client: httpx2.AsyncClient, variables: Mapping[str, str], secret: Callable[[str], str]) -> None:
        self._client, self._variables, self._secret = client, variables, secret
        self._hosts = {_origin(url) for url in variables.values()} - {NO_ORIGIN}

    async def run(self, call: ToolCall) -> ToolResult:
        """Raises ToolFailure."""
        call.tool.check(call.arguments)
        request = self._request(call)
        attempts = READ_ATTEMPTS if call.tool.effect == "read" else 1
        try:
            async with asyncio.timeout(call.tool.timeout_s):
                status, content = await self._send(call.tool, request, attempts)
        except TimeoutError:
            raise ToolFailure("timeout", f"no answer within {call.tool.timeout_s:g} s", where=call.tool.name) from None
        return ToolResult(_read(call.tool, status, content), status)

    def _request(self, call: ToolCall) -> httpx2.Request:
        tool, values = call.tool, {**self._variables, **call.arguments}
        headers = {name: _header(fill(text, values)) for name, text in tool.request.headers.items()}
        if tool.secret:
            headers[tool.secret.header] = tool.secret.prefix + self._secret(tool.secret.name)
        if tool.effect == "write":
            headers["Idempotency-Key"] = call.idempotency_key
        query = {name: fill(text, values) for name, text in tool.request.query.items() if _is_filled(text, values)}
        body = None if tool.request.body is None else _filled(tool.request.body, values)
        # compressed answers could unpack to more than the limit before anyone counts
        wanted = {"Accept": "application/json", "Accept-Encoding": "identity"}
        return self._client.build_request(
            tool.request.method, self._address(call), params=query or None, json=body, headers={**headers, **wanted}
        )

    def _address(self, call: ToolCall) -> str:
        base = self._variables.get(call.tool.request.base)
        if base is None:
            raise ToolFailure(
                "not_allowed",
                f"the variable {call.tool.request.base} is not set",
                where=call.tool.name,
                hint="[tools.variables]",
            )
        # the argument may not take the place of a variable of the same name in the path
        url = base.rstrip("/") + HOLE.sub(lambda hole: _segment(hole.group(1), call), call.tool.request.path)
        if _origin(url) not in self._hosts:
            raise ToolFailure(
                "not_allowed", "the address is not one that [tools.variables] declares", where=call.tool.name
            )
        return url

    async def _send(self, tool: Tool, request: httpx2.Request, attempts: int) -> tuple[int, bytes]:
        for left in reversed(range(attempts)):
            try:
                status, content = await self._exchange(tool, request)
            except httpx2.TimeoutException:
                raise TimeoutError from None
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                if not left:
                    raise ToolFailure(
                        "unavailable", f"the business API cannot be reached ({type(error).__name__})", where=tool.name
                    ) from None
            else:
                if status not in RETRY_STATUS or not left:
                    return status, content
        raise AssertionError("the last attempt returns or raises")

    async def _exchange(self, tool: Tool, request: httpx2.Request) -> tuple[int, bytes]:
        response = await self._client.send(request, stream=True, follow_redirects=False)
        try:
            content = bytearray()
            if response.headers.get("content-encoding", "identity") != "identity":
                raise ToolFailure(
                    "bad_response", "what came back is compressed", where=tool.name, status=response.status_code
                )
            async for chunk in response.aiter_raw():
                content += chunk
                if len(content) > tool.response.limit_bytes:
                    raise ToolFailure(
                        "too_large", f"more than {tool.response.limit_bytes} bytes came back", where=tool.name
                    )
            if response.is_success and not _is_json(response.headers.get("content-type", "")):
                raise ToolFailure(
                    "bad_response", "what came back is no JSON", where=tool.name, status=response.status_code
                )
            return response.status_code, bytes(content)
        finally:
            await response.aclose()


def _read(tool: Tool, status: int, content: bytes) -> Any:
    kind = tool.response.errors.get(str(status))
    if kind:
        raise ToolFailure(kind, f"the business API answered {status}", where=tool.name, status=status)
    if status >= 500:
        raise ToolFailure("unavailable", f"the business API answered {status}", where=tool.name, status=status)
    if not 200 <= status < 300:
        raise ToolFailure(
            "bad_response",
            f"the business API answered {status}",
            where=tool.name,
            status=status,
            hint="map it in response.errors",
        )
    try:
        return tool.response.apply(json.loads(content) if content else {})
    except (ValueError, RecursionError):
        raise ToolFailure("bad_response", "what came back is no JSON", where=tool.name, status=status) from None


def _segment(name: str, call: ToolCall) -> str:
    """An argument inside a path, percent-encoded whole; `.` and `..` would climb and are refused."""
    if name not in call.arguments:
        raise ToolFailure("bad_arguments", f"{name} is missing", where=call.tool.name)
    text = plain_value(call.arguments[name])
    if text in ("", ".", ".."):
        raise ToolFailure("bad_arguments", f"{name} cannot be part of an address", where=call.tool.name)
    return quote(text, safe="")


def _is_filled(text: Any, values: Mapping[str, Any]) -> bool:
    return not isinstance(text, str) or all(name in values for name in HOLE.findall(text))


def _filled(part: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(part, dict):
        return {name: _filled(child, values) for name, child in part.items() if _is_filled(child, values)}
    if isinstance(part, list):
        return [_filled(child, values) for child in part if _is_filled(child, values)]
    if isinstance(part, str):
        whole = HOLE.fullmatch(part)
        return values[whole.group(1)] if whole else fill(part, values)
    return part


def _header(value: str) -> str:
    if not re.fullmatch(r"[\x20-\x7e]{0,1000}", value):
        raise ToolFailure("bad_arguments", "a header's value is not plain ASCII")
    return value


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return NO_ORIGIN
    if parts.scheme not in ("http", "https") or parts.username or parts.password:
        return NO_ORIGIN
    return parts.scheme, (parts.hostname or "").lower(), port


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def read_secret(files: Mapping[str, Any], name: str) -> str:
    """What stands in the file that `[tools.secrets]` names; read at each call, so a rotated secret counts at once."""
    if name not in files:
        raise ToolFailure("not_allowed", f"the secret {name} is not set", hint="name its file in [tools.secrets]")
    try:
        text: str = files[name].read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise ToolError(
            f"the secret {name} cannot be read", where=str(files[name]), hint="check the file and its owner"
        ) from None
    return _header(text)
