"""FAQ variants and intent examples of one tenant, in one index: a text is encoded once for all who ask."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from hashlib import blake2b
from secrets import token_bytes
from typing import Generic, Protocol, TypeVar

from edge_node.messages import Turn
from nearside.content import INTENT, OUT_OF_SCOPE
from nearside.encoder import Encoding
from nearside.nearest import Index, Match

CANDIDATES = 4
MATCHES_REMEMBERED = 10_000
ENCODINGS_REMEMBERED = 1_000

T = TypeVar("T")


class Read(Protocol):
    """What `then` makes of the encoding of `reading()`, on the encoder's thread, when it is this tenant's turn."""

    async def __call__(self, reading: Callable[[], str], then: Callable[[Encoding], T], /) -> T: ...


class OnThread(Protocol):
    """Runs work on the encoder's thread, off the event loop, when it is this tenant's turn."""

    async def __call__(self, work: Callable[[], T], /) -> T: ...


class Lately(Generic[T]):
    """What was worked out for the texts seen lately, under a keyed hash: no customer's words are kept."""

    def __init__(self, most: int) -> None:
        self._most, self._key = most, token_bytes(32)
        self._known: OrderedDict[bytes, T] = OrderedDict()

    def get(self, text: str) -> T | None:
        key = self._hash(text)
        if (known := self._known.get(key)) is not None:
            self._known.move_to_end(key)
        return known

    def put(self, text: str, outcome: T) -> None:
        self._known[self._hash(text)] = outcome
        if len(self._known) > self._most:
            self._known.popitem(last=False)

    def _hash(self, text: str) -> bytes:
        return blake2b(text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=16).digest()


class Semantics:
    def __init__(self, index: Index, read: Read, on_thread: OnThread) -> None:
        self._index, self._read, self._on_thread = index, read, on_thread
        self._matches: Lately[list[Match]] = Lately(MATCHES_REMEMBERED)
        self._encodings: Lately[Encoding] = Lately(ENCODINGS_REMEMBERED)

    def nearest(self, text: str) -> Callable[[], Awaitable[Sequence[Match]]]:
        """A look-up that runs at the first call; texts seen lately are not looked up again."""

        async def look_up() -> Sequence[Match]:
            if (known := self._matches.get(text)) is None:
                known = await self._look_up(text)
                self._matches.put(text, known)
            return known

        return look_up

    def encoding(self, text: str) -> Callable[[], Awaitable[Encoding]]:
        """That of the question in `text`: where `nearest` of the same text needed it, it is there already."""
        return partial(self._encoding, text)

    async def _look_up(self, text: str) -> list[Match]:
        if (found := self._index.at_once(text)) is not None:
            return found
        look_up = partial(self._index.look_up, text, limit=CANDIDATES)
        if (known := self._encodings.get(text)) is not None:
            return await self._on_thread(partial(look_up, known))
        encoding, matches = await self._read(partial(self._index.reading, text), lambda found: (found, look_up(found)))
        self._encodings.put(text, encoding)
        return matches

    async def _encoding(self, text: str) -> Encoding:
        if (known := self._encodings.get(text)) is None:
            known = await self._read(partial(self._index.reading, text), lambda found: found)
            self._encodings.put(text, known)
        return known


def intent_of(least: float) -> Callable[[Turn], Awaitable[tuple[str, float] | None]]:
    """Looks up the intent of a turn, if an intent is what is nearest and its confidence is `least` or more."""

    async def nearest_intent(turn: Turn) -> tuple[str, float] | None:
        for match in (await turn.nearest())[:1]:
            name = match.label.removeprefix(INTENT)
            if name != match.label and name != OUT_OF_SCOPE and match.confidence >= least:
                return name, match.confidence
        return None

    return nearest_intent
