import asyncio
import math
import threading
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from cloud_core.app import open_tenants
from cloud_core.messages import (
    Answer,
    Delta,
    EngineEvent,
    Finished,
    HistoryItem,
    Lang,
    Outcome,
    Question,
    Role,
    ToolRequest,
)
from cloud_core.tenants import Tenant
from cloud_core.turns.answers import NO_EVIDENCE
from cloud_core.turns.claims import Claims
from cloud_core.turns.runner import DeadlineExceeded, Forgotten, TakenOver, Turns
from nearside.errors import EngineError, StorageError
from tests.cloud_core import stage
from tests.cloud_core.stage import GOOD, GROUNDED, FixedLibrary, ScriptedEngine, sentence, turns_with

pytestmark = pytest.mark.unit
QUESTION = Question("How long may I return it?", "en")


@pytest.fixture
def tenant(tmp_path: Path) -> Tenant:
    return open_tenants(stage.make_core(tmp_path).settings).get("demo")


async def run(turns: Turns, tenant: Tenant, turn_id: str = "t", within_s: float = 20.0) -> list[Delta | Answer]:
    async with aclosing(turns.run(tenant, turn_id, QUESTION, time.monotonic() + within_s)) as events:
        return [event async for event in events]


async def test_an_answer_carries_what_it_stands_on_and_how_long_it_took(tenant: Tenant) -> None:
    *deltas, answer = await run(turns_with(ScriptedEngine(GOOD, GROUNDED)), tenant)
    assert deltas == [Delta(1, 0, GOOD.text)]
    assert isinstance(answer, Answer)
    assert (answer.outcome, answer.confidence, answer.citations) == (Outcome.GROUNDED, 0.9, GOOD.citations)
    assert answer.retrieval_s > 0 and answer.engine_s > 0


async def test_if_every_sentence_is_withheld_the_answer_is_an_honest_no(tenant: Tenant) -> None:
    kinds: list[str] = []
    engine = ScriptedEngine(sentence("Returns cost $3."), sentence("Write to me@evil.example."), GROUNDED)
    events = await run(turns_with(engine, kinds.append), tenant)
    assert kinds == ["price", "email"]
    [answer] = events
    assert isinstance(answer, Answer)
    assert (answer.text, answer.outcome, answer.citations) == (NO_EVIDENCE["en"], Outcome.NO_EVIDENCE, ())
    assert not answer.cacheable


async def test_tenants_do_not_share_turn_ids(tmp_path: Path) -> None:
    tenants = open_tenants(stage.make_core(tmp_path, tenants=("demo", "other")).settings)
    engine = ScriptedEngine(GOOD, GROUNDED)
    turns = turns_with(engine)
    await run(turns, tenants.get("demo"))
    await run(turns, tenants.get("other"))
    assert engine.calls == 2


async def test_an_answer_is_durable_before_it_goes_out(tenant: Tenant) -> None:
    async with aclosing(
        turns_with(ScriptedEngine(GOOD, GROUNDED)).run(tenant, "t", QUESTION, time.monotonic() + 20)
    ) as events:
        async for event in events:
            if isinstance(event, Answer):
                break
    engine = ScriptedEngine()
    assert isinstance(event, Answer) and event.cacheable
    assert [replace(event, cacheable=False)] == await run(turns_with(engine), tenant)
    assert engine.calls == 0


@pytest.mark.parametrize("failure", [EngineError("down"), ValueError("odd")])
async def test_a_turn_that_failed_can_be_repeated(tenant: Tenant, failure: Exception) -> None:
    engine = ScriptedEngine(GOOD, failure)
    turns = turns_with(engine)
    with pytest.raises(type(failure)):
        await run(turns, tenant)
    engine.script = (GOOD, GROUNDED)
    assert isinstance((await run(turns, tenant))[-1], Answer)


async def test_a_slow_engine_is_closed_at_the_deadline(tenant: Tenant) -> None:
    engine = ScriptedEngine(GOOD, asyncio.Event())
    with pytest.raises(DeadlineExceeded):
        await run(turns_with(engine), tenant, within_s=0.2)
    assert engine.ended.is_set()


