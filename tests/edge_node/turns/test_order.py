"""Whatever happens in whatever order: first replies come in the order of the messages, and each turn ends once."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_node.messages import MaskedTurn, Reply, Turn
from edge_node.uplink.base import Answer, UplinkEvent
from nearside.origins import Reason, Source
from tests.edge_node.stage import TENANT, ScriptedUplink, Stage, inbound, staged, until

pytestmark = pytest.mark.unit

THREADS = ("a", "b", "c")
ANSWER = Answer("It weighs 2.9 kg.", True, 0.9, (), "7", True)

says = st.tuples(
    st.just("say"), st.lists(st.tuples(st.sampled_from(THREADS), st.sampled_from(["rule", "core", "bad", "stop"])))
)
steps = st.one_of(
    says,
    says,
    st.tuples(st.just("repeat"), st.integers(0, 1_000)),
    st.tuples(st.sampled_from(["wait", "quiet", "hold", "release", "down", "up", "restart"]), st.none()),
)


class Core(ScriptedUplink):
    """Fails while it is down; holds back what it is asked until it is released."""

    def __init__(self) -> None:
        super().__init__(ANSWER)
        self.released = asyncio.Event()
        self.released.set()

    async def answer(self, turn: MaskedTurn) -> AsyncGenerator[UplinkEvent]:
        await self.released.wait()
        async for event in super().answer(turn):
            yield event


class Rules:
    async def answer(self, turn: Turn) -> Reply | None:
        if "bad" in turn.text:
            raise ZeroDivisionError
        return None if "core" in turn.text else Reply(turn.text, Source.RULE, Reason.MATCHED)


@dataclass
class Attack:
    """One program's lives over one file."""

    folder: Path
    debounce_s: float
    core: Core = field(default_factory=Core)
    said: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """Message id → thread, text, turn id."""
    sent: set[int] = field(default_factory=set)

    @asynccontextmanager
    async def life(self) -> AsyncIterator[Stage]:
        async with staged(
            self.folder, [Rules()], self.core, interrupts=lambda text: text == "stop", debounce_s=self.debounce_s
        ) as stage:
            promises = asyncio.create_task(stage.turns.deferred.run())
            stage.grace_s = 0.0
            await stage.turns.resume()
            yield stage
            promises.cancel()
        self.sent |= {delivery.event.id for delivery in stage.sent}

    async def say(self, stage: Stage, lines: Iterable[tuple[str, str]]) -> None:
        """All at once: the order of arrival is that of the log."""

        async def one(message_id: str, thread: str, text: str) -> None:
            accepted = await stage.turns.accept(TENANT, inbound(text, message_id, thread))
            assert not accepted.duplicate
            self.said[message_id] = (thread, text, accepted.turn_id)

        first = len(self.said)
        await asyncio.gather(*(one(f"m{first + n}", *line) for n, line in enumerate(lines)))

    async def repeat(self, stage: Stage, number: int) -> None:
        if self.said:
            message_id, (thread, text, turn_id) = list(self.said.items())[number % len(self.said)]
            again = await stage.turns.accept(TENANT, inbound(text, message_id, thread))
            assert (again.duplicate, again.turn_id) == (True, turn_id)

    async def step(self, stage: Stage, name: str, argument: object) -> None:
        match name, argument:
            case "say", list(lines):
                await self.say(stage, lines)
            case "repeat", int(number):
                await self.repeat(stage, number)
            case "wait", _:
                await asyncio.sleep(0.005)
            case "quiet", _:
                quiet(stage)
            case "hold", _:
                self.core.released.clear()
            case "release", _:
                self.core.released.set()
            case _:
                self.core.reason = Reason.CORE_UNREACHABLE if name == "down" else None

    async def settle(self, stage: Stage) -> None:
        self.core.reason = None
        self.core.released.set()

        def is_done() -> bool:
            quiet(stage)
            return not stage.turns.waiting("demo") and not stage.turns.deferred.depth("demo")

        await until(is_done)

    async def check(self, stage: Stage) -> None:
        """Against the log and the dead list; a turn merged into a dead one is dead with it."""
        dead = {item.id for item in await stage.store.dead(1_000)}
        ends, replies = Counter[str](), set()
        for thread in THREADS:
            if (known := await stage.store.conversation("api", "default", thread)) is None:
                continue
            events = await stage.store.events(known[0].id, 0, 10_000)
            arrived = [event.turn_id for event in events if event.kind == "message"]
            first: dict[str, int] = {}
            for event in (event for event in events if event.kind == "reply"):
                replies.add(event.id)
                ends.update(event.body["answers"] if event.body["final"] or event.turn_id in dead else ())
                for turn_id in event.body["answers"]:
                    first.setdefault(turn_id, event.id)
            assert [first[turn_id] for turn_id in arrived] == sorted(first.values())
        assert ends == Counter(turn_id for _, _, turn_id in self.said.values())
        await until(lambda: replies <= self.sent | {delivery.event.id for delivery in stage.sent})


def quiet(stage: Stage) -> None:
    for window in stage.turns._windows._open.values():
        window.closed.set()


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_node.turns.deferred.EVERY_S", 0.01)
    monkeypatch.setattr("edge_node.turns.runner.RETRY_S", 0.0)


@pytest.mark.parametrize("debounce_s", [0.0, 10.0])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(plan=st.lists(steps, max_size=25))
def test_first_replies_keep_the_order_and_each_turn_ends_once(
    debounce_s: float, plan: list[tuple[str, object]]
) -> None:
    async def attack(folder: Path) -> None:
        attacked = Attack(folder, debounce_s)
        lives: list[list[tuple[str, object]]] = [[]]
        for step in plan:
            lives.append([]) if step[0] == "restart" else lives[-1].append(step)
        for life in lives:
            async with attacked.life() as stage:
                for name, argument in life:
                    await attacked.step(stage, name, argument)
        async with attacked.life() as stage:
            await attacked.settle(stage)
            await attacked.check(stage)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(attack(Path(folder)))
