"""Cancelling an order: a second fact, then a yes (design.md, section 3.8)."""

from dataclasses import replace

import pytest
import structlog

from edge_node.messages import ConversationState, FormState
from edge_node.responders.scenes import CONFIRM, OFFER, PROOF
from nearside.origins import Reason
from nearside.rules import RuleBook
from nearside.rules.schema import Failure
from tests.edge_node.responders.desk import Customer, demo_content

pytestmark = pytest.mark.unit


def proven(order: str = "1042") -> Customer:
    customer = Customer()
    customer.hears(f"cancel order {order}")
    customer.hears("4711")
    return customer


def test_a_cancellation_asks_for_proof_then_for_a_yes_then_acts() -> None:
    customer = Customer()
    assert customer.hears("I want to cancel my order").reason is Reason.FORM
    assert customer.hears("1042").reason is Reason.VERIFICATION
    confirm = customer.hears("the phone ends in 4711")
    assert confirm.reason is Reason.CONFIRM and "1042" in confirm.text
    assert customer.shop.cancelled == []
    done = customer.hears("yes, go ahead")
    assert done.reason is Reason.TOOL_RESULT and "refund" in done.text
    assert customer.shop.cancelled == ["1042"]
    assert customer.state.verified == {"order:1042": "phone"}


def test_it_works_in_chinese_and_with_an_e_mail_address() -> None:
    customer = Customer()
    assert customer.hears("帮我取消订单１０４２").reason is Reason.VERIFICATION
    assert customer.hears("邮箱是 Anna@mail.example", lang="zh").reason is Reason.CONFIRM
    assert "已取消" in customer.hears("好的，取消").text
    assert customer.shop.cancelled == ["1042"]


@pytest.mark.parametrize("words", ["no", "不要", "No, keep it", "先不用", "never mind"])
def test_without_a_yes_nothing_is_cancelled(words: str) -> None:
    customer = proven()
    assert customer.hears(words).reason is Reason.CANCELLED
    assert customer.shop.cancelled == [] and customer.state.form is None


@pytest.mark.parametrize("words", ["cancel", "取消", "yes but wait", "hmm", "maybe", "好的不过先等等"])
def test_an_unclear_answer_is_asked_again(words: str) -> None:
    customer = proven()
    assert customer.hears(words).reason is Reason.CONFIRM
    assert customer.shop.cancelled == []


def test_three_wrong_facts_end_it_and_starting_again_does_not_help() -> None:
    customer = Customer()
    customer.hears("cancel order 1042")
    assert customer.hears("0001").reason is Reason.VERIFICATION
    customer.hears("never mind")
    customer.hears("cancel order 1042")
    assert customer.hears("0002").reason is Reason.VERIFICATION
    offer = customer.hears("0003")
    assert offer.reason is Reason.VERIFICATION and offer.quick_replies == ("Yes", "No")
    customer.hears("no")
    assert customer.hears("cancel order 1042").quick_replies == ("Yes", "No")
    customer.state = ConversationState(
        slots={"order_number": "1042"}, form=FormState("cancel-order", PROOF), verification_tries=3
    )
    before = len(customer.shop.calls)
    customer.hears("4711")
    assert len(customer.shop.calls) == before, "no fact is even checked any more"


def test_a_right_fact_does_not_give_the_tries_back() -> None:
    customer = Customer()
    customer.hears("cancel order 1042")
    customer.hears("0001")
    customer.hears("4711")
    assert customer.state.verification_tries == 1


def test_the_number_of_the_order_is_no_proof() -> None:
    customer = Customer()
    customer.hears("cancel order 1042")
    assert customer.hears("1042").reason is Reason.VERIFICATION
    assert customer.state.verification_tries == 0 and "verify_order" not in customer.shop.names()
    assert customer.hears("order 1042, phone 4711").reason is Reason.CONFIRM


