"""The ledger of writes: each (turn, call id) changes something at most once, whatever breaks in between.

The intent is durable before anything leaves. A call that ended gives the same end again. A call whose answer never
came is asked for where its tool says how, else nobody knows: it is told, kept for a person, and never made again.
"""

import asyncio
import hmac
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from weakref import WeakValueDictionary

from nearside.errors import ToolError
from nearside.logs import failure, logger
from nearside.tools import ToolCall, ToolFailure, ToolResult, ToolRunner, fate_of, kind_of

MOST_SENDS = 2
"""How often one run sends a call that the business API says never happened."""

log = logger("tools")


class KnownCall(Protocol):
    """A call as it was kept; `result` is JSON text, `kind` that of its failure."""

    @property
    def call_id(self) -> str: ...
    @property
    def tool(self) -> str: ...
    @property
    def arguments_digest(self) -> bytes: ...
    @property
    def status(self) -> Literal["intended", "done", "failed", "unknown", "settled"]: ...
    @property
    def result(self) -> str: ...
    @property
    def kind(self) -> str: ...


class CallBook(Protocol):
    """Where calls are kept; each change is durable when it returns. Raises StorageError. `at`: seconds since 1970."""

    async def intend_call(
        self, turn_id: str, call_id: str, conversation_id: str, tool: str, arguments_digest: bytes, at: float
    ) -> KnownCall | None:
        """None: it is new and now intended; else what is known of it."""
        ...

    async def settle_call(
        self,
        turn_id: str,
        call_id: str,
        status: Literal["done", "failed", "unknown"],
        result_json: str,
        kind: str,
        at: float,
    ) -> None: ...

    async def release_call(self, turn_id: str, call_id: str) -> None:
        """Nothing was sent: as if it had never been intended."""
        ...

    async def calls(self, turn_id: str) -> Sequence[KnownCall]: ...


@dataclass(frozen=True, slots=True)
class MadeCall:
    """A write that a turn has made: `failure` says how it failed, else `result` is what came of it."""

    call_id: str
    tool: str
    result: Any = None
    failure: ToolFailure | None = None