async def test_waiting_for_another_stream_ends_at_the_deadline_too(tenant: Tenant) -> None:
    turns = turns_with(ScriptedEngine(GOOD, GROUNDED))
    turns.claims_of(tenant).take("t")
    with pytest.raises(DeadlineExceeded):
        await run(turns, tenant, within_s=0.2)


async def test_a_holder_that_was_taken_over_does_not_answer(tenant: Tenant) -> None:
    gate = asyncio.Event()
    engine = ScriptedEngine(gate, GOOD, GROUNDED)
    turns = turns_with(engine)
    stalled = asyncio.create_task(run(turns, tenant))
    await engine.started.wait()
    claims = turns.claims_of(tenant)
    other = claims.take("t", now=time.time() + 3600)
    assert claims.answer("t", other.holder, "{}")
    gate.set()
    with pytest.raises(TakenOver):
        await stalled


@pytest.mark.parametrize("script", [(GOOD,), (GOOD, ToolRequest("c", "order_status", {}))])
async def test_an_engine_that_breaks_its_contract_fails_the_turn(
    tenant: Tenant, script: tuple[EngineEvent, ...]
) -> None:
    with pytest.raises(EngineError):
        await run(turns_with(ScriptedEngine(*script)), tenant)


async def test_an_answer_to_a_conversation_is_not_cacheable(tenant: Tenant) -> None:
    question = Question("And that one?", "en", (HistoryItem(Role.CUSTOMER, "How long may I return it?"),))
    turns = turns_with(ScriptedEngine(GOOD, GROUNDED))
    async with aclosing(turns.run(tenant, "t", question, time.monotonic() + 20)) as events:
        answers = [event async for event in events if isinstance(event, Answer)]
    assert [answer.cacheable for answer in answers] == [False]


async def test_a_forgotten_turn_is_refused_and_never_run_again(tenant: Tenant) -> None:
    engine = ScriptedEngine(GOOD, GROUNDED)
    turns = turns_with(engine)
    await run(turns, tenant)
    assert await turns.forget(tenant, ["t", "unseen"]) == 1
    for turn_id in ("t", "unseen"):
        with pytest.raises(Forgotten):
            await run(turns, tenant, turn_id)
    assert engine.calls == 1


async def test_a_turn_that_is_forgotten_while_it_runs_ends_without_an_answer(tenant: Tenant) -> None:
    gate = asyncio.Event()
    engine = ScriptedEngine(gate, GROUNDED)
    turns = turns_with(engine)
    running = asyncio.create_task(run(turns, tenant))
    await engine.started.wait()
    assert await turns.forget(tenant, ["t"]) == 1
    gate.set()
    with pytest.raises(Forgotten):
        await running


async def test_whoever_lost_a_turn_sends_no_more_sentences(tenant: Tenant) -> None:
    gate = asyncio.Event()
    turns = turns_with(ScriptedEngine(GOOD, gate, GOOD, GROUNDED))
    turns.claims_of(tenant).lease_s = 0.03
    async with aclosing(turns.run(tenant, "t", QUESTION, time.monotonic() + 20)) as events:
        assert isinstance(await anext(events), Delta)
        await turns.forget(tenant, ["t"])
        asyncio.get_running_loop().call_later(0.3, gate.set)
        with pytest.raises(Forgotten):
            await anext(events)


