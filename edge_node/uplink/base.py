"""The seam to the core: a masked turn goes up, checked sentences and one answer come down."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from edge_node.messages import Citation, MaskedTurn


@dataclass(frozen=True, slots=True)
class Sentence:
    revision: int
    sequence: int
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The last event; everything in it is still masked."""

    text: str
    grounded: bool
    confidence: float
    citations: tuple[Citation, ...]
    knowledge_version: str
    cacheable: bool
    timing_ms: Mapping[str, float] = field(default_factory=dict)
    """How long the core took, by step."""


UplinkEvent = Sentence | Answer


class Uplink(Protocol):
    def answer(self, turn: MaskedTurn) -> AsyncGenerator[UplinkEvent]:
        """Raises UplinkError with the reason the next rung is told."""
        ...

    async def is_up(self) -> bool:
        """Whether a turn sent now would find the core."""
        ...


class Eraser(Protocol):
    async def is_up(self) -> bool: ...

    async def forget(self, tenant_id: str, turn_ids: Sequence[str]) -> None:
        """Have the core erase these turns, 1 to 500; harmless to repeat. Raises UplinkError where it did not."""
        ...
