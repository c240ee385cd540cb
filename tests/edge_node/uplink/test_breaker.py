"""The circuit breaker: when it opens, for whom, when it tries again, and what closes it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import pytest

from edge_node.messages import MaskedTurn
from edge_node.uplink.base import Answer, Sentence, UplinkEvent
from edge_node.uplink.breaker import Breaker
from edge_node.uplink.circuit import Circuit, Limits
from nearside.errors import UplinkError
from nearside.origins import Reason

pytestmark = pytest.mark.unit

LIMITS = Limits(in_a_row=3, share=0.5, least=8, window_s=30.0, first_s=1.0, longest_s=4.0)
TURN = MaskedTurn("demo", "t_1", "ref", "how heavy?", "en", (), 5.0)
ANSWER = Answer("It weighs 2.9 kg.", True, 0.9, (), "7", True)


class Core:
    """Fails with `reason` while it is set; `asked` counts. With `gate` it says a sentence and then waits."""

    def __init__(self) -> None:
        self.reason: Reason | None = None
        self.connected = True
        self.asked = 0
        self.gate: asyncio.Event | None = None

    async def answer(self, turn: MaskedTurn) -> AsyncGenerator[UplinkEvent]:
        self.asked += 1
        if self.reason is not None:
            raise UplinkError(self.reason, "scripted")
        if self.gate is not None:
            yield Sentence(1, 0, "One moment.")
            await self.gate.wait()
        yield ANSWER

    async def is_up(self) -> bool:
        return self.connected


class Company:
    """Two tenants of one core, and a clock."""

    def __init__(self) -> None:
        self.core, self.now = Core(), 100.0
        self.states: list[str] = []
        circuit = self._circuit(self.states.append)
        self.demo, self.other = (Breaker(self.core, circuit, self._circuit(lambda _state: None)) for _ in range(2))

    def _circuit(self, changed: Callable[[str], None]) -> Circuit:
        return Circuit(changed, LIMITS, clock=lambda: self.now, jitter=lambda: 1.0)

    async def ask(self, breaker: Breaker) -> Reason | None:
        """Why it came to nothing."""
        try:
            async with aclosing(breaker.answer(TURN)) as events:
                async for _ in events:
                    pass
        except UplinkError as error:
            return error.reason
        return None

    async def fail(self, breaker: Breaker, reason: Reason, times: int = LIMITS.in_a_row) -> None:
        self.core.reason = reason
        for _ in range(times):
            assert await self.ask(breaker) is reason
        self.core.reason = None


@pytest.fixture
def company() -> Company:
    return Company()


async def test_a_core_that_is_away_for_one_is_left_alone_by_all(company: Company) -> None:
    await company.fail(company.demo, Reason.CORE_UNREACHABLE)
    asked = company.core.asked
    for breaker in (company.demo, company.other):
        assert await company.ask(breaker) is Reason.CIRCUIT_OPEN
        assert not await breaker.is_up()
    assert company.core.asked == asked
    assert company.states == ["open"]


async def test_an_answer_in_between_starts_the_row_again(company: Company) -> None:
    for _ in range(2):
        await company.fail(company.demo, Reason.CORE_UNREACHABLE, LIMITS.in_a_row - 1)
        assert await company.ask(company.demo) is None
    assert company.states == []


async def test_half_of_many_turns_failing_opens_it_too_and_what_is_long_ago_does_not_count(company: Company) -> None:
    for _ in range(2):
        await company.fail(company.demo, Reason.CORE_UNREACHABLE, 2)
        await company.ask(company.demo)
    company.now += LIMITS.window_s + 1
    await company.fail(company.demo, Reason.CORE_UNREACHABLE, 2)
    await company.ask(company.demo)
    assert company.states == []
    await company.fail(company.demo, Reason.CORE_UNREACHABLE, 2)
    await company.ask(company.demo)
    await company.ask(company.demo)
    await company.fail(company.demo, Reason.CORE_UNREACHABLE, 1)
    assert company.states == ["open"]


@pytest.mark.parametrize("reason", [Reason.ENGINE_FAILED, Reason.CORE_DEADLINE])
async def test_what_breaks_for_one_tenant_is_open_for_it_alone(company: Company, reason: Reason) -> None:
    await company.fail(company.demo, reason)
    assert await company.ask(company.demo) is Reason.CIRCUIT_OPEN
    assert not await company.demo.is_up()
    assert await company.ask(company.other) is None
    assert await company.other.is_up()


@pytest.mark.parametrize("reason", [Reason.CORE_REFUSED, Reason.CORE_OVERLOADED])
async def test_a_core_that_says_no_is_not_broken(company: Company, reason: Reason) -> None:
    await company.fail(company.demo, reason, 50)
    assert await company.ask(company.demo) is None
    assert company.states == []


async def test_after_a_while_one_turn_tries_and_closes_it(company: Company) -> None:
    await company.fail(company.demo, Reason.CORE_UNREACHABLE)
    company.now += LIMITS.first_s
    assert await company.demo.is_up()
    assert await company.ask(company.other) is None
    assert company.states == ["open", "half_open", "closed"]
    assert await company.ask(company.demo) is None


async def test_while_one_tries_the_others_are_kept_away(company: Company) -> None:
    await company.fail(company.demo, Reason.ENGINE_FAILED)
    company.now += LIMITS.first_s
    company.core.gate = asyncio.Event()
    trying = asyncio.create_task(company.ask(company.demo))
    await asyncio.sleep(0)
    assert await company.ask(company.demo) is Reason.CIRCUIT_OPEN
    company.core.gate.set()
    assert await trying is None
    assert await company.ask(company.demo) is None


async def test_each_try_that_fails_doubles_the_wait_up_to_a_bound(company: Company) -> None:
    await company.fail(company.demo, Reason.CORE_UNREACHABLE)
    for wait_s in (1.0, 2.0, 4.0, 4.0):
        company.now += wait_s - 0.01
        assert await company.ask(company.demo) is Reason.CIRCUIT_OPEN
        company.now += 0.01
        await company.fail(company.demo, Reason.CORE_UNREACHABLE, 1)
    company.now += 4.0
    assert await company.ask(company.demo) is None
    await company.fail(company.demo, Reason.CORE_UNREACHABLE)
    company.now += LIMITS.first_s
    assert await company.ask(company.demo) is None


async def test_a_try_that_is_broken_off_leaves_the_next_one_to_try(company: Company) -> None:
    await company.fail(company.demo, Reason.CORE_UNREACHABLE)
    company.now += LIMITS.first_s
    company.core.answer = never_answers  # type: ignore[method-assign]
    trying = asyncio.create_task(company.ask(company.demo))
    await asyncio.sleep(0)
    trying.cancel()
    await asyncio.gather(trying, return_exceptions=True)
    del company.core.answer
    assert await company.ask(company.demo) is None
    assert company.states == ["open", "half_open", "open", "half_open", "closed"]


async def never_answers(turn: MaskedTurn) -> AsyncGenerator[UplinkEvent]:
    await asyncio.Event().wait()
    yield ANSWER


async def test_a_turn_from_before_it_opened_tells_nothing_new(company: Company) -> None:
    company.core.gate = asyncio.Event()
    early = asyncio.create_task(company.ask(company.demo))
    await asyncio.sleep(0)
    await company.fail(company.demo, Reason.CORE_UNREACHABLE)
    company.core.gate.set()
    assert await early is None
    assert await company.ask(company.demo) is Reason.CIRCUIT_OPEN


async def test_a_core_that_was_away_and_is_there_again_is_tried_at_once(company: Company) -> None:
    await company.fail(company.demo, Reason.CORE_UNREACHABLE)
    company.core.connected = False
    assert not await company.demo.is_up()
    company.core.connected = True
    assert await company.demo.is_up()
    assert await company.ask(company.demo) is None
    assert company.states[-1] == "closed"


async def test_a_connection_alone_does_not_hasten_a_core_that_was_never_away(company: Company) -> None:
    await company.fail(company.demo, Reason.CORE_UNREACHABLE)
    assert not await company.demo.is_up()
    assert await company.ask(company.demo) is Reason.CIRCUIT_OPEN
