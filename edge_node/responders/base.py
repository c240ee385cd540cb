"""The seam of the ladder: a step that may answer a turn at the edge."""

from typing import Protocol

from edge_node.messages import Reply, Turn


class Responder(Protocol):
    async def answer(self, turn: Turn) -> Reply | None:
        """The reply, or None to pass the turn on to the next step."""
        ...
