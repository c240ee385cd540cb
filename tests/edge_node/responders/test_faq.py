from collections.abc import Sequence
from typing import cast

import pytest

from edge_node.messages import Reply, Turn
from edge_node.responders.faq import FaqEntry, Responder
from nearside.nearest import Match
from nearside.origins import Reason, Source

pytestmark = pytest.mark.unit

ENTRIES = {
    name: FaqEntry(name, {"en": f"{name}?", "zh": f"{name}？"}, {"en": f"{name}!", "zh": f"{name}！"})
    for name in ("returns", "refunds", "repairs")
}
NOTHING = Reply("nothing found", Source.CORE, Reason.NO_EVIDENCE)


class TurnWith:
    """As much of a turn as the responder looks at."""

    def __init__(self, lang: str, *matches: tuple[str, float]) -> None:
        self.lang, self._matches = lang, [Match(label, confidence, "") for label, confidence in matches]

    async def nearest(self) -> Sequence[Match]:
        return self._matches


def turn(lang: str, *matches: tuple[str, float]) -> Turn:
    return cast(Turn, TurnWith(lang, *matches))


responder = Responder(ENTRIES, threshold=0.75, version="v7")


async def test_a_sure_entry_answers_in_the_language_of_the_turn() -> None:
    reply = await responder.answer(turn("zh", ("faq:returns", 0.8)))
    assert reply is not None
    assert (reply.text, reply.source, reply.reason) == ("returns！", Source.FAQ, Reason.MATCHED)
    assert (reply.confidence, reply.knowledge_version) == (0.8, "v7")


async def test_an_unsure_entry_passes_the_turn_on() -> None:
    assert await responder.answer(turn("en", ("faq:returns", 0.7))) is None
    assert await responder.answer(turn("en", ("intent:thanks", 0.9))) is None
    assert await responder.answer(turn("en")) is None


async def test_two_close_entries_are_offered_as_a_question_back() -> None:
    reply = await responder.answer(turn("en", ("faq:returns", 0.6), ("faq:refunds", 0.55), ("faq:repairs", 0.2)))
    assert reply is not None
    assert (reply.source, reply.reason, reply.quick_replies) == (Source.FAQ, Reason.CLARIFY, ("returns?", "refunds?"))


@pytest.mark.parametrize(
    ("confidence", "core_was_asked", "answers"),
    [(0.65, True, True), (0.65, False, True), (0.5, True, True), (0.5, False, False), (0.4, True, False)],
)
async def test_an_entry_that_is_likely_answers_where_the_core_does_not(
    confidence: float, core_was_asked: bool, answers: bool
) -> None:
    reply = await responder.likely(turn("en", ("faq:returns", confidence)), core_was_asked=core_was_asked)
    assert (reply is not None) is answers
    if reply is not None:
        assert (reply.text, reply.source, reply.confidence) == ("returns!", Source.FAQ, confidence)


async def test_a_reply_that_found_nothing_names_the_nearest_questions() -> None:
    reply = await responder.suggest(turn("en", ("faq:returns", 0.4), ("faq:repairs", 0.1)), NOTHING)
    assert (reply.source, reply.reason, reply.quick_replies) == (Source.CORE, Reason.NO_EVIDENCE, ("returns?",))
    assert reply.text.startswith("nothing found")


async def test_a_reply_that_found_nothing_stays_as_it_is_where_nothing_is_near() -> None:
    assert await responder.suggest(turn("en", ("faq:returns", 0.1)), NOTHING) == NOTHING
