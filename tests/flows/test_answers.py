"""The main job: a customer's question goes from the door through the edge to the core and back."""

import re
import unicodedata
from typing import Any

import pytest

from cloud_core.knowledge.ingest.parser import Parser
from tests.servers import ROOT, Demo

pytestmark = pytest.mark.server

DOCUMENTS = ROOT / "demo" / "documents"

FAQ_PARAPHRASES = [
    ("How many days do I have for sending back a jacket?", "60"),
    ("我买的东西多久之内可以退？", "60"),
    ("which ways can I pay", "PayPal"),
    ("你们支持哪些付款方式呀？", "支付宝"),
]
DOCUMENT_QUESTIONS = [
    ("How much does the Skua 3 tunnel tent weigh?", "skua"),
    ("How often should I backflush the Brook water filter?", "brook"),
    ("Skua 3 隧道帐篷有多重？", "skua"),
    ("Brook 净水器多久要反冲洗一次？", "brook"),
]
NOT_SOLD = [
    "Do you sell washing machines?",
    "What does a flight to Lisbon cost?",
    "你们卖洗衣机吗？",
    "去里斯本的机票多少钱？",
]


def reply_to(demo: Demo, text: str, conversation: str) -> dict[str, Any]:
    reply: dict[str, Any] = demo.ask(text, conversation)["reply"]
    return reply


def folded(text: str) -> str:
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).strip()


def text_of(uri: str) -> str:
    """The file as written, or what a reader of its format finds in it."""
    path = DOCUMENTS / uri
    if path.suffix in (".md", ".txt"):
        return path.read_text(encoding="utf-8")
    with Parser() as parser:
        document, _ = parser.parse(path)
    return "\n".join(block.text for block in document.blocks)


@pytest.mark.parametrize(("question", "fact"), FAQ_PARAPHRASES)
def test_a_variant_that_is_not_in_the_file_gets_the_approved_answer(demo: Demo, question: str, fact: str) -> None:
    assert question not in (ROOT / "demo" / "faq.yaml").read_text(encoding="utf-8")
    reply = reply_to(demo, question, f"faq-{question}")
    assert (reply["source"], reply["reason"], reply["final"]) == ("faq", "matched", True)
    assert fact.lower() in reply["text"].lower()


@pytest.mark.parametrize("question", ["Where is my order 1042?", "订单1042到哪里了？", "has 1042 shipped yet"])
def test_the_status_of_an_order_comes_from_the_shop(demo: Demo, question: str) -> None:
    reply = reply_to(demo, question, f"order-{question}")
    assert (reply["source"], reply["reason"], reply["final"]) == ("rule", "tool_result", True)
    assert "1042" in reply["text"]


@pytest.mark.parametrize(
    ("question", "number"), [("Where is my order?", "it is 1042"), ("我的订单到哪了？", "１０４２")]
)
def test_an_order_question_without_a_number_asks_and_the_next_message_completes_it(
    demo: Demo, question: str, number: str
) -> None:
    conversation = f"form-{question}"
    asked = reply_to(demo, question, conversation)
    assert (asked["source"], asked["reason"], asked["final"]) == ("rule", "form", True)
    told = reply_to(demo, number, conversation)
    assert (told["source"], told["reason"]) == ("rule", "tool_result")
    assert "1042" in told["text"]


@pytest.mark.parametrize(("question", "document"), DOCUMENT_QUESTIONS)
def test_a_question_only_a_document_answers_is_answered_with_a_quote_from_it(
    demo: Demo, question: str, document: str
) -> None:
    reply = reply_to(demo, question, f"document-{question}")
    assert (reply["source"], reply["reason"], reply["final"]) == ("core", "grounded", True)
    assert any(document in citation["uri"] for citation in reply["citations"])
    for citation in reply["citations"]:
        assert folded(citation["quote"]) in folded(text_of(citation["uri"]))


@pytest.mark.parametrize("question", NOT_SOLD)
def test_what_the_shop_does_not_sell_is_not_invented(demo: Demo, question: str) -> None:
    reply = reply_to(demo, question, f"unknown-{question}")
    assert (reply["source"], reply["reason"]) == ("core", "no_evidence")
    assert reply["citations"] == []
    assert not re.search(r"\d", reply["text"])


@pytest.mark.parametrize("question", ["I want to talk to a human, please", "我要转人工"])
def test_a_human_please_makes_a_ticket_and_silences_the_bot(demo: Demo, question: str) -> None:
    conversation = f"human-{question}"
    handoff = reply_to(demo, question, conversation)
    assert (handoff["source"], handoff["reason"]) == ("rule", "handoff")
    after = reply_to(demo, "How much does the Skua 3 weigh?", conversation)
    assert (after["source"], after["reason"]) == ("rule", "agent_owns")


def test_cancelling_an_order_needs_a_second_fact(demo: Demo) -> None:
    reply = reply_to(demo, "Please cancel my order 1042", "cancel")
    assert (reply["source"], reply["reason"]) == ("rule", "verification")
    wrong = reply_to(demo, "0000", "cancel")
    assert wrong["reason"] == "verification"