async def test_a_renewal_that_fails_once_is_tried_again(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, renewed, failures = asyncio.Event(), asyncio.Event(), [StorageError("full")]
    loop = asyncio.get_running_loop()

    def renew(self: Claims, turn_id: str, holder: str) -> bool:
        if failures:
            raise failures.pop()
        loop.call_soon_threadsafe(renewed.set)
        return True

    monkeypatch.setattr(Claims, "renew", renew)
    turns = turns_with(ScriptedEngine(gate, GOOD, GROUNDED))
    turns.claims_of(tenant).lease_s = 0.03
    running = asyncio.create_task(run(turns, tenant))
    await renewed.wait()
    gate.set()
    assert isinstance((await running)[-1], Answer)


async def test_a_tenant_that_was_closed_fails_its_turns_and_can_be_opened_again(tenant: Tenant) -> None:
    gate = asyncio.Event()
    engine = ScriptedEngine(gate, GOOD, GROUNDED)
    turns = turns_with(engine)
    running = asyncio.create_task(run(turns, tenant))
    await engine.started.wait()
    turns.close(tenant)
    turns.close(tenant)
    gate.set()
    with pytest.raises(StorageError):
        await running
    turns.claims_of(tenant).end_leases()
    assert isinstance((await run(turns, tenant))[-1], Answer)


async def test_two_programs_that_are_asked_the_same_turn_many_times_at_once_run_it_once(tmp_path: Path) -> None:
    settings = stage.make_core(tmp_path).settings
    engine = ScriptedEngine(GOOD, GROUNDED)
    programs = [(turns_with(engine), open_tenants(settings).get("demo")) for _ in range(2)]
    streams = await asyncio.gather(*(run(turns, tenant) for turns, tenant in programs * 8))
    assert engine.calls == 1
    answers = [event for events in streams for event in events if isinstance(event, Answer)]
    assert len(answers) == 16 and sum(answer.cacheable for answer in answers) == 1
    assert len({str(replace(answer, cacheable=True)) for answer in answers}) == 1


class NotingLibrary(FixedLibrary):
    def __init__(self, failure: Exception | None = None) -> None:
        self.gaps: dict[str, str] = {}
        self.failure = failure

    def note_gap(self, turn_id: str, text: str, lang: Lang) -> None:
        if self.failure:
            raise self.failure
        self.gaps[turn_id] = text

    def forget_gaps(self, turn_ids: Sequence[str]) -> None:
        for turn_id in turn_ids:
            self.gaps.pop(turn_id, None)


NOTHING = Finished(Outcome.NO_EVIDENCE, 0.0)


async def test_a_question_without_an_answer_is_noted_once_and_forgotten_with_its_turn(tenant: Tenant) -> None:
    library = NotingLibrary()
    turns = turns_with(ScriptedEngine(NOTHING), library=library)
    await run(turns, tenant)
    await run(turns, tenant)
    await run(turns_with(ScriptedEngine(GOOD, GROUNDED), library=library), tenant, "answered")
    assert library.gaps == {"t": QUESTION.text}
    await turns.forget(tenant, ["t"])
    assert library.gaps == {}


async def test_a_turn_is_answered_where_its_gap_cannot_be_noted(tenant: Tenant) -> None:
    turns = turns_with(ScriptedEngine(NOTHING), library=NotingLibrary(StorageError("full")))
    [answer] = await run(turns, tenant)
    assert isinstance(answer, Answer) and answer.outcome is Outcome.NO_EVIDENCE


async def test_the_answer_goes_out_before_its_gap_is_noted_and_though_the_stream_is_closed_then(tenant: Tenant) -> None:
    may_note, has_noted = threading.Event(), threading.Event()

    class Waiting(NotingLibrary):
        def note_gap(self, turn_id: str, text: str, lang: Lang) -> None:
            may_note.wait(10)
            super().note_gap(turn_id, text, lang)
            has_noted.set()

    library = Waiting()
    turns = turns_with(ScriptedEngine(NOTHING), library=library)
    async with aclosing(turns.run(tenant, "t", QUESTION, math.inf)) as events:
        answer = await anext(events)
    assert isinstance(answer, Answer) and library.gaps == {}
    may_note.set()
    assert await asyncio.to_thread(has_noted.wait, 10) and library.gaps == {"t": QUESTION.text}


async def test_what_is_noted_of_a_turn_that_was_forgotten_meanwhile_does_not_stay(tenant: Tenant) -> None:
    class Slow(NotingLibrary):
        def note_gap(self, turn_id: str, text: str, lang: Lang) -> None:
            turns.claims_of(tenant).erase([turn_id])
            super().note_gap(turn_id, text, lang)

    library = Slow()
    turns = turns_with(ScriptedEngine(NOTHING), library=library)
    await run(turns, tenant)
    assert library.gaps == {}
