from dataclasses import replace

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from edge_node.messages import ConversationState, FormState
from edge_node.responders.handoffs import handoff_counter
from edge_node.responders.scenes import CONFIRM, OFFER, PROOF
from nearside.origins import Reason, Source
from tests.edge_node.responders.desk import CLOSED_AT, TENANT, Customer, demo_content

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "text",
    [
        "Where is my order 1042?",
        "Has 1042 shipped?",
        "订单1042到哪了",
        "订单１０４２到哪里了？",
        "order 1042",
        "no. 1042, where is it?",
    ],
)
def test_a_number_in_the_first_message_is_answered_at_once(text: str) -> None:
    customer = Customer()
    reply = customer.hears(text)
    assert (reply.source, reply.reason) == (Source.RULE, Reason.TOOL_RESULT)
    assert "1042" in reply.text and "Skua 3" in reply.text
    assert customer.shop.calls[0][:2] == ("order_status", {"order_number": "1042"})
    assert customer.state.form is None


@pytest.mark.parametrize(
    ("question", "number"),
    [
        ("I want to track my package", "1042"),
        ("查一下我的订单", "１０４２"),
        ("Where is my order?", "It's #1042, thanks!"),
    ],
)
def test_a_question_without_a_number_is_completed_by_the_next_message(question: str, number: str) -> None:
    customer = Customer()
    assert customer.hears(question).reason is Reason.FORM
    assert customer.shop.calls == []
    assert customer.hears(number).reason is Reason.TOOL_RESULT
    assert customer.shop.calls[0][1] == {"order_number": "1042"}


def test_replies_come_in_the_language_of_the_turn() -> None:
    customer = Customer()
    customer.hears("Where is my order?")
    assert "订单 1042" in customer.hears("1042", lang="zh").text


def test_a_form_is_told_apart_from_another_question_and_kept() -> None:
    customer = Customer()
    customer.hears("Where is my order?")
    assert customer.say("How much does shipping cost?") is None
    assert customer.state.form == FormState("order-status", "order_number")
    assert customer.hears("1042").reason is Reason.TOOL_RESULT


def test_another_rule_answers_during_a_form_and_leads_back_to_it() -> None:
    customer = Customer()
    customer.hears("查一下我的订单")
    reply = customer.hears("你们几点开门")
    assert "营业" in reply.text and "订单号" in reply.text
    assert customer.state.form == FormState("order-status", "order_number")


def test_never_mind_leaves_a_form() -> None:
    for question, words in [
        ("Where is my order?", "never mind"),
        ("查一下我的订单", "算了，取消吧"),
        ("我要取消订单", "算了"),
    ]:
        customer = Customer()
        customer.hears(question)
        if words == "算了，取消吧":
            words = "取消"
        assert customer.hears(words).reason is Reason.CANCELLED
        assert customer.state.form is None


def test_after_three_misses_a_human_is_offered_and_yes_hands_over() -> None:
    customer = Customer()
    customer.hears("Where is my order?")
    assert customer.hears("I don't have it").reason is Reason.FORM
    assert customer.hears("10").reason is Reason.FORM
    offer = customer.hears("abc")
    assert "colleague" in offer.text and customer.state.form == FormState("human-please", OFFER)
    handed = customer.hears("yes please")
    assert (handed.reason, handed.owner) == (Reason.HANDOFF, "agent")
    assert "T-20001" in handed.text and customer.shop.calls[-1][1]["summary"] == "abc"


def test_an_offer_of_a_human_does_not_catch_the_next_question() -> None:
    customer = Customer(state=ConversationState(form=FormState("human-please", OFFER)))
    assert customer.hears("Where is my order 1042?").reason is Reason.TOOL_RESULT
    customer.state = ConversationState(form=FormState("human-please", OFFER))
    assert customer.say("How much does shipping cost?") is None
    customer.state = ConversationState(form=FormState("human-please", OFFER))
    assert customer.hears("no thanks").reason is Reason.CANCELLED


def test_an_unknown_number_is_asked_for_again_and_the_next_one_counts() -> None:
    customer = Customer()
    reply = customer.hears("Where is my order 9999?")
    assert reply.reason is Reason.TOOL_RESULT and "9999" in reply.text
    assert customer.state.form == FormState("order-status", "order_number", 1)
    assert customer.hears("sorry, 1042").reason is Reason.TOOL_RESULT
    assert customer.state.form is None


