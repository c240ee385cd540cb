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
from nearside.tools.errors import Fate, ToolFailure
from nearside.tools.schema import HOLE, IDEMPOTENCY_KEY, HttpRequest, Outcome, Tool, fill, mapped, plain_value

READ_ATTEMPTS = 2
RETRY_STATUS = frozenset({502, 503, 504})
NO_ORIGIN = ("", "", None)
NEVER_SENT = (httpx2.ConnectError, httpx2.UnsupportedProtocol)


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

    @property
    def values(self) -> dict[str, Any]:
        """What a request may use besides the tenant's variables."""
        key = {IDEMPOTENCY_KEY: self.idempotency_key} if self.tool.effect == "write" else {}
        return {**key, **self.arguments}


@dataclass(frozen=True, slots=True)
class ToolResult:
    value: Any
    status: int


class _Departure:
    """Sees a request leave, by the events of the connection (httpx2's `trace` extension)."""

    def __init__(self) -> None:
        self._seen = self._sending = False

    async def __call__(self, event: str, _info: Mapping[str, Any]) -> None:
        self._seen = True
        self._sending = self._sending or event.endswith("send_request_headers.started")

    @property
    def fate(self) -> Fate:
        """Of a request that came to nothing."""
        return "unsent" if self._seen and not self._sending else "unknown"


class ToolRunner:
    """`variables` are the tenant's addresses; `secret` gives a credential by name (raises ToolError)."""

    def __init__(self, client: httpx2.AsyncClient, variables: Mapping[str, str], secret: Callable[[str], str]) -> None:
        self._client, self._variables, self._secret = client, variables, secret
        self._hosts = {_origin(url) for url in variables.values()} - {NO_ORIGIN}

    async def run(self, call: ToolCall) -> ToolResult:
        """Raises ToolError; `fate_of` it says whether a write may have happened all the same."""
        call.tool.check(call.arguments)
        attempts = READ_ATTEMPTS if call.tool.effect == "read" else 1
        request = self._request(call, call.tool.request)
        if call.tool.effect == "write":
            request.headers["Idempotency-Key"] = _header(call.idempotency_key)
        status, content = await self._bounded(call.tool, request, attempts)
        return ToolResult(_read(call.tool, status, content), status)

    async def ask(self, call: ToolCall) -> ToolResult | None:
        """What became of a write that was sent: its result, or None where the API says that it never happened.

        Raises ToolError: with the fate `refused` if the API had refused the write, else nobody can tell.
        """
        tool, outcome = call.tool, call.tool.outcome
        if outcome is None:
            raise ToolFailure("outcome_unknown", "the tool does not say how to ask for the outcome", where=tool.name)
        request = self._request(call, outcome.request)
        status, content = await self._bounded(tool, request, READ_ATTEMPTS)
        if status in outcome.absent_statuses:
            return None
        return _told(tool, outcome, status, content)

    def _request(self, call: ToolCall, wanted: HttpRequest) -> httpx2.Request:
        try:
            return self._build(call, wanted)
        except (ValueError, TypeError, httpx2.InvalidURL):  # half a surrogate pair, NaN …
            what = "no request can be made of the arguments"
            raise ToolFailure("bad_arguments", what, where=call.tool.name) from None

    def _build(self, call: ToolCall, wanted: HttpRequest) -> httpx2.Request:
        tool, values = call.tool, {**self._variables, **call.values}
        headers = {name: _header(fill(text, values)) for name, text in wanted.headers.items()}
        if tool.secret:
            headers[tool.secret.header] = tool.secret.prefix + self._secret(tool.secret.name)
        query = {name: fill(text, values) for name, text in wanted.query.items() if _is_filled(text, values)}
        body = None if wanted.body is None else _filled(wanted.body, values)
        # compressed answers could unpack to more than the limit before anyone counts
        headers |= {"Accept": "application/json", "Accept-Encoding": "identity"}
        return self._client.build_request(
            wanted.method, self._address(call, wanted), params=query or None, json=body, headers=headers
        )

    def _address(self, call: ToolCall, wanted: HttpRequest) -> str:
        base = self._variables.get(wanted.base)
        if base is None:
            raise ToolFailure(
                "not_allowed", f"the variable {wanted.base} is not set", where=call.tool.name, hint="[tools.variables]"
            )
        # the argument may not take the place of a variable of the same name in the path
        url = base.rstrip("/") + HOLE.sub(lambda hole: _segment(hole.group(1), call), wanted.path)
        if _origin(url) not in self._hosts:
            raise ToolFailure(
                "not_allowed", "the address is not one that [tools.variables] declares", where=call.tool.name
            )
        return url

    async def _bounded(self, tool: Tool, request: httpx2.Request, attempts: int) -> tuple[int, bytes]:
        departure = request.extensions["trace"] = _Departure()
        try:
            async with asyncio.timeout(tool.timeout_s):
                return await self._send(tool, request, attempts)
        except TimeoutError:
            what = f"no answer within {tool.timeout_s:g} s"
            raise ToolFailure("timeout", what, where=tool.name, fate=departure.fate) from None

    async def _send(self, tool: Tool, request: httpx2.Request, attempts: int) -> tuple[int, bytes]:
        for left in reversed(range(attempts)):
            try:
                status, content = await self._exchange(tool, request)
            except (httpx2.ConnectTimeout, httpx2.PoolTimeout):
                raise ToolFailure("timeout", "no connection in time", where=tool.name, fate="unsent") from None
            except httpx2.TimeoutException:
                raise TimeoutError from None
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                if not left:
                    what = f"the business API cannot be reached ({type(error).__name__})"
                    fate: Fate = "unsent" if isinstance(error, NEVER_SENT) else "unknown"
                    raise ToolFailure("unavailable", what, where=tool.name, fate=fate) from None
            else:
                if status not in RETRY_STATUS or not left:
                    return status, content
        raise AssertionError("the last attempt returns or raises")

    async def _exchange(self, tool: Tool, request: httpx2.Request) -> tuple[int, bytes]:
        response = await self._client.send(request, stream=True, follow_redirects=False)
        try:
            if not response.is_success:  # the status says it all, whatever becomes of the rest
                return response.status_code, b""
            return response.status_code, await _body(tool, response)
        finally:
            await response.aclose()


