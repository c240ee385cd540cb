"""What makes a turn stop waiting for the core: its customer interrupts it, or has been forgotten."""

import asyncio
from dataclasses import dataclass, field

from edge_node.turns.fair import Slot


@dataclass(slots=True, eq=False)
class Patience:
    """How a turn waits for the core: not on when `stop` is set, and with its slot given to others."""

    slot: Slot
    stop: asyncio.Event = field(default_factory=asyncio.Event)


class Stops:
    """By conversation: one turn of each runs at a time."""

    def __init__(self) -> None:
        self._running: dict[str, Patience] = {}
        self._forgotten: set[str] = set()

    def begin(self, conversation_id: str, slot: Slot) -> Patience:
        """That of the turn that runs until `end`."""
        patience = self._running[conversation_id] = Patience(slot)
        return patience

    def end(self, conversation_id: str) -> None:
        del self._running[conversation_id]

    def is_running(self, conversation_id: str) -> bool:
        return conversation_id in self._running

    def stop(self, conversation_id: str) -> None:
        if running := self._running.get(conversation_id):
            running.stop.set()

    def forget(self, conversation_id: str) -> None:
        if conversation_id in self._running:
            self._forgotten.add(conversation_id)
            self.stop(conversation_id)

    def was_forgotten(self, conversation_id: str) -> bool:
        """Told once."""
        told = conversation_id in self._forgotten
        self._forgotten.discard(conversation_id)
        return told
