"""A ledger's surroundings that break at a given step: the program, the book it writes, the business API it calls."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import httpx2

from edge_node.tools.ledger import CallBook, KnownCall, Ledger
from nearside.tools import Tool, ToolCall, ToolRunner
from tests.nearside.tools.scripted import Transport

KEY = b"k" * 32
OUTCOME = {
    "request": {"url": "{shop_url}/answers", "query": {"key": "{idempotency_key}"}},
    "done": {"state": "booked"},
    "absent": {"known": False},
}

Status = Literal["done", "failed", "unknown"]


def booking(*, asks: bool) -> Tool:
    """A write; `asks`: it says how to ask for the outcome."""
    return Tool.model_validate(
        {
            "name": "book",
            "description": "d",
            "effect": "write",
            "parameters": {"type": "object", "properties": {"n": {"type": "integer"}}},
            "request": {"method": "POST", "url": "{shop_url}/book", "body": {"n": "{n}"}},
            "response": {"map": {"number": "number"}, "errors": {"409": "taken"}},
            **({"outcome": OUTCOME} if asks else {}),
        }
    )


def call(tool: Tool, n: int = 1, turn_id: str = "t_1", call_id: str = "rule/book") -> ToolCall:
    return ToolCall(tool, {"n": n}, turn_id, call_id)


class Crash(BaseException):
    """The end of the program, as `kill -9` is: nobody catches it."""


class Fuse:
    """Breaks the program at the step `at`, counted from 0; None: never."""

    def __init__(self, at: int | None = None, error: type[BaseException] = Crash) -> None:
        self._left, self._error = at, error
        self.steps = 0

    def step(self) -> None:
        self.steps += 1
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise self._error


@dataclass(frozen=True, slots=True)
class Row:
    call_id: str
    tool: str
    arguments_digest: bytes
    status: Literal["intended", "done", "failed", "unknown", "settled"] = "intended"
    result: str = ""
    kind: str = ""


class Book:
    """Keeps calls in a dictionary, which stands for what is durable."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Row] = {}

    async def intend_call(
        self, turn_id: str, call_id: str, conversation_id: str, tool: str, arguments_digest: bytes, at: float
    ) -> KnownCall | None:
        if known := self.rows.get((turn_id, call_id)):
            return known
        self.rows[turn_id, call_id] = Row(call_id, tool, arguments_digest)
        return None

    async def settle_call(
        self, turn_id: str, call_id: str, status: Status, result_json: str, kind: str, at: float
    ) -> None:
        known = self.rows[turn_id, call_id]
        self.rows[turn_id, call_id] = replace(known, status=status, result=result_json, kind=kind)

    async def release_call(self, turn_id: str, call_id: str) -> None:
        del self.rows[turn_id, call_id]

    async def calls(self, turn_id: str) -> Sequence[KnownCall]:
        return [row for (of_turn, _), row in self.rows.items() if of_turn == turn_id]

    @property
    def status(self) -> str:
        return next((row.status for row in self.rows.values()), "")


class Breaking:
    """A book that the program may break off before and after each change."""

    def __init__(self, book: CallBook, fuse: Fuse) -> None:
        self._book, self._fuse = book, fuse

    async def intend_call(
        self, turn_id: str, call_id: str, conversation_id: str, tool: str, arguments_digest: bytes, at: float
    ) -> KnownCall | None:
        self._fuse.step()
        known = await self._book.intend_call(turn_id, call_id, conversation_id, tool, arguments_digest, at)
        self._fuse.step()
        return known

    async def settle_call(
        self, turn_id: str, call_id: str, status: Status, result_json: str, kind: str, at: float
    ) -> None:
        self._fuse.step()
        await self._book.settle_call(turn_id, call_id, status, result_json, kind, at)
        self._fuse.step()

    async def release_call(self, turn_id: str, call_id: str) -> None:
        self._fuse.step()
        await self._book.release_call(turn_id, call_id)
        self._fuse.step()

    async def calls(self, turn_id: str) -> Sequence[KnownCall]:
        return await self._book.calls(turn_id)


WRITES = ("fine", "refused", "no_connection", "lost", "cut", "error", "error_after", "garbage", "timeout", "late")
"""What becomes of a write. `late`: nobody answers, and it happens only at the next thing that anybody does."""
ANSWERS = ("truth", "error", "cut", "silent")
"""What becomes of asking; `silent` says neither."""


class Api:
    """Does what each of `writes` and `answers` says in turn, and then its best. Without `heeds_keys` every request
    that arrives is an effect."""

    def __init__(self, writes: Sequence[str] = (), answers: Sequence[str] = (), *, heeds_keys: bool = False) -> None:
        self._writes, self._answers, self._heeds_keys = list(writes), list(answers), heeds_keys
        self._late: list[str] = []
        self.fuse = Fuse()
        self.effects: list[str] = []
        self.requests: list[str] = []

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        self.settle()
        self.requests.append(request.method)
        if request.method == "POST":
            return self._write(request, self._writes.pop(0) if self._writes else "fine")
        return self._answer(request, self._answers.pop(0) if self._answers else "truth")

    def settle(self) -> None:
        """What was under way arrives."""
        while self._late:
            self._do(self._late.pop())

    def _do(self, key: str) -> None:
        if not (self._heeds_keys and key in self.effects):
            self.effects.append(key)

    def _write(self, request: httpx2.Request, fate: str) -> httpx2.Response:
        key = request.headers["idempotency-key"]
        if fate == "no_connection":
            raise httpx2.ConnectError("scripted", request=request)
        self.fuse.step()
        if fate == "late":
            self._late.append(key)
        elif fate in ("fine", "cut", "error_after", "garbage"):
            self._do(key)
        self.fuse.step()
        if fate in ("lost", "cut"):
            raise httpx2.ReadError("scripted", request=request)
        if fate in ("timeout", "late"):
            raise httpx2.ReadTimeout("scripted", request=request)
        if fate == "garbage":
            return httpx2.Response(200, text="<html>", headers={"content-type": "text/html"})
        status = {"fine": 200, "refused": 409}.get(fate, 500)
        return httpx2.Response(status, json={"number": self.effects.index(key)} if status == 200 else {})

    def _answer(self, request: httpx2.Request, fate: str) -> httpx2.Response:
        self.fuse.step()
        key = request.url.params["key"]
        if fate == "cut":
            raise httpx2.ReadError("scripted", request=request)
        if fate == "error":
            return httpx2.Response(500, json={})
        said: dict[str, Any] = {"state": "booked", "number": 0} if key in self.effects else {"known": False}
        return httpx2.Response(200, json={} if fate == "silent" else said)


async def run(book: CallBook, api: Api, made: ToolCall, fuse: Fuse | None = None, conversation_id: str = "c_1") -> Any:
    """One run of the program, from its start, until it ends or `fuse` blows."""
    api.fuse = fuse or Fuse()
    async with httpx2.AsyncClient(transport=Transport(api.handle)) as client:
        runner = ToolRunner(client, {"shop_url": "https://shop.example"}, lambda name: "")
        return await Ledger(Breaking(book, api.fuse), runner, KEY).run(made, conversation_id)
