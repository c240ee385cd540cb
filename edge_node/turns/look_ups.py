"""Look-ups that a turn may need: run once, for a bounded time, and no reason to fail."""

from collections.abc import Awaitable, Callable
from typing import Generic, Literal, TypeVar

from edge_node.turns.within import within
from nearside.logs import failure, logger

log = logger("turns")

T = TypeVar("T")

LOOK_UP_S = 4.0
"""Longer than this the encoder lets nobody wait: the turn goes on without knowing what is near."""

Skipped = Literal["overran", "failed"]


class Once(Generic[T]):
    """What `look_up` finds, and `nothing` if it breaks or takes longer than `within_s`; asked for at the first call."""

    def __init__(
        self,
        look_up: Callable[[], Awaitable[T]],
        nothing: T,
        skipped: Callable[[Skipped], None],
        within_s: float = LOOK_UP_S,
    ) -> None:
        self._look_up, self._nothing, self._skipped, self._within_s = look_up, nothing, skipped, within_s
        self._found: list[T] = []

    async def __call__(self) -> T:
        if not self._found:
            self._found.append(await self._find())
        return self._found[0]

    async def _find(self) -> T:
        try:
            return await within(self._within_s, self._look_up())
        except Exception as error:  # whatever is wrong with it, the turn can do without
            log.warning("look_up_failed", error=failure(error))
            self._skipped("overran" if isinstance(error, TimeoutError) else "failed")
            return self._nothing