def test_a_proof_opens_one_order_only() -> None:
    customer = proven("1042")
    customer.hears("no")
    assert customer.hears("cancel order 1043").reason is Reason.VERIFICATION


def test_a_question_about_another_order_does_not_change_what_a_yes_confirms() -> None:
    customer = proven("1042")
    aside = customer.hears("where is order 1043?")
    assert "1043" in aside.text and "1042" in aside.text
    assert customer.state.form == FormState("cancel-order", CONFIRM)
    customer.hears("yes")
    assert customer.shop.cancelled == ["1042"]


def test_a_yes_without_the_proof_asks_for_the_proof() -> None:
    customer = Customer(
        state=ConversationState(slots={"order_number": "1042"}, form=FormState("cancel-order", CONFIRM))
    )
    assert customer.hears("yes").reason is Reason.VERIFICATION
    assert customer.shop.cancelled == []


def test_an_order_that_has_left_is_told_so() -> None:
    customer = proven("1043")
    reply = customer.hears("yes")
    assert reply.reason is Reason.TOOL_RESULT and "left our warehouse" in reply.text


def test_an_unconfirmed_write_is_not_claimed() -> None:
    customer = proven()
    customer.shop.down = "timeout"
    reply = customer.hears("yes")
    assert reply.reason is Reason.TOOL_FAILED and "did not confirm" in reply.text


@pytest.mark.parametrize("kind", ["outcome_unknown", "call_changed"])
@pytest.mark.parametrize(
    ("yes", "told", "offered"),
    [
        ("yes", "can't tell whether that went through", "Shall I pass you to a colleague?"),
        ("是的", "我无法确认这次操作是否已经办成", "要我为您转接人工客服吗？"),
    ],
)
def test_a_write_of_which_nobody_knows_is_told_so_with_the_offer_of_a_human(
    kind: str, yes: str, told: str, offered: str
) -> None:
    customer = proven()
    customer.shop.down = kind
    reply = customer.hears(yes)
    assert reply.reason is Reason.OUTCOME_UNKNOWN
    assert told in reply.text and reply.text.endswith(offered)
    assert "did not confirm" not in reply.text, "what the rule says by default may claim that nothing happened"
    assert customer.state.form == FormState("human-please", OFFER)


def test_a_rule_may_have_words_of_its_own_for_a_write_of_which_nobody_knows() -> None:
    content = demo_content()
    rule = content.rules.get("cancel-order")
    assert rule and rule.tool
    own = Failure.model_validate({"en": "Order {{ slots.order_number }} is looked up by hand."})
    step = rule.tool.model_copy(update={"on_error": {**rule.tool.on_error, "outcome_unknown": own}})
    rules = [other if other is not rule else rule.model_copy(update={"tool": step}) for other in content.rules]
    customer = Customer(content=replace(content, rules=RuleBook(rules)))
    customer.hears("cancel order 1042")
    customer.hears("4711")
    customer.shop.down = "outcome_unknown"
    assert customer.hears("yes").text.startswith("Order 1042 is looked up by hand.")


def test_a_cancellation_that_went_through_but_cannot_be_told_is_not_denied() -> None:
    customer = proven()
    customer.shop.result = {}
    with structlog.testing.capture_logs() as logs:
        reply = customer.hears("yes")
    assert customer.shop.cancelled == ["1042"]
    assert reply.reason is Reason.TOOL_FAILED and "can't tell whether that went through" in reply.text
    assert [log["event"] for log in logs] == ["tool_reply_failed"]


def test_a_failing_check_is_no_wrong_fact() -> None:
    customer = Customer()
    customer.hears("cancel order 1042")
    customer.shop.down = "unavailable"
    assert customer.hears("4711").reason is Reason.TOOL_FAILED
    assert customer.state.verification_tries == 0


def test_a_question_during_the_proof_is_passed_on() -> None:
    customer = Customer()
    customer.hears("cancel order 1042")
    assert customer.say("why do you need that?") is None
    assert customer.state.form == FormState("cancel-order", PROOF)