class Ledger:
    """Of one tenant; `key` makes the digests of arguments, so that the book does not give them away."""

    def __init__(self, book: CallBook, runner: ToolRunner, key: bytes, *, now: Callable[[], float] = time.time) -> None:
        self._book, self._runner, self._key, self._now = book, runner, key, now
        self._running: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def run(self, call: ToolCall, conversation_id: str) -> Any:
        """The mapped result of a write. Raises ToolError, and StorageError before anything was sent or settled."""
        call.tool.check(call.arguments)
        running = self._running.setdefault((call.turn_id, call.call_id), asyncio.Lock())
        async with running:
            digest = self._digest(call.tool.name, call.arguments)
            known = await self._book.intend_call(
                call.turn_id, call.call_id, conversation_id, call.tool.name, digest, self._now()
            )
            if known is None:
                return await self._make(call)
            if known.tool != call.tool.name or not hmac.compare_digest(known.arguments_digest, digest):
                raise self._changed(call)
            return await self._again(call, known)

    async def calls(self, turn_id: str) -> list[MadeCall]:
        """What a turn has done so far, for whoever takes it up again."""
        return [_made(known) for known in await self._book.calls(turn_id)]

    async def _again(self, call: ToolCall, known: KnownCall) -> Any:
        if known.status == "intended":
            interrupted = ToolFailure("unavailable", "the program ended in the middle of it", where=call.tool.name)
            done = await self._ask(call, interrupted)
            return done.value if done else await self._make(call)
        if known.status == "unknown":
            return await self._look_again(call)
        made = _made(known)
        if made.failure:
            raise made.failure
        return made.result

    async def _make(self, call: ToolCall) -> Any:
        """Send it; where no answer comes, ask; where it never happened, once more."""
        unanswered = False
        for left in reversed(range(MOST_SENDS)):
            try:
                result = await self._runner.run(call)
            except ToolError as error:
                ended, fate = error, fate_of(error)
            else:
                return await self._done(call, result)
            if fate == "refused":
                raise await self._refused(call, ended)
            if fate == "unknown":
                unanswered = unanswered or status_of(ended) is None
                if (done := await self._ask(call, ended)) is not None:
                    return done.value
            if fate == "unsent" or not left:
                # what was sent and not answered may still arrive, after the word that it never happened
                raise await (self._unknown(call, ended) if unanswered else self._released(call, ended))
        raise AssertionError("the last send returns or raises")

    async def _ask(self, call: ToolCall, cause: ToolError) -> ToolResult | None:
        """What became of it; None: it never happened. Raises where it was refused or nobody can tell."""
        try:
            found = await self._runner.ask(call)
        except ToolError as error:
            if fate_of(error) == "refused":
                raise await self._refused(call, error) from None
            raise await self._unknown(call, cause, asked=error) from None
        if found is not None:
            await self._done(call, found)
        return found

    async def _look_again(self, call: ToolCall) -> Any:
        """A person may have acted on it meanwhile, so it is not made even if it never happened."""
        try:
            found = await self._runner.ask(call)
        except ToolError as error:
            if fate_of(error) == "refused":
                raise await self._refused(call, error) from None
            found = None
        if found is None:
            raise unknown(call.tool.name)
        return await self._done(call, found)

    async def _done(self, call: ToolCall, result: ToolResult) -> Any:
        await self._settle(call, "done", json.dumps(result.value), "")
        return result.value

    async def _refused(self, call: ToolCall, error: ToolError) -> ToolError:
        await self._settle(call, "failed", json.dumps({"status": status_of(error)}), kind_of(error))
        return error

    async def _released(self, call: ToolCall, error: ToolError) -> ToolError:
        await self._book.release_call(call.turn_id, call.call_id)
        return error

    async def _unknown(self, call: ToolCall, cause: ToolError, asked: ToolError | None = None) -> ToolFailure:
        log.error(
            "write_outcome_unknown",
            turn_id=call.turn_id,
            call_id=call.call_id,
            tool=call.tool.name,
            error=failure(cause),
            asked=failure(asked) if asked else "",
        )
        await self._settle(call, "unknown", "", kind_of(cause))
        return unknown(call.tool.name)

    def _changed(self, call: ToolCall) -> ToolFailure:
        log.error("call_changed", turn_id=call.turn_id, call_id=call.call_id, tool=call.tool.name)
        return ToolFailure(
            "call_changed",
            "this turn has made this call with other arguments",
            where=call.tool.name,
            hint="give another call another id",
        )

    async def _settle(
        self, call: ToolCall, status: Literal["done", "failed", "unknown"], result: str, kind: str
    ) -> None:
        await self._book.settle_call(call.turn_id, call.call_id, status, result, kind, self._now())

    def _digest(self, tool: str, arguments: Mapping[str, Any]) -> bytes:
        said = json.dumps([tool, arguments], sort_keys=True, separators=(",", ":"))
        return hmac.digest(self._key, said.encode(), "sha256")


def unknown(tool: str) -> ToolFailure:
    return ToolFailure(
        "outcome_unknown",
        "nobody knows whether the write happened; it is not tried again",
        where=tool,
        hint="look it up in the business system; see `edge-node dead list`",
    )


def status_of(error: ToolError) -> int | None:
    """The HTTP status that was answered, None where nothing was."""
    return error.status if isinstance(error, ToolFailure) else None


def _made(known: KnownCall) -> MadeCall:
    if known.status == "done":
        return MadeCall(known.call_id, known.tool, result=json.loads(known.result))
    if known.status != "failed":
        return MadeCall(known.call_id, known.tool, failure=unknown(known.tool))
    status = json.loads(known.result)["status"]
    what = f"the business API answered {status}"
    failed = ToolFailure(known.kind, what, where=known.tool, status=status, fate="refused")
    return MadeCall(known.call_id, known.tool, failure=failed)
