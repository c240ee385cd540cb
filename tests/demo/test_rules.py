"""The demo's rules: they answer what is theirs, in many wordings, and leave questions to the FAQ and the documents."""

import asyncio

import pytest

from nearside.lexical import language_of
from nearside.rules import Sight, plain
from tests.edge_node.responders.desk import demo_content

pytestmark = pytest.mark.unit

OWN = {
    "greeting": ["Hello!", "hi there", "你好", "您好！", "在吗？"],
    "thanks": ["Thanks a lot!", "谢谢你", "ok, thank you"],
    "goodbye": ["Bye!", "再见", "have a nice day"],
    "what-can-you-do": ["What can you do?", "help", "你能做什么？", "menu"],
    "who-are-you": ["Are you a bot?", "你是机器人吗", "Am I talking to a real person?"],
    "speak-chinese": ["Can you speak Chinese?", "请用中文"],
    "speak-english": ["In English, please", "请说英语"],
    "abusive-language": ["you bastards", "操你妈"],
    "stop": ["Stop!", "停", "please stop"],
    "human-please": [
        "a human, please",
        "I want to talk to a real person",
        "Can I speak to an agent?",
        "转人工",
        "我要找真人客服",
        "could you connect me with someone from support",
    ],
    "order-status": [
        "Where is my order 1042?",
        "Has 1042 shipped?",
        "订单1042到哪了",
        "查一下我的订单",
        "I want to track my package",
        "where's my parcel",
        "When will my order arrive?",
        "status of order #1107",
        "My order still hasn't arrived",
        "我的快递到哪儿了？",
        "订单１０４２发货了吗",
        "order 1042",
        "我的订单什么时候到",
        "could you check order 1188 for me",
        "帮我查一下订单",
        "查物流 1042",
        "any update on 1203?",
    ],
    "cancel-order": [
        "cancel order 1042",
        "I'd like to cancel my order",
        "我要取消订单",
        "取消订单1042",
        "please call off my order 1107",
        "订单1015我不要了",
    ],
    "change-address": ["I need to change my delivery address", "修改订单1042的地址", "send order 1188 somewhere else"],
    "damaged-item": ["My item arrived damaged", "收到的帐篷是破的", "the stove came dented, order 1042"],
    "complaint": ["I want to make a complaint", "我要投诉", "your service is terrible"],
    "opening-hours": [
        "When are you open?",
        "What are your opening hours?",
        "Are you open on Sunday?",
        "Is the store open on Christmas Day?",
        "你们几点关门",
        "周日营业吗",
        "国庆节开门吗",
    ],
    "telephone": ["What is your phone number?", "客服电话是多少", "do you have a hotline?"],
    "order-list": ["Show me all my orders", "列出我的所有订单", "What did my wife order?"],
}

OTHERS = [
    "How much does shipping cost?",
    "How do I return an order?",
    "Do you sell gift cards?",
    "can I cancel my membership?",
    "How can I cancel the newsletter?",
    "Where do I find my tracking number?",
    "How does parcel tracking work?",
    "Can you gift-wrap my order?",
    "Where do I find the invoice for my order 1042?",
    "How long does delivery take?",
    "When do I get my refund?",
    "Can I return an online order in a store?",
    "Do you open parcels for inspection?",
    "Is the Skua 3 waterproof to 3000 mm?",
    "How many people work at your company?",
    "What does the warranty say about broken zips?",
    "How do I repair a broken tent pole?",
    "Can I change my e-mail address?",
    "What is the address of the Leipzig store?",
    "I wear size 42, which boots fit?",
    "Is there a human-powered generator?",
    "How do I open the battery lid of the Glim 400?",
    "Thanks, but how much is express?",
    "Hi, do you sell surfboards?",
    "What stops the stove from leaking?",
    "In 2026 will you open a store in Paris?",
    "Do your staff speak English?",
    "Which phone holder do you sell?",
    "运费多少钱？",
    "怎么退货？",
    "有礼品卡卖吗？",
    "可以取消会员吗？",
    "怎么取消订阅邮件",
    "快递单号在哪里看",
    "订单1042的发票怎么开",
    "多久能送到？",
    "退款什么时候到账",
    "Skua 3 防水吗",
    "拉链坏了能保修吗",
    "帐杆断了怎么修",
    "怎么更改账户邮箱",
    "莱比锡店的地址在哪里",
    "我穿42码，选哪双",
    "头灯的电池盖怎么打开",
    "你好，卖冲浪板吗",
    "门店可以停车吗",
    "店员会说英语吗",
    "积分会过期吗",
]


def met(text: str) -> str | None:
    async def unsure() -> None:
        return None

    sight = Sight(text=plain(text), lang=language_of(text))
    hit = asyncio.run(demo_content().rules.match(sight, unsure))
    return hit.rule.id if hit else None


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule, texts in OWN.items() for text in texts])
def test_a_rule_answers_what_is_its_own(rule: str, text: str) -> None:
    assert met(text) == rule


@pytest.mark.parametrize("text", OTHERS)
def test_no_rule_answers_a_question_of_the_faq_or_the_documents(text: str) -> None:
    assert met(text) is None


def test_no_rule_takes_an_approved_question_from_the_faq() -> None:
    approved = [
        text
        for entry in demo_content().faq
        for written in entry.texts().values()
        for text in (written.question, *written.variants)
    ]
    assert [(met(text), text) for text in approved if met(text)] == []


def test_every_rule_is_tried_here_and_speaks_both_languages() -> None:
    rules = demo_content().rules
    assert {rule.id for rule in rules} == set(OWN)
    for rule in rules:
        assert all(set(template.root) == {"en", "zh"} for template in rule.templates()), rule.id


def test_the_words_of_most_intent_examples_are_known_without_the_encoder() -> None:
    names = {"human_agent": "human-please", "damaged_item": "damaged-item"}
    examples = demo_content().intents
    missed = [one for one in examples if met(one.text) != names.get(one.intent, one.intent.replace("_", "-"))]
    assert len(missed) <= len(examples) * 0.08


def test_a_stop_and_a_call_for_a_human_interrupt_but_nothing_else_does() -> None:
    book = demo_content().rules
    interrupting = {text for texts in OWN.values() for text in texts if book.interrupts(text)}
    assert interrupting == {*OWN["stop"], *OWN["human-please"]}
    assert not any(book.interrupts(text) for text in OTHERS)
