"""What the text encoder says about the lines that the words put first."""

from collections.abc import Sequence
from dataclasses import replace

from cloud_core.engines.base import EngineRequest
from cloud_core.engines.extraction.asked import Asked
from cloud_core.engines.extraction.likeness import Likeness
from cloud_core.engines.extraction.scoring import Scored, with_likeness
from cloud_core.messages import Role
from nearside.encoder import TextEncoder
from nearside.lexical import content_words

_COMPARED, _ENCODED = 10, 6


class Reader:
    """Thread-safe."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder
        self._likeness = Likeness(encoder)

    def read(self, ranked: Sequence[Scored], asked: Asked, request: EngineRequest) -> list[Scored]:
        """The first few in their new order, with likeness and cosine."""
        likenesses = self._likeness.of(asked, [one.line for one in ranked[:_COMPARED]])
        liked = sorted(
            (with_likeness(one, asked, likeness) for one, likeness in zip(ranked, likenesses, strict=False)), key=order
        )
        vector = self._encoder.encode(_whole_question(asked, request)).vector
        found = []
        for one in liked[:_ENCODED]:
            passage = one.line.passage
            encoding = self._encoder.encode(f"{passage.title}. {passage.heading}. {one.line.text}")
            found.append(replace(one, cosine=float(encoding.vector @ vector)))
        return sorted(found, key=order)


def order(one: Scored) -> tuple[float, int, int]:
    return -one.score, one.line.rank, one.line.position


def carried_over(request: EngineRequest) -> str:
    """The turn before, where search has taken words from it to understand a follow-up; else nothing."""
    question = request.question
    own = set(content_words(question.text))
    earlier = [item.text for item in question.history if item.role is Role.CUSTOMER and item.text != question.text]
    return earlier[-1] if earlier and any(word not in own for word, _, _ in request.terms) else ""


def _whole_question(asked: Asked, request: EngineRequest) -> str:
    return " ".join(part for part in (carried_over(request), asked.about, asked.text) if part)
