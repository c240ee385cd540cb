"""A tenant's answer cache on a real store, with the real encoder, asked and taught turn by turn."""

import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from edge_node.messages import (
    Citation,
    Conversation,
    ConversationState,
    HistoryItem,
    KeptAnswer,
    Lang,
    Reply,
    Turn,
)
from edge_node.responders.cache import Cache
from edge_node.storage.store import TenantStore
from edge_node.uplink.base import Answer
from nearside.encoder import Encoding, TextEncoder
from nearside.lexical import language_of
from nearside.tenant_toml import CacheSettings
from tests.edge_node.stage import KEY, TENANT, inbound

SKUA = "How heavy is the Skua 3 tent?"
WEIGHS = "The Skua 3 tunnel tent weighs 2.9 kg."
encoder = TextEncoder(threads=1)
numbers = itertools.count(1)


def answer(text: str = WEIGHS, version: str = "7", *, cacheable: bool = True, grounded: bool = True) -> Answer:
    return Answer(text, grounded, 0.9, (Citation("Skua 3", "skua.md", text),), version, cacheable)


class Desk:
    """`outcomes` are those of its look-ups; `now` is the cache's clock; `history` what was said before each turn."""

    def __init__(self, store: TenantStore, settings: CacheSettings, now: Callable[[], float], secret: bytes) -> None:
        self.store = store
        self.outcomes: list[str] = []
        self.history: tuple[HistoryItem, ...] = ()
        self.cache = Cache(settings, store, secret, encoder.fingerprint, encoder.is_word, self.outcomes.append, now)

    async def turn(self, text: str, customer: str = "c1", lang: Lang | None = None) -> Turn:
        """Accepted, as every turn is that runs."""
        number = next(numbers)
        accepted = await self.store.accept(inbound(text, f"m{number}", f"t{number}", customer), 1000.0)
        said = self.history

        async def history() -> tuple[HistoryItem, ...]:
            return said

        async def encoding() -> Encoding:
            return encoder.encode(text)

        async def nearest() -> tuple[()]:
            return ()

        return Turn(
            tenant=TENANT,
            turn_id=accepted.turn_id,
            conversation=Conversation(accepted.conversation_id, "api", "default", f"t{number}", customer),
            text=text,
            lang=lang or language_of(text),
            state=ConversationState(),
            owner="bot",
            epoch=0,
            event_id=accepted.event_id,
            received_at=1000.0,
            history=history,
            nearest=nearest,
            encoding=encoding,
        )

    async def ask(self, text: str, lang: Lang | None = None) -> Reply | None:
        return await self.cache.answer(await self.turn(text, lang=lang))

    async def learn(self, text: str, said: Answer | None = None, customer: str = "c1") -> Turn:
        turn = await self.turn(text, customer)
        await self.cache.learn(turn, said or answer(), self.cache.as_of(), is_plain=True)
        await self.committed()
        return turn

    async def committed(self) -> None:
        """What was posted so far rides with this."""
        await self.store.drop("nobody", "", 0.0)

    async def kept(self) -> Sequence[KeptAnswer]:
        await self.committed()
        return await self.store.kept_answers()


class Clock:
    def __init__(self) -> None:
        self.now = 10_000.0

    def __call__(self) -> float:
        return self.now


@contextlib.asynccontextmanager
async def desk(
    folder: Path,
    clock: Clock | None = None,
    secret: bytes = b"s" * 32,
    **settings: float | bool,
) -> AsyncIterator[Desk]:
    store = await TenantStore.open(folder / "edge.db", KEY)
    try:
        made = Desk(store, CacheSettings.model_validate(settings), clock or Clock(), secret)
        await made.cache.open()
        yield made
    finally:
        await store.close()
