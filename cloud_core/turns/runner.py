"""One turn: claim it, look the question up, let the engine answer, check each sentence, keep the answer."""

import asyncio
import math
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Protocol
from weakref import WeakKeyDictionary

from pydantic import TypeAdapter

from cloud_core.engines.base import Engine, EngineRequest, Term
from cloud_core.messages import (
    Answer,
    Delta,
    EngineEvent,
    Finished,
    HistoryItem,
    Lang,
    Passage,
    Question,
    Sentence,
    ToolRequest,
)
from cloud_core.tenants import Tenant
from cloud_core.turns.answers import Draft
from cloud_core.turns.claims import LEASE_S, Claim, Claims
from cloud_core.turns.grounding import Grounding
from nearside.errors import EngineError, NearsideError

ANSWERS = TypeAdapter(Answer)
PASSAGES = 8
POLL_S = 0.05


class DeadlineExceeded(NearsideError):
    """The turn's time is over."""

    retryable = True


class TakenOver(NearsideError):
    """This stream was stalled for longer than its lease."""

    retryable = True


class Evidence(Protocol):
    @property
    def version(self) -> str: ...
    @property
    def passages(self) -> tuple[Passage, ...]: ...
    @property
    def terms(self) -> tuple[Term, ...]: ...


class Library(Protocol):
    """A tenant's knowledge base; blocking and thread-safe."""

    def look_up(self, text: str, lang: Lang, limit: int, history: Sequence[HistoryItem]) -> Evidence: ...


class Turns:
    """`library` and `engine` hand out a tenant's own; `withheld` is told the kind of each fact that did not hold."""

    def __init__(
        self,
        library: Callable[[Tenant], Library],
        engine: Callable[[Tenant], tuple[str, Engine]],
        withheld: Callable[[str], None] = lambda kind: None,
    ) -> None:
        self._library, self._engine, self._withheld = library, engine, withheld
        self._claims: WeakKeyDictionary[Tenant, Claims] = WeakKeyDictionary()
        self._searching = ThreadPoolExecutor(os.cpu_count(), "search")

    async def run(
        self, tenant: Tenant, turn_id: str, question: Question, deadline_at: float
    ) -> AsyncGenerator[Delta | Answer]:
        """Deltas, then one `Answer`; a turn that was answered before yields its first answer only.

        `deadline_at` is in seconds of `time.monotonic()`; past it, DeadlineExceeded. To be closed by the caller.
        """
        claims = self.claims_of(tenant)
        claim = await self._claim(claims, turn_id, deadline_at)
        if claim.answer:
            yield ANSWERS.validate_json(claim.answer)
            return
        async with (
            _held(claims, turn_id, claim.holder),
            aclosing(self._answer(tenant, question, deadline_at)) as events,
        ):
            async for event in events:
                if isinstance(event, Answer):
                    await _keep(claims, turn_id, claim.holder, event)
                yield event

    def claims_of(self, tenant: Tenant) -> Claims:
        if tenant not in self._claims:
            self._claims[tenant] = Claims(tenant.connect())
        return self._claims[tenant]

    async def _claim(self, claims: Claims, turn_id: str, deadline_at: float) -> Claim:
        """Ours, or its answer; while another stream works on the same turn, wait for that."""
        while True:
            claim = await asyncio.to_thread(claims.take, turn_id)
            if claim.holder or claim.answer:
                return claim
            async with _until(deadline_at):
                await asyncio.sleep(POLL_S)

    async def _answer(self, tenant: Tenant, question: Question, deadline_at: float) -> AsyncGenerator[Delta | Answer]:
        began = time.monotonic()
        async with _until(deadline_at):
            evidence = await self._look_up(tenant, question)
        searched = time.monotonic()
        name, engine = self._engine(tenant)
        grounding, draft = Grounding(question, evidence.passages), Draft()
        request = EngineRequest(question, evidence.passages, evidence.terms, deadline_at=deadline_at)
        async with _closed_after(engine.stream(request)) as stream:
            while not isinstance(event := await _next(stream, deadline_at, name), Finished):
                if (delta := self._checked(event, grounding, draft)) is not None:
                    yield delta
        answer = draft.finish(event, question, evidence.version, name)
        yield replace(answer, retrieval_s=searched - began, engine_s=time.monotonic() - searched)

    def _checked(self, sentence: Sentence, grounding: Grounding, draft: Draft) -> Delta | None:
        verdict = grounding.check(sentence)
        if verdict.holds:
            return draft.add(sentence, verdict.citations)
        draft.withheld += 1
        for kind in verdict.missing:
            self._withheld(kind)
        return None

    async def _look_up(self, tenant: Tenant, question: Question) -> Evidence:
        look_up = self._library(tenant).look_up
        ask = partial(look_up, question.text, question.lang, PASSAGES, question.history)
        return await asyncio.get_running_loop().run_in_executor(self._searching, ask)


async def _next(stream: AsyncIterator[EngineEvent], deadline_at: float, engine: str) -> Sentence | Finished:
    async with _until(deadline_at):
        event = await anext(stream, None)
    if event is None:
        raise EngineError("the engine stopped without finishing", where=engine)
    if isinstance(event, ToolRequest):
        raise EngineError("the engine asked for a tool it was not offered", where=engine)
    return event


async def _keep(claims: Claims, turn_id: str, holder: str, answer: Answer) -> None:
    """Durable before it goes out."""
    if not await asyncio.to_thread(claims.answer, turn_id, holder, ANSWERS.dump_json(answer).decode()):
        raise TakenOver("another stream has taken this turn over", hint="repeat it to get that answer")


@asynccontextmanager
async def _held(claims: Claims, turn_id: str, holder: str) -> AsyncIterator[None]:
    """Renew the lease meanwhile; let go of the turn if it ends without an answer."""
    renewing = asyncio.create_task(_renew(claims, turn_id, holder))
    try:
        yield
    except BaseException:
        await asyncio.shield(asyncio.to_thread(claims.release, turn_id, holder))
        raise
    finally:
        renewing.cancel()


async def _renew(claims: Claims, turn_id: str, holder: str) -> None:
    while True:
        await asyncio.sleep(LEASE_S / 3)
        await asyncio.to_thread(claims.renew, turn_id, holder)


@asynccontextmanager
async def _until(deadline_at: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(deadline_at - time.monotonic() if deadline_at != math.inf else None):
            yield
    except TimeoutError:
        raise DeadlineExceeded("the turn's time is over") from None
    except EngineError:
        if time.monotonic() < deadline_at:
            raise
        raise DeadlineExceeded("the turn's time is over") from None


@asynccontextmanager
async def _closed_after(stream: AsyncIterator[EngineEvent]) -> AsyncIterator[AsyncIterator[EngineEvent]]:
    try:
        yield stream
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()
