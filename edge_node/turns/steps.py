"""One step of the ladder: what it is called, how long it may take, and what it means if it does not answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from edge_node.messages import Draft, Reply, Turn
from edge_node.responders.base import Responder

ShowDraft = Callable[[Turn, Draft], Awaitable[None]]


class Showing(Protocol):
    """What the customer sees before the reply."""

    def typing(self, turn: Turn) -> None:
        """That it is being worked on; at once."""
        ...

    async def draft(self, turn: Turn, draft: Draft) -> None: ...


class Answer(Protocol):
    def __call__(self, turn: Turn, show: ShowDraft | None, revision: int, /) -> Awaitable[Reply | None]:
        """The reply, or None to pass the turn on. `show` takes drafts, of this `revision` and none lower."""
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """`within_s`: then it is passed over. `is_slow`: it takes seconds, the customer sees typing and may stop it.

    `is_needed`: one that fails is not passed over, the turn is tried again and then parked: it does things.
    """

    name: str
    answer: Answer
    within_s: float | None = None
    is_slow: bool = False
    is_needed: bool = False


def step(name: str, responder: Responder, within_s: float | None = None, *, is_needed: bool = False) -> Step:
    """Of a responder that answers at once or not at all."""

    def answer(turn: Turn, show: ShowDraft | None, revision: int, /) -> Awaitable[Reply | None]:
        return responder.answer(turn)

    return Step(name, answer, within_s, is_needed=is_needed)
