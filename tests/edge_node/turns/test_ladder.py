"""The ladder: which step answers, and what becomes of one that takes too long or breaks."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import CollectorRegistry

from edge_node.messages import Draft, Reply, Turn
from edge_node.responders.fallback import Fallback
from edge_node.turns.core_step import CoreStep, Memory
from edge_node.turns.fair import Fair, Slot
from edge_node.turns.ladder import Ladder
from edge_node.turns.ladder_metrics import LadderMetrics
from edge_node.turns.look_ups import Once
from edge_node.turns.steps import ShowDraft, Step
from edge_node.turns.stops import Patience
from edge_node.uplink.base import Answer, Sentence
from nearside.errors import StorageError
from nearside.origins import Reason, Source
from tests.edge_node.stage import ScriptedUplink, bare_turn

pytestmark = pytest.mark.unit

ANSWER = Answer("It weighs 2.9 kg.", True, 0.9, (), "7", True)
CACHED = Reply("It weighs 2.9 kg.", Source.CACHE, Reason.CACHE_HIT, 0.9)
LIKELY = Reply("approved", Source.FAQ, Reason.MATCHED, 0.6)
GENERATED = Reply("generated", Source.EDGE_MODEL, Reason.GENERATED, 0.6)

Says = Callable[[], Awaitable[Reply | None]]


class Approved:
    """Has something likely to say, or not, or breaks."""

    def __init__(self, likely: Reply | None = None) -> None:
        self.reply = likely
        self.is_broken = False

    async def likely(self, turn: Turn, *, core_was_asked: bool) -> Reply | None:
        if self.is_broken:
            raise KeyError("en")
        return self.reply

    async def suggest(self, turn: Turn, reply: Reply) -> Reply:
        return reply


class Screen:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def typing(self, turn: Turn) -> None:
        self.seen.append("typing")

    async def draft(self, turn: Turn, draft: Draft) -> None:
        self.seen.append(f"{draft.revision}: {draft.text}")


class Stairs:
    """A ladder of `before`, the core and `after`, and a turn that climbs it."""

    def __init__(self, *before: Step, after: tuple[Step, ...] = (), memory: Memory | None = None) -> None:
        self.uplink, self.approved, self.screen = ScriptedUplink(ANSWER), Approved(), Screen()
        self.registry = CollectorRegistry()
        metrics = LadderMetrics(self.registry)
        core = CoreStep(self.uplink, b"k" * 32, 5.0, memory=memory)
        apologise = Fallback({}).apologise
        self.ladder = Ladder(before, core, self.approved, apologise, metrics, after)
        self.patience = Patience(Slot(Fair(4), "demo"))
        self.turn = bare_turn("How heavy is the Skua 3?")

    async def climb(self) -> Reply:
        await self.patience.slot.take()
        return await self.ladder.climb(self.turn, self.screen, self.patience)

    def counted(self, step: str, outcome: str) -> float:
        labels = {"tenant": "demo", "step": step, "outcome": outcome}
        return self.registry.get_sample_value("nearside_steps_total", labels) or 0.0


def step(name: str, says: Says, within_s: float | None = None, *, slow: bool = False, needed: bool = False) -> Step:
    async def answer(turn: Turn, show: ShowDraft | None, revision: int, /) -> Reply | None:
        if show is not None and slow:
            await show(turn, Draft(turn.turn_id, revision, 0, name))
        return await says()

    return Step(name, answer, within_s, is_slow=slow, is_needed=needed)


async def passes() -> None:
    return None


async def breaks() -> Reply:
    raise KeyError("a bug")


async def never() -> Reply:
    await asyncio.Event().wait()
    raise AssertionError


async def store_refuses() -> Reply:
    raise StorageError("the store refuses")


def saying(reply: Reply) -> Says:
    async def says() -> Reply:
        return reply

    return says


async def test_the_first_step_that_answers_does_and_each_is_counted() -> None:
    stairs = Stairs(step("rules", passes), step("cache", saying(CACHED)), step("later", breaks))
    assert await stairs.climb() == CACHED
    assert stairs.uplink.asked == [] and stairs.screen.seen == []
    assert (stairs.counted("rules", "passed"), stairs.counted("cache", "answered")) == (1, 1)
    assert stairs.counted("later", "failed") == 0


@pytest.mark.parametrize(("says", "outcome"), [(breaks, "failed"), (store_refuses, "failed"), (never, "overran")])
async def test_a_step_that_breaks_or_takes_too_long_is_passed_over_and_counted(says: Says, outcome: str) -> None:
    stairs = Stairs(step("cache", says, 0.02))
    reply = await stairs.climb()
    assert (reply.source, reply.reason) == (Source.CORE, Reason.GROUNDED)
    assert (stairs.counted("cache", outcome), stairs.counted("core", "answered")) == (1, 1)


@pytest.mark.parametrize(("says", "error"), [(breaks, KeyError), (store_refuses, StorageError)])
async def test_a_step_that_does_things_is_not_passed_over(says: Says, error: type[Exception]) -> None:
    stairs = Stairs(step("rules", says, needed=True))
    with pytest.raises(error):
        await stairs.climb()
    assert stairs.counted("rules", "failed") == 1
    assert stairs.uplink.asked == []


@pytest.mark.parametrize("reason", [Reason.CORE_UNREACHABLE, Reason.CIRCUIT_OPEN, Reason.ENGINE_FAILED])
async def test_what_comes_after_the_core_answers_where_it_failed(reason: Reason) -> None:
    stairs = Stairs(after=(step("local_model", saying(GENERATED)),))
    stairs.uplink.reason = reason
    assert await stairs.climb() == GENERATED
    assert (stairs.counted("core", "failed"), stairs.counted("local_model", "answered")) == (1, 1)


async def test_an_approved_answer_goes_before_what_comes_after_the_core() -> None:
    stairs = Stairs(after=(step("local_model", saying(GENERATED)),))
    stairs.uplink.reason, stairs.approved.reply = Reason.CORE_UNREACHABLE, LIKELY
    assert await stairs.climb() == LIKELY


@pytest.mark.parametrize("says", [passes, breaks, never])
async def test_if_nothing_answers_the_apology_says_why_the_core_did_not(says: Says) -> None:
    stairs = Stairs(step("before", says, 0.02), after=(step("after", says, 0.02, slow=True),))
    stairs.uplink.reason, stairs.approved.is_broken = Reason.CIRCUIT_OPEN, True
    reply = await stairs.climb()
    assert (reply.source, reply.reason, reply.final) == (Source.FALLBACK, Reason.CIRCUIT_OPEN, False)
    assert stairs.counted("approved", "failed") == 2


async def test_a_cached_answer_that_is_unsure_gives_way_to_a_likely_approved_one_as_the_cores_does() -> None:
    unsure = Reply("perhaps", Source.CACHE, Reason.CACHE_HIT, 0.7)
    stairs = Stairs(step("cache", saying(unsure)))
    assert await stairs.climb() == unsure
    stairs.approved.reply = LIKELY
    assert await stairs.climb() == LIKELY
    sure = Stairs(step("cache", saying(CACHED)))
    sure.approved.reply = LIKELY
    assert await sure.climb() == CACHED


async def test_typing_shows_before_every_slow_step_and_each_draft_replaces_those_of_the_steps_before() -> None:
    stairs = Stairs(step("early", passes, slow=True), after=(step("late", saying(GENERATED), slow=True),))
    stairs.uplink.events = (Sentence(1, 0, "It weighs"),)
    stairs.uplink.reason = None
    stairs.turn.attempts = 2
    with pytest.raises(AssertionError):  # an uplink that ends so breaks its contract
        await stairs.climb()
    stairs.uplink.reason = Reason.CORE_UNREACHABLE
    await stairs.climb()
    assert [seen for seen in stairs.screen.seen if seen != "typing"] == [
        "2000: early",
        "2001: It weighs",
        "2000: early",
        "2900: late",
    ]
    assert stairs.screen.seen[0] == "typing"


@pytest.mark.parametrize("before", [True, False])
async def test_a_slow_step_can_be_stopped_and_gives_its_slot_to_others_meanwhile(before: bool) -> None:
    places = Fair(2)
    began = asyncio.Event()

    async def long() -> Reply:
        began.set()
        return await never()

    slow = step("local_model", long, slow=True)
    stairs = Stairs(slow) if before else Stairs(after=(slow,))
    stairs.uplink.reason, stairs.patience = Reason.CORE_UNREACHABLE, Patience(Slot(places, "demo"))
    climbing = asyncio.create_task(stairs.climb())
    await began.wait()
    assert places.try_take("demo")
    places.give_back("demo")
    stairs.patience.stop.set()
    reply = await climbing
    assert (reply.source, reply.reason) == (Source.RULE, Reason.CANCELLED)


class Learning:
    """What the core step hands to the cache."""

    def __init__(self) -> None:
        self.learnt: list[tuple[str, int, bool]] = []
        self.is_broken = False

    def as_of(self) -> int:
        return 3

    async def learn(self, turn: Turn, answer: Answer, as_of: int, *, is_plain: bool) -> None:
        if self.is_broken:
            raise KeyError("a bug")
        self.learnt.append((answer.text, as_of, is_plain))


async def test_the_cache_learns_what_the_core_says_and_whether_the_question_was_plain() -> None:
    memory = Learning()
    stairs = Stairs(memory=memory)
    await stairs.climb()
    stairs.turn = bare_turn("Write to ana@mail.example: how heavy is the Skua 3?")
    await stairs.climb()
    assert memory.learnt == [(ANSWER.text, 3, True), (ANSWER.text, 3, False)]


async def test_an_answer_that_cannot_be_kept_still_goes_out() -> None:
    memory = Learning()
    memory.is_broken = True
    assert (await Stairs(memory=memory).climb()).text == ANSWER.text


async def test_a_look_up_runs_once_and_one_that_fails_has_found_nothing() -> None:
    skipped: list[str] = []
    runs = 0

    async def counts() -> int:
        nonlocal runs
        runs += 1
        return runs

    async def fails() -> int:
        await counts()
        raise KeyError("a bug")

    async def hangs() -> int:
        await counts()
        await asyncio.Event().wait()
        return 7

    for look_up, found in ((counts, 1), (fails, 0), (hangs, 0)):
        runs = 0
        once = Once(look_up, 0, skipped.append, within_s=0.02)
        assert (await once(), await once(), runs) == (found, found, 1)
    assert skipped == ["failed", "overran"]
