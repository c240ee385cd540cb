"""A small stage for tests of the edge: a real store in a temporary folder, a scripted uplink, a collecting channel."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry

from edge_node.messages import (
    Branding,
    Conversation,
    ConversationState,
    Delivery,
    Draft,
    Inbound,
    MaskedTurn,
    Reply,
    Tenant,
    Turn,
)
from edge_node.privacy.policy import Privacy
from edge_node.responders import faq
from edge_node.responders.base import Responder
from edge_node.responders.fallback import Fallback
from edge_node.storage.store import TenantStore
from edge_node.turns.core_step import CoreStep
from edge_node.turns.ladder import Approved, Ladder
from edge_node.turns.ladder_metrics import LadderMetrics
from edge_node.turns.lines import Outlet
from edge_node.turns.metrics import Metrics
from edge_node.turns.outbox_metrics import OutboxMetrics
from edge_node.turns.room import TenantRoom
from edge_node.turns.sender import Sender
from edge_node.turns.steps import step
from edge_node.turns.turns import Limits, Turns
from edge_node.uplink.base import UplinkEvent
from nearside.encoder import DIMENSIONS, FEATURES, Encoding
from nearside.errors import UplinkError
from nearside.nearest import Match
from nearside.origins import Reason

KEY = bytes(range(32))
TENANT = Tenant(
    "demo", {"en": "Shop", "zh": "店"}, "en", Branding("#123456", {"en": "Hi", "zh": "好"}, {"en": (), "zh": ()})
)


def inbound(text: str, message_id: str = "m1", thread: str = "t1", customer: str = "c1") -> Inbound:
    return Inbound("api", "default", thread, message_id, customer, text)


async def until(condition: Callable[[], bool]) -> None:
    """Poll what nobody signals; a test that waits in vain fails here."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


class ScriptedUplink:
    """Answers with `events`; while `reason` is set it fails with that instead. `hold` keeps it from going on."""

    def __init__(self, *events: UplinkEvent) -> None:
        self.events = events
        self.reason: Reason | None = None
        self.hold: asyncio.Event | None = None
        self.asked: list[MaskedTurn] = []

    async def answer(self, turn: MaskedTurn) -> AsyncGenerator[UplinkEvent]:
        self.asked.append(turn)
        if self.reason is not None:
            raise UplinkError(self.reason, "scripted")
        if self.hold is not None:
            await self.hold.wait()
        for event in self.events:
            yield event

    async def is_up(self) -> bool:
        return self.reason is None


class NoSemantics:
    def nearest(self, text: str) -> Callable[[], Awaitable[Sequence[Match]]]:
        async def nothing() -> Sequence[Match]:
            return ()

        return nothing

    def encoding(self, text: str) -> Callable[[], Awaitable[Encoding]]:
        async def unreadable() -> Encoding:
            return Encoding(np.zeros(DIMENSIONS, dtype=np.float32), 1.0, np.zeros(FEATURES, dtype=np.float32))

        return unreadable


def ladder_of(
    responders: Sequence[Responder],
    core: CoreStep,
    approved: Approved | None = None,
    metrics: LadderMetrics | None = None,
) -> Ladder:
    """Every responder is needed, as rules are."""
    return Ladder(
        before=[step(f"step{number}", responder, is_needed=True) for number, responder in enumerate(responders)],
        core=core,
        approved=approved or faq.Responder({}, 0.75, "1"),
        apologise=Fallback({}).apologise,
        metrics=metrics or LadderMetrics(CollectorRegistry()),
    )


def bare_turn(text: str) -> Turn:
    """One that is near nothing and follows nothing."""

    async def none() -> tuple[()]:
        return ()

    async def no_encoding() -> None:
        return None

    return Turn(
        tenant=TENANT,
        turn_id="t_1",
        conversation=Conversation("c_1", "web", "default", "t1", "c1"),
        text=text,
        lang="en",
        state=ConversationState(),
        owner="bot",
        epoch=0,
        event_id=1,
        received_at=1000.0,
        history=none,
        nearest=none,
        encoding=no_encoding,
    )


class Answering:
    """A responder made of a function."""

    def __init__(self, function: Callable[[Turn], Reply | None]) -> None:
        self._function = function

    async def answer(self, turn: Turn) -> Reply | None:
        return self._function(turn)


class Collecting:
    """A channel that keeps what it is sent, after raising what `failing` holds. Without idempotency keys if told so."""

    def __init__(self, idempotent: bool = True) -> None:
        self.idempotent = idempotent
        self.sent: list[Delivery] = []
        self.failing: list[Exception] = []

    def show(self, delivery: Delivery) -> bool:
        return False

    async def send(self, delivery: Delivery) -> None:
        if self.failing:
            raise self.failing.pop(0)
        self.sent.append(delivery)


def sender_to(outlet: Outlet) -> Sender:
    """Every channel is the same one."""
    return Sender(lambda _kind: outlet, OutboxMetrics(CollectorRegistry()))


class Stage:
    """`grace_s`: how long the end waits for turns under way; 0 is as near to a kill as a test of one process comes."""

    def __init__(
        self, turns: Turns, room: TenantRoom, uplink: ScriptedUplink, outlet: Collecting, registry: CollectorRegistry
    ) -> None:
        self.turns, self.room, self.store, self.uplink = turns, room, room.store, uplink
        self.sent, self.failing, self.registry = outlet.sent, outlet.failing, registry
        self.drafts: list[Draft] = []
        self.grace_s = 0.2

    async def say(self, text: str, message_id: str = "m1", thread: str = "t1") -> str:
        return (await self.turns.accept(TENANT, inbound(text, message_id, thread))).turn_id

    async def settle(self, replies: int) -> list[Delivery]:
        await until(lambda: len(self.sent) >= replies)
        return self.sent


@contextlib.asynccontextmanager
async def staged(
    folder: Path,
    responders: Sequence[Responder] = (),
    uplink: ScriptedUplink | None = None,
    limits: Limits | None = None,
    interrupts: Callable[[str], bool] = lambda text: text == "stop",
    approved: Approved | None = None,
    debounce_s: float = 0.0,
    outlet: Collecting | None = None,
    privacy: Privacy | None = None,
) -> AsyncIterator[Stage]:
    store = await TenantStore.open(folder / "edge.db", KEY)
    uplink, outlet = uplink or ScriptedUplink(), outlet or Collecting()
    core = CoreStep(uplink, b"k" * 32, 5.0, privacy=privacy or Privacy())
    ladder = ladder_of(responders, core, approved)
    room = TenantRoom(TENANT, store, NoSemantics(), ladder, interrupts, debounce_s)
    stage: Stage

    async def show(tenant: Tenant, conversation: Conversation, draft: Draft) -> None:
        stage.drafts.append(draft)

    sender, registry = sender_to(outlet), CollectorRegistry()
    turns = Turns({"demo": room}, sender, show, Metrics(registry), limits or Limits())
    stage = Stage(turns, room, uplink, outlet, registry)
    try:
        yield stage
    finally:
        await turns.drain(stage.grace_s)
        await sender.drain(stage.grace_s)
        await store.close()
