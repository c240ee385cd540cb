"""One turn: claim it, look the question up, let the engine answer, check each sentence, keep the answer."""

import asyncio
import math
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
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
    Outcome,
    Passage,
    Question,
    Sentence,
    ToolRequest,
)
from cloud_core.tenants import Tenant
from cloud_core.turns.answers import Draft
from cloud_core.turns.claims import Claim, ClaimStore, open_claims
from cloud_core.turns.grounding import Grounding
from nearside.errors import EngineError, NearsideError, StorageError
from nearside.logs import failure, logger

LOG = logger("turns")
ANSWERS = TypeAdapter(Answer)
PASSAGES = 8
POLL_S = 0.05
FORGOTTEN = "the turn's customer was forgotten"


class DeadlineExceeded(NearsideError):
    """The turn's time is over."""

    retryable = True


class TakenOver(NearsideError):
    """This stream was stalled for longer than its lease."""

    retryable = True


class Forgotten(NearsideError):
    """The turn's customer was forgotten."""


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

    def note_gap(self, turn_id: str, text: str, lang: Lang) -> None:
        """The question found no answer."""

    def forget_gaps(self, turn_ids: Sequence[str]) -> None: ...


class Turns:
    """`library` and `engine` hand out a tenant's own; `withheld` is told the kind of each fact that did not hold."""

    def __init__(
        self,
        library: Callable[[Tenant], Library],
        engine: Callable[[Tenant], tuple[str, Engine]],
        withheld: Callable[[str], None] = lambda kind: None,
    ) -> None:
        self._library, self._engine, self._withheld = library, engine, withheld
        self._claims: WeakKeyDictionary[Tenant, ClaimStore] = WeakKeyDictionary()
        self._searching = ThreadPoolExecutor(os.cpu_count(), "search")

    async def run(
        self, tenant: Tenant, turn_id: str, question: Question, deadline_at: float
    ) -> AsyncGenerator[Delta | Answer]:
        """Deltas, then one `Answer`; a turn that was answered before yields its first answer only, not cacheable.

        `deadline_at` is in seconds of `time.monotonic()`; past it, DeadlineExceeded. Raises Forgotten where the turn
        was erased. To be closed by the caller.
        """
        claims = self.claims_of(tenant)
        claim = await self._claim(claims, turn_id, deadline_at)
        if claim.forgotten:
            raise Forgotten(FORGOTTEN)
        if claim.answer:
            yield replace(ANSWERS.validate_json(claim.answer), cacheable=False)  # the documents may be others by now
            return
        async with (
            _held(claims, turn_id, claim.holder) as hold,
            aclosing(self._answer(tenant, question, deadline_at)) as events,
        ):
            noting: asyncio.Task[None] | None = None
            async for event in events:
                if hold.lost:
                    raise await hold.loss()
                if isinstance(event, Answer):
                    await hold.keep(event)
                    if event.outcome is Outcome.NO_EVIDENCE:
                        noting = asyncio.create_task(self._note_gap(tenant, claims, turn_id, question))
                yield event
            if noting is not None:  # begun before the answer went out, which did not wait for it
                await asyncio.shield(noting)

    async def forget(self, tenant: Tenant, turn_ids: Sequence[str]) -> int:
        """Erase these turns, answered, at work or never seen; how many there was something of."""
        erased = await asyncio.to_thread(self.claims_of(tenant).erase, turn_ids)
        await asyncio.to_thread(self._library(tenant).forget_gaps, turn_ids)
        return erased

    def claims_of(self, tenant: Tenant) -> ClaimStore:
        if tenant not in self._claims:
            self._claims[tenant] = open_claims(tenant)
        return self._claims[tenant]

    def close(self, tenant: Tenant) -> None:
        """Let go of the tenant's data here; turns of it that are at work fail."""
        if (claims := self._claims.pop(tenant, None)) is not None:
            claims.close()

    async def _claim(self, claims: ClaimStore, turn_id: str, deadline_at: float) -> Claim:
        """Ours, or its answer; while another stream works on the same turn, wait for that."""
        while True:
            claim = await asyncio.to_thread(claims.take, turn_id)
            if claim.holder or claim.answer or claim.forgotten:
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

    async def _note_gap(self, tenant: Tenant, claims: ClaimStore, turn_id: str, question: Question) -> None:
        """For the writers; the turn is answered whether this works or not."""
        try:
            await asyncio.to_thread(_note_gap, self._library(tenant), claims, turn_id, question)
        except Exception as error:
            LOG.warning("gap_not_noted", turn_id=turn_id, error=failure(error))

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


def _note_gap(library: Library, claims: ClaimStore, turn_id: str, question: Question) -> None:
    library.note_gap(turn_id, question.text, question.lang)
    if claims.is_forgotten(turn_id):  # meanwhile, and before it was noted
        library.forget_gaps([turn_id])


async def _next(stream: AsyncIterator[EngineEvent], deadline_at: float, engine: str) -> Sentence | Finished:
    async with _until(deadline_at):
        event = await anext(stream, None)
    if event is None:
        raise EngineError("the engine stopped without finishing", where=engine)
    if isinstance(event, ToolRequest):
        raise EngineError("the engine asked for a tool it was not offered", where=engine)
    return event


@dataclass(slots=True)
class _Hold:
    """A claim of ours. `lost`: the last renewal found it gone."""

    claims: ClaimStore
    turn_id: str
    holder: str
    lost: bool = False

    async def keep(self, answer: Answer) -> None:
        """Durable before it goes out."""
        text = ANSWERS.dump_json(answer).decode()
        if not await asyncio.to_thread(self.claims.answer, self.turn_id, self.holder, text):
            raise await self.loss()

    async def loss(self) -> NearsideError:
        if await asyncio.to_thread(self.claims.is_forgotten, self.turn_id):
            return Forgotten(FORGOTTEN)
        return TakenOver("another stream has taken this turn over", hint="repeat it to get that answer")

    async def renew(self) -> None:
        """Until the claim is lost. A renewal that failed is tried again: the lease outlives two of them."""
        while not self.lost:
            await asyncio.sleep(self.claims.lease_s / 3)
            try:
                self.lost = not await asyncio.to_thread(self.claims.renew, self.turn_id, self.holder)
            except StorageError as error:
                LOG.warning("claim_not_renewed", turn_id=self.turn_id, error=failure(error))


@asynccontextmanager
async def _held(claims: ClaimStore, turn_id: str, holder: str) -> AsyncIterator[_Hold]:
    """Renew the lease meanwhile; let go of the turn if it ends without an answer."""
    hold = _Hold(claims, turn_id, holder)
    renewing = asyncio.create_task(hold.renew())
    try:
        yield hold
    except BaseException:
        await asyncio.shield(asyncio.to_thread(claims.release, turn_id, holder))
        raise
    finally:
        renewing.cancel()


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