def test_a_shop_that_is_down_is_told_honestly_with_the_offer_of_a_human() -> None:
    customer = Customer()
    customer.shop.down = "unavailable"
    reply = customer.hears("Where is my order 1042?")
    assert reply.reason is Reason.TOOL_FAILED
    assert "can't reach" in reply.text and reply.quick_replies == ("Yes", "No")


def test_a_human_is_handed_over_with_ticket_and_time() -> None:
    customer = Customer()
    reply = customer.hears("a human, please")
    assert (reply.reason, reply.owner) == (Reason.HANDOFF, "agent")
    assert "T-20001" in reply.text and "19:00" in reply.text
    assert customer.state.ticket == "T-20001"
    closed = Customer(at=CLOSED_AT).hears("转人工")
    assert "明天 09:00" in closed.text


def test_a_handoff_without_a_ticket_is_told_honestly_counted_and_can_be_asked_for_again() -> None:
    customer = Customer(tenant=replace(TENANT, phone="+49 761 555 0101", email="service@shop.example"))
    customer.shop.down = "timeout"
    with structlog.testing.capture_logs() as logs:
        reply = customer.hears("转人工客服")
    assert (reply.reason, reply.owner) == (Reason.TOOL_FAILED, None)
    assert "工单系统" in reply.text and "T-" not in reply.text
    assert "+49 761 555 0101，service@shop.example" in reply.text
    assert "or reach us at +49 761 555 0101 or service@shop.example" in customer.hears("a human, please").text
    assert [log["event"] for log in logs if log["log_level"] == "error"] == ["handoff_failed"]
    assert (logs[0]["tenant_id"], logs[0]["turn_id"], logs[0]["conversation_id"]) == ("demo", "t_1", "c_1")
    assert "转人工" not in str(logs)
    customer.shop.down = None
    assert customer.hears("a human, please").owner == "agent"
    assert customer.handoffs == [("demo", "failed"), ("demo", "failed"), ("demo", "ticket")]


def test_a_ticket_without_a_number_is_no_handoff_and_nobody_claims_that_there_is_none() -> None:
    customer = Customer()
    customer.shop.ticket = {}
    reply = customer.hears("a human, please")
    assert (reply.reason, reply.owner, customer.handoffs) == (Reason.TOOL_FAILED, None, [("demo", "unknown")])
    assert "can't tell whether this has reached" in reply.text and " or " not in reply.text


@pytest.mark.parametrize("kind", ["outcome_unknown", "call_changed"])
def test_a_ticket_of_which_nobody_knows_is_told_so_and_not_opened_a_second_time(kind: str) -> None:
    customer = Customer(tenant=replace(TENANT, phone="+49 761 555 0101"))
    customer.shop.down = kind
    with structlog.testing.capture_logs() as logs:
        reply = customer.hears("a human, please")
    assert (reply.reason, reply.owner) == (Reason.OUTCOME_UNKNOWN, None)
    assert "can't tell whether this has reached my colleagues" in reply.text and "+49 761 555 0101" in reply.text
    assert "我无法确认同事是否已经收到" in customer.hears("转人工客服").text
    assert "no colleague knows" not in reply.text and reply.quick_replies == ()
    assert customer.handoffs == [("demo", "unknown")] * 2
    assert [log["event"] for log in logs] == ["handoff_failed"]


def test_handoffs_are_counted_by_what_became_of_them() -> None:
    registry = CollectorRegistry()
    count = handoff_counter(registry)
    count("demo", "failed")
    count("demo", "failed")
    assert registry.get_sample_value("nearside_handoffs_total", {"tenant": "demo", "outcome": "failed"}) == 2


def test_a_long_message_fits_into_its_ticket() -> None:
    customer = Customer()
    customer.hears("I want to talk to a human. " + "x" * 7900)
    arguments = customer.shop.calls[0][1]
    customer.content.tools["create_ticket"].check(arguments)
    assert arguments["summary"].startswith("I want to talk to a human.")


def test_while_an_agent_has_the_conversation_the_assistant_only_says_so() -> None:
    customer = Customer(owner="agent")
    assert customer.hears("Where is my order 1042?").reason is Reason.AGENT_OWNS
    assert customer.shop.calls == []
    back = customer.hears("Back to the assistant")
    assert back.owner == "bot"
    assert customer.hears("Where is my order 1042?").reason is Reason.TOOL_RESULT
    customer.owner = "agent"
    assert customer.hears("返回助手").owner == "bot"