async def _body(tool: Tool, response: httpx2.Response) -> bytes:
    status, content = response.status_code, bytearray()
    if response.headers.get("content-encoding", "identity") != "identity":
        raise ToolFailure("bad_response", "what came back is compressed", where=tool.name, status=status)
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) > tool.response.limit_bytes:
            what = f"more than {tool.response.limit_bytes} bytes came back"
            raise ToolFailure("too_large", what, where=tool.name, status=status)
    if content and not _is_json(response.headers.get("content-type", "")):
        raise ToolFailure("bad_response", "what came back is no JSON", where=tool.name, status=status)
    return bytes(content)


def _read(tool: Tool, status: int, content: bytes) -> Any:
    what = f"the business API answered {status}"
    if kind := tool.response.errors.get(str(status)):
        raise ToolFailure(kind, what, where=tool.name, status=status, fate="refused")
    if status >= 500:
        raise ToolFailure("unavailable", what, where=tool.name, status=status)
    if not 200 <= status < 300:
        hint, fate = "map it in response.errors", _fate_of_status(status)
        raise ToolFailure("bad_response", what, where=tool.name, status=status, hint=hint, fate=fate)
    return tool.response.apply(_json(tool, status, content) if content else {})


def _fate_of_status(status: int) -> Fate:
    """A redirect may stand behind a write that was done (303), so it refuses nothing."""
    return "refused" if 400 <= status < 500 else "unknown"


def _told(tool: Tool, outcome: Outcome, status: int, content: bytes) -> ToolResult | None:
    if kind := outcome.errors.get(str(status)):
        raise ToolFailure(kind, f"the business API says {status}", where=tool.name, status=status, fate="refused")
    answer = _json(tool, status, content) if 200 <= status < 300 else None
    verdict = outcome.verdict(answer)
    if verdict is None:
        what = f"asked for the outcome, the business API answered {status}"
        hint = "see outcome in the tool's file"
        raise ToolFailure("outcome_unknown", what, where=tool.name, status=status, hint=hint)
    paths = tool.response.map if outcome.map is None else outcome.map
    return ToolResult(mapped(paths, answer), status) if verdict == "done" else None


def _json(tool: Tool, status: int, content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise ToolFailure("bad_response", "what came back is no JSON", where=tool.name, status=status) from None


def _segment(name: str, call: ToolCall) -> str:
    """An argument inside a path, percent-encoded whole; `.` and `..` would climb and are refused."""
    if name not in call.values:
        raise ToolFailure("bad_arguments", f"{name} is missing", where=call.tool.name)
    text = plain_value(call.values[name])
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
