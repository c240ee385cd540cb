"""Whatever is asked and learnt in whatever order: never another tenant's answer, another question's, an older one."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_node.messages import Reply
from tests.edge_node.responders.cached import Clock, Desk, answer, desk

pytestmark = pytest.mark.unit

TENANTS = ("demo", "other")
QUESTIONS = (
    "How heavy is the Skua 3 tent?",
    "how heavy is a Skua 3 tent",
    "How heavy is the Skua 4 tent?",
    "How heavy is the Petrel 3 tent?",
    "Skua 3 隧道帐篷有多重？",
    "Petrel 3 隧道帐篷有多重？",
    "Where is your shop in Berlin?",
    "where is your Berlin shop",
    "Where is your shop in Bern?",
)
SAME = ({0, 1}, {6, 7})
"""Of the questions, those that mean the same."""
TTL_S = 3600.0


@dataclass(frozen=True, slots=True)
class Asked:
    tenant: str
    question: int


@dataclass(frozen=True, slots=True)
class Learnt:
    """`is_plain` and `cacheable` as the core and the edge's masking say."""

    tenant: str
    question: int
    is_plain: bool
    cacheable: bool


@dataclass(frozen=True, slots=True)
class Changed:
    """The documents of a tenant, heard of with an answer that is for nobody else."""

    tenant: str


@dataclass(frozen=True, slots=True)
class Passed:
    seconds: float


@dataclass(frozen=True, slots=True)
class Restarted:
    tenant: str


tenants, questions = st.sampled_from(TENANTS), st.integers(0, len(QUESTIONS) - 1)
events = st.lists(
    st.one_of(
        st.builds(Asked, tenants, questions),
        st.builds(Asked, tenants, questions),
        st.builds(Learnt, tenants, questions, st.just(True), st.just(True)),
        st.builds(Learnt, tenants, questions, st.booleans(), st.booleans()),
        st.builds(Changed, tenants),
        st.builds(Passed, st.sampled_from([1.0, TTL_S / 2, TTL_S])),
        st.builds(Restarted, tenants),
    ),
    min_size=4,
    max_size=24,
)


class World:
    """Two tenants with the same secret, so that nothing but their files holds them apart."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._clock = folder, Clock()
        self._stacks = {tenant: AsyncExitStack() for tenant in TENANTS}
        self._desks: dict[str, Desk] = {}
        self._versions = dict.fromkeys(TENANTS, 1)
        self._kept: dict[tuple[str, int], tuple[str, float]] = {}

    async def open(self, tenant: str) -> None:
        folder = self._folder / tenant
        folder.mkdir(exist_ok=True)
        opening = desk(folder, self._clock, ttl_hours=TTL_S / 3600, threshold=0.7)
        self._desks[tenant] = await self._stacks[tenant].enter_async_context(opening)

    async def close(self, tenant: str) -> None:
        await self._stacks[tenant].aclose()

    async def meet(self, event: Asked | Learnt | Changed | Passed | Restarted) -> None:
        match event:
            case Asked(tenant, place):
                self.judge(tenant, place, await self._desks[tenant].ask(QUESTIONS[place]))
            case Learnt():
                await self.learn(event)
            case Changed(tenant):
                self._versions[tenant] += 1
                version = str(self._versions[tenant])
                await self._desks[tenant].learn("Anything new?", answer(version=version, cacheable=False))
            case Passed(seconds):
                self._clock.now += seconds
            case Restarted(tenant):
                await self.close(tenant)
                await self.open(tenant)

    async def learn(self, event: Learnt) -> None:
        own, version = self._desks[event.tenant], str(self._versions[event.tenant])
        text = f"{event.tenant} {version} {event.question} at {self._clock.now}"
        turn = await own.turn(QUESTIONS[event.question])
        said = answer(text, version, cacheable=event.cacheable)
        await own.cache.learn(turn, said, own.cache.as_of(), is_plain=event.is_plain)
        await own.committed()
        if event.is_plain and event.cacheable:
            self._kept[event.tenant, event.question] = (text, self._clock.now)

    def judge(self, tenant: str, place: int, reply: Reply | None) -> None:
        if reply is None:
            return
        alike = next((group for group in SAME if place in group), {place})
        kept = [self._kept[tenant, other] for other in alike if (tenant, other) in self._kept]
        assert (reply.text, True) in [(text, at >= self._clock.now - TTL_S) for text, at in kept]
        assert reply.text.split()[:2] == [tenant, str(self._versions[tenant])]
        assert reply.knowledge_version == str(self._versions[tenant])


@settings(max_examples=60)
@given(happened=events)
def test_nobody_gets_what_is_anothers_or_no_longer_right(happened: list[Asked | Learnt | Changed]) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(live(World(Path(folder)), iter(happened)))


async def live(world: World, happened: Iterator[Asked | Learnt | Changed]) -> None:
    for tenant in TENANTS:
        await world.open(tenant)
    try:
        for event in happened:
            await world.meet(event)
    finally:
        for tenant in TENANTS:
            await world.close(tenant)