def test_a_damaged_item_is_a_form_of_two_slots() -> None:
    customer = Customer()
    assert customer.hears("My item arrived damaged").reason is Reason.FORM
    assert customer.hears("1042").reason is Reason.FORM
    reply = customer.hears("The pole is bent")
    assert "T-20001" in reply.text and reply.owner is None
    assert customer.shop.calls[-1][1] == {
        "kind": "damaged",
        "summary": "The pole is bent",
        "order_number": "1042",
        "lang": "en",
        "conversation": "c_1",
    }


def test_a_complaint_that_describes_itself_opens_a_ticket_at_once() -> None:
    customer = Customer()
    text = "I want to complain: your courier threw my parcel over the fence"
    assert "T-20001" in customer.hears(text).text
    assert customer.shop.calls[0][1]["summary"] == text
    brief = Customer()
    assert brief.hears("我要投诉").reason is Reason.FORM
    assert "T-20001" in brief.hears("快递员态度恶劣").text


def test_a_description_may_look_like_a_question() -> None:
    customer = Customer()
    customer.hears("I want to make a complaint")
    assert "T-20001" in customer.hears("Why did you send me a torn tent and then ignore me?").text


def test_the_language_can_be_switched() -> None:
    customer = Customer()
    reply = customer.hears("Can you speak Chinese?")
    assert "中文" in reply.text and customer.state.lang == "zh"


def test_opening_hours_answer_the_day_asked_about() -> None:
    assert "Sunday, 29 November: closed" in Customer().hears("Are you open on Sunday?").text
    assert "圣诞节" in Customer().hears("圣诞节开门吗").text
    assert "We are open now, until 19:00" in Customer().hears("What are your opening hours?").text


def test_intents_are_asked_for_only_when_words_do_not_decide() -> None:
    asked: list[str] = []

    def intent(text: str) -> tuple[str, float]:
        asked.append(text)
        return "order_status", 0.9

    customer = Customer(intent=intent)
    customer.hears("a human, please")
    assert asked == []
    customer.owner = "bot"
    assert customer.hears("it has been so long, nothing came").reason is Reason.FORM
    assert len(asked) == 1
    assert Customer(intent=lambda text: ("order_status", 0.4)).say("it has been so long") is None


def test_a_repeated_turn_makes_the_same_call() -> None:
    customer = Customer()
    customer.hears("a human, please")
    customer.owner, customer.turns, customer.state = "bot", 0, ConversationState()
    customer.hears("a human, please")
    first, second = (call[2:] for call in customer.shop.calls)
    assert first == second == ("t_1", "human-please/create_ticket")


def test_a_rule_that_is_gone_does_not_hold_a_conversation() -> None:
    for form in (FormState("no-such-rule", "x"), FormState("order-status", "no_such_slot")):
        customer = Customer(state=ConversationState(form=form))
        assert customer.hears("hello").reason is Reason.MATCHED
        assert customer.state.form is None or form.rule_id == "no-such-rule"


FORMS = [
    None,
    FormState("order-status", "order_number", 1),
    FormState("cancel-order", PROOF),
    FormState("cancel-order", CONFIRM, 2),
    FormState("damaged-item", "damage"),
    FormState("human-please", OFFER),
    FormState("gone", "x"),
]
TEXTS = st.one_of(
    st.text(max_size=80),
    st.text(alphabet=st.sampled_from("0１23 #order订单取消是否yesno?!@.人工"), max_size=60),
    st.sampled_from([line.text for line in demo_content().intents]),
)


@settings(max_examples=300)
@given(TEXTS, st.sampled_from(FORMS), st.sampled_from([None, "unavailable", "not_found", "locked"]), st.integers(0, 3))
def test_any_text_in_any_state_gives_a_reply_or_none(
    text: str, form: FormState | None, down: str | None, tries: int
) -> None:
    slots = {"order_number": "1042"} if form and form.waits_for != "order_number" else {}
    customer = Customer(state=ConversationState(slots=slots, form=form, verification_tries=tries))
    customer.shop.down = down
    reply = customer.say(text)
    if reply is not None:
        assert reply.text.strip() and reply.source is Source.RULE
    assert customer.shop.cancelled == []


@settings(max_examples=40)
@given(st.lists(TEXTS, min_size=1, max_size=8))
def test_any_conversation_never_cancels_without_proof(texts: list[str]) -> None:
    customer = Customer()
    for text in texts:
        customer.owner = "bot"
        customer.say(text)
    assert customer.shop.cancelled == [] or "order:1042" in customer.state.verified


def test_the_state_is_left_alone_where_nothing_changes() -> None:
    customer = Customer(state=replace(ConversationState(), lang="en"))
    assert customer.hears("hello").state is None
