from collections.abc import Sequence
from typing import cast

import pytest

from edge_node.messages import HistoryItem, Lang, Reply, Role, Turn
from edge_node.responders.faq import CLARIFY, CLARIFY_ONE, SAY_OTHERWISE, FaqEntry, Responder
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

    def __init__(
        self, lang: str, *matches: tuple[str, float], text: str = "?", said: Sequence[HistoryItem] = ()
    ) -> None:
        self.lang, self._matches = lang, [Match(label, confidence, "") for label, confidence in matches]
        self.text, self._said = text, said

    async def nearest(self) -> Sequence[Match]:
        return self._matches

    async def history(self) -> Sequence[HistoryItem]:
        return self._said


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
    ("threshold", "confidences", "is_asked_back"),
    [
        (0.75, (0.45, 0.38), True),
        (0.75, (0.45, 0.37), False),
        (0.75, (0.74,), False),
        (0.9, (0.46, 0.45), True),
        (0.9, (0.65, 0.4), False),
        (0.9, (0.5, 0.46, 0.46), True),
        (0.3, (0.2, 0.15), True),
    ],
)
async def test_entries_are_offered_that_are_half_as_probable_as_an_answer_must_be(
    threshold: float, confidences: tuple[float, ...], is_asked_back: bool
) -> None:
    matches = [(f"faq:{name}", confidence) for name, confidence in zip(ENTRIES, confidences, strict=False)]
    reply = await Responder(ENTRIES, threshold, "v7").answer(turn("en", *matches))
    assert (reply is not None and reply.reason is Reason.CLARIFY) is is_asked_back


@pytest.mark.parametrize(
    ("threshold", "confidence", "answers"),
    [(0.9, 0.54, True), (0.9, 0.53, False), (0.3, 0.3, True), (0.3, 0.29, False), (0.6, 0.44, False)],
)
async def test_what_is_likely_is_likely_beside_the_threshold(
    threshold: float, confidence: float, answers: bool
) -> None:
    reply = await Responder(ENTRIES, threshold, "v7").likely(
        turn("en", ("faq:returns", confidence)), core_was_asked=True
    )
    assert (reply is not None) is answers


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


@pytest.mark.parametrize(("confidence", "core_was_asked", "answers"), [(0.81, True, True), (0.79, True, False)])
async def test_a_confidence_that_was_measured_stands_in_for_nothing_only_where_it_is_mostly_right(
    confidence: float, core_was_asked: bool, answers: bool
) -> None:
    calibrated = Responder(ENTRIES, 0.9, "v7", is_calibrated=True)
    reply = await calibrated.likely(turn("en", ("faq:returns", confidence)), core_was_asked=core_was_asked)
    assert (reply is not None) is answers


async def test_a_reply_that_found_nothing_names_the_nearest_questions() -> None:
    reply = await responder.suggest(turn("en", ("faq:returns", 0.4), ("faq:repairs", 0.1)), NOTHING)
    assert (reply.source, reply.reason, reply.quick_replies) == (Source.CORE, Reason.NO_EVIDENCE, ("returns?",))
    assert reply.text.startswith("nothing found")


async def test_a_reply_that_found_nothing_stays_as_it_is_where_nothing_is_near() -> None:
    assert await responder.suggest(turn("en", ("faq:returns", 0.1)), NOTHING) == NOTHING


async def test_of_one_question_that_is_near_it_is_not_said_that_there_are_several() -> None:
    one = await responder.suggest(turn("en", ("faq:returns", 0.4)), NOTHING)
    two = await responder.suggest(turn("en", ("faq:returns", 0.4), ("faq:repairs", 0.4)), NOTHING)
    assert (CLARIFY_ONE["en"] in one.text, CLARIFY["en"] in one.text) == (True, False)
    assert CLARIFY["en"] in two.text


def after(text: str, lang: Lang, asked: str, role: Role = "assistant") -> Turn:
    """A turn that follows what `role` said."""
    said = (HistoryItem("customer", "send it back"), HistoryItem(role, asked))
    return cast(Turn, TurnWith(lang, text=text, said=said))


WHICH = "Did you mean one of these?\n- returns?\n- refunds?"


@pytest.mark.parametrize(
    ("text", "lang", "answer"),
    [
        ("2", "en", "refunds!"),
        ("the first one", "en", "returns!"),
        ("第二个", "zh", "refunds！"),
        ("both", "en", "returns!\n\nrefunds!"),
    ],
)
async def test_an_entry_that_was_offered_answers_where_it_is_pointed_at(text: str, lang: Lang, answer: str) -> None:
    reply = await responder.answer(after(text, lang, WHICH))
    assert reply is not None
    assert (reply.text, reply.source, reply.reason) == (answer, Source.FAQ, Reason.MATCHED)
    assert reply.knowledge_version == "v7"


@pytest.mark.parametrize(("text", "lang"), [("neither", "en"), ("都不是", "zh")])
async def test_who_meant_none_of_what_was_offered_is_asked_for_other_words(text: str, lang: Lang) -> None:
    reply = await responder.answer(after(text, lang, WHICH))
    assert reply is not None and (reply.text, reply.reason) == (SAY_OTHERWISE[lang], Reason.CLARIFY)


@pytest.mark.parametrize(
    "asked",
    [
        after("2", "en", "How many would you like?"),
        after("2", "en", "Pick one:\n- red\n- blue"),
        after("2", "en", WHICH, role="agent"),
        cast(Turn, TurnWith("en", text="2")),
    ],
    ids=["nothing offered", "no entry's question", "an agent's list", "nothing said"],
)
async def test_a_number_points_at_nothing_where_no_entry_was_offered(asked: Turn) -> None:
    assert await responder.answer(asked) is None
