"""The circuit breaker: a core that keeps failing is left alone for a while, and turns go to the next rung at once."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from edge_node.messages import MaskedTurn
from edge_node.uplink.base import Answer, Uplink, UplinkEvent
from edge_node.uplink.circuit import Circuit, Passage
from nearside.errors import UplinkError
from nearside.origins import Reason

AWAY = frozenset({Reason.CORE_UNREACHABLE})
"""No sign of the core: that concerns every tenant."""
BROKEN = frozenset({Reason.ENGINE_FAILED, Reason.CORE_DEADLINE})
"""The core took the turn and came to nothing: each tenant has an engine, documents and files of its own."""


class Breaker:
    """An uplink of one tenant. `core` is all tenants' circuit, `engine` its own; a refused turn counts in neither."""

    def __init__(self, uplink: Uplink, core: Circuit, engine: Circuit) -> None:
        self._uplink, self._core, self._engine = uplink, core, engine
        self._was_away = False

    async def is_up(self) -> bool:
        """A core that was away and is there again is tried at once."""
        if not await self._uplink.is_up():
            self._was_away = True
            return False
        if self._was_away:
            self._was_away = False
            self._core.hasten()
        return self._core.may_pass() and self._engine.may_pass()

    async def answer(self, turn: MaskedTurn) -> AsyncGenerator[UplinkEvent]:
        core, engine = self._enter()
        try:
            async with aclosing(self._uplink.answer(turn)) as events:
                async for event in events:
                    core.went_well()
                    if isinstance(event, Answer):
                        engine.went_well()
                    yield event
        except UplinkError as error:
            if error.reason in AWAY:
                core.failed()
            core.went_well()  # it spoke
            if error.reason in BROKEN:
                engine.failed()
            raise
        finally:
            core.end()
            engine.end()

    def _enter(self) -> tuple[Passage, Passage]:
        """Raises UplinkError where either is open."""
        if self._engine.may_pass() and (core := self._core.enter()) is not None:
            engine = self._engine.enter()
            assert engine is not None
            return core, engine
        raise UplinkError(Reason.CIRCUIT_OPEN, "turns are kept from the core for a while, it failed too often")
