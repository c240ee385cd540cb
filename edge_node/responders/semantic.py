"""FAQ variants and intent examples of one tenant, in one index: a text is encoded once for all who ask."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from hashlib import blake2b
from typing import Protocol

from edge_node.messages import Turn
from nearside.nearest import Match

FAQ = "faq:"
INTENT = "intent:"

CANDIDATES = 4
REMEMBERED = 10_000


LookUp = Callable[[], list[Match]]


class Index(Protocol):
    def query(self, text: str, *, limit: int) -> list[Match]: ...


class Semantics:
    """`encoding` runs a look-up on the encoder's thread, off the event loop, when it is this tenant's turn."""

    def __init__(self, index: Index, encoding: Callable[[LookUp], Awaitable[list[Match]]]) -> None:
        self._index, self._encoding = index, encoding
        self._known: OrderedDict[bytes, list[Match]] = OrderedDict()

    def nearest(self, text: str) -> Callable[[], Awaitable[Sequence[Match]]]:
        """A lookup that runs at the first call; texts seen lately are not encoded again."""
        key = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()

        async def look_up() -> Sequence[Match]:
            if (known := self._known.get(key)) is not None:
                self._known.move_to_end(key)
            else:
                known = await self._encoding(partial(self._index.query, text, limit=CANDIDATES))
                self._remember(key, known)
            return known

        return look_up

    def _remember(self, key: bytes, matches: list[Match]) -> None:
        """Under a hash of the text, so that no customer's words are kept."""
        self._known[key] = matches
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


async def nearest_intent(turn: Turn) -> tuple[str, float] | None:
    """The intent whose examples are nearest, if an intent is what is nearest; its confidence, 0 to 1."""
    for match in (await turn.nearest())[:1]:
        if match.label.startswith(INTENT):
            return match.label.removeprefix(INTENT), match.confidence
    return None
