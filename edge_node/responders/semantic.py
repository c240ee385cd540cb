"""FAQ variants and intent examples of one tenant, in one index: a text is encoded once for all who ask."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from edge_node.messages import Turn
from nearside.encoder import TextEncoder
from nearside.nearest import Match, NearestIndex

FAQ = "faq:"
INTENT = "intent:"

CANDIDATES = 4


class Semantics:
    """`thread` is the encoder's: it runs one text at a time, off the event loop."""

    def __init__(self, encoder: TextEncoder, index: NearestIndex, thread: ThreadPoolExecutor) -> None:
        self._encoder, self._index, self._thread = encoder, index, thread

    def nearest(self, text: str) -> Callable[[], Awaitable[Sequence[Match]]]:
        """A lookup that runs at the first call and is remembered."""
        looked_up: asyncio.Future[list[Match]] | None = None

        async def look_up() -> Sequence[Match]:
            nonlocal looked_up
            if looked_up is None:
                looked_up = asyncio.get_running_loop().run_in_executor(self._thread, self._query, text)
            return await asyncio.shield(looked_up)

        return look_up

    def _query(self, text: str) -> list[Match]:
        return self._index.query(text, self._encoder.encode(text), limit=CANDIDATES)


async def nearest_intent(turn: Turn) -> tuple[str, float] | None:
    """The intent whose examples are nearest, if an intent is what is nearest; its confidence, 0 to 1."""
    for match in (await turn.nearest())[:1]:
        if match.label.startswith(INTENT):
            return match.label.removeprefix(INTENT), match.confidence
    return None
