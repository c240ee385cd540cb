from dataclasses import replace

import pytest

from cloud_core.messages import Citation, Finished, Lang, Outcome, Question, Sentence
from cloud_core.turns.answers import NO_EVIDENCE, Draft
from cloud_core.turns.grounding import Grounding
from tests.cloud_core.stage import GOOD, GROUNDED, PASSAGE, sentence

pytestmark = pytest.mark.unit
QUESTION = Question("Can I send order 1042 back?", "en")


@pytest.fixture
def grounding() -> Grounding:
    return Grounding(QUESTION, (PASSAGE,))


def test_a_quoted_sentence_holds(grounding: Grounding) -> None:
    verdict = grounding.check(GOOD)
    assert verdict.holds
    assert verdict.citations == GOOD.citations


def test_a_sentence_in_other_words_holds_if_its_facts_do(grounding: Grounding) -> None:
    assert grounding.check(sentence("Send it back within thirty days; it costs 5 dollars.")).holds


def test_what_the_customer_said_may_be_said_back(grounding: Grounding) -> None:
    assert grounding.check(sentence("Order 1042 can go back within 30 days.")).holds
    assert grounding.check(sentence("Order 1043 can go back within 30 days.")).missing == ("number",)


def test_a_quote_that_stands_in_no_passage_does_not_count(grounding: Grounding) -> None:
    invented = sentence("You may return it within 90 days.", quote="You may return it within 90 days.")
    verdict = grounding.check(invented)
    assert not verdict.holds
    assert verdict.citations == ()


def test_a_quote_of_a_passage_that_was_not_found_does_not_count(grounding: Grounding) -> None:
    foreign = replace(GOOD.citations[0], passage_id="other#1")
    assert not grounding.check(Sentence(GOOD.text, (foreign,))).holds


def test_a_quote_ascribed_to_another_document_does_not_count(grounding: Grounding) -> None:
    foreign = replace(GOOD.citations[0], document_id="other")
    assert not grounding.check(Sentence(GOOD.text, (foreign,))).holds


def test_white_space_in_a_quote_does_not_matter(grounding: Grounding) -> None:
    folded = replace(GOOD.citations[0], quote="You may return it\n within 30 days. Returns cost $5.")
    assert grounding.check(Sentence("Returns cost $5.", (folded,))).holds


def test_an_empty_quote_is_no_evidence(grounding: Grounding) -> None:
    empty = Citation(PASSAGE.document_id, PASSAGE.passage_id, "", "", " ")
    assert not grounding.check(Sentence("Returns cost $5.", (empty,))).holds


def test_an_uncited_pleasantry_holds_and_an_uncited_price_does_not(grounding: Grounding) -> None:
    assert grounding.check(Sentence("I hope this helps.", ())).holds
    assert grounding.check(Sentence("Returns cost $5.", ())).missing == ("price",)


def finished(draft: Draft, event: Finished = GROUNDED, question: Question = QUESTION) -> tuple[str, Outcome, bool]:
    answer = draft.finish(event, question, "7", "scripted")
    return answer.text, answer.outcome, answer.cacheable


def test_a_draft_is_joined_as_its_language_is_written() -> None:
    draft = Draft()
    pieces = [draft.add(sentence(text), GOOD.citations).text for text in ("One.", "Two.", "三。", "四。")]
    assert pieces == ["One.", " Two.", " 三。", "四。"]
    assert finished(draft)[0] == "One. Two. 三。四。"


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_nothing_left_is_an_honest_no(lang: Lang) -> None:
    question = replace(QUESTION, lang=lang)
    assert finished(Draft(withheld=1), question=question) == (NO_EVIDENCE[question.lang], Outcome.NO_EVIDENCE, False)


def test_an_answer_without_any_citation_is_not_grounded() -> None:
    draft = Draft()
    draft.add(Sentence("I hope this helps.", ()), ())
    assert finished(draft)[:2] == (NO_EVIDENCE["en"], Outcome.NO_EVIDENCE)


def test_the_engines_own_honest_no_is_kept_unless_part_of_it_was_withheld() -> None:
    draft = Draft()
    draft.add(Sentence("Our documents do not say.", ()), ())
    no = Finished(Outcome.NO_EVIDENCE, 0.8)
    assert finished(draft, no)[0] == "Our documents do not say."
    draft.withheld = 1
    assert finished(draft, no)[0] == NO_EVIDENCE["en"]


def test_what_is_personal_or_depends_on_history_is_not_cacheable() -> None:
    draft = Draft()
    draft.add(GOOD, GOOD.citations)
    assert finished(draft)[2]
    assert not finished(draft, question=replace(QUESTION, text="I am ⟨PHONE_1⟩"))[2]
    draft.add(Sentence("We will call ⟨PHONE_1⟩.", ()), ())
    assert not finished(draft)[2]
