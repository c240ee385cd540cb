"""How much is found, and how little else: on public data, on made-up Chinese texts, on what shops number and price."""

import json
import random
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import pytest

from edge_node.privacy.evaluation import Annotated, measure
from edge_node.privacy.finding import find
from edge_node.privacy.policy import Privacy
from tests.data_sets import annotated_texts, json_lines, read_json
from tests.edge_node.privacy import chinese
from tests.servers import ROOT

pytestmark = pytest.mark.unit

CERTAIN = (
    "PHONE_NUMBER", "EMAIL_ADDRESS", "CREDIT_CARD", "IBAN_CODE", "IP_ADDRESS", "US_SSN", "US_DRIVER_LICENSE",
)  # fmt: skip
LEAST_RECALL = 0.99
MOST_FALSE = 0.002
LEAST_SURVIVAL = 0.99
CHINESE_TEXTS = 2_000
FRAMES = (
    "{}", "Where is my {kind} {}?", "I want to return {}, please", "my {kind} is {} and I'd like another",
    "{kind} number {}", "{kind}: {}", "Can you check {} for me", "订单{}到哪了", "我要退{}", "我买的是{}",
)  # fmt: skip


@pytest.mark.parametrize("kind", CERTAIN)
def test_of_the_annotated_texts_it_is_found(kind: str) -> None:
    found = measure(map(Annotated.model_validate, annotated_texts()), Privacy()).types[kind]
    assert found.recall >= LEAST_RECALL


def test_questions_of_customers_are_left_alone() -> None:
    questions = chain.from_iterable(
        json_lines(name) for name in ("banking77/train.jsonl", "clinc150/train.jsonl", "clinc150/validation.jsonl")
    )
    figures = measure((Annotated(text=question["text"]) for question in questions), Privacy())
    assert figures.false_positive_rate is not None
    assert figures.false_positive_rate <= MOST_FALSE


@pytest.mark.parametrize("kind", list(chinese.FRAMES))
def test_in_chinese_texts_it_is_found(kind: str) -> None:
    place = list(chinese.FRAMES).index(kind)
    texts = [entry for number, entry in enumerate(chinese.texts(CHINESE_TEXTS, seed=4)) if number % 4 == place]
    leaks = [text for text, start, end in texts if not is_masked(text, start, end)]
    assert len(leaks) <= len(texts) * (1 - LEAST_RECALL), leaks[:10]


@pytest.mark.parametrize("kind", ["order", "product", "item", "tracking", "price", "payment", "user"])
def test_what_the_shop_of_tau_retail_numbers_stays(kind: str) -> None:
    values = sorted({value for name, value in retail_values() if name == kind})
    assert survival(values, kind) >= LEAST_SURVIVAL


def test_what_the_demo_company_writes_stays() -> None:
    lines = [line for line in demo_lines() if not personal_of_the_company(line)]
    touched = [line for line in lines if find(line)]
    assert len(touched) <= len(lines) * (1 - LEAST_SURVIVAL), touched[:10]


def is_masked(text: str, start: int, end: int) -> bool:
    covered = set(chain.from_iterable(range(span.start, span.end) for span in find(text)))
    return covered.issuperset(range(start, end))


def survival(values: Iterable[str], kind: str) -> float:
    chosen, kept, count = random.Random(7), 0, 0
    for value in values:
        frame = chosen.choice(FRAMES)
        text = frame.replace("{kind}", kind).replace("{}", value)
        start = text.index(value)
        kept += not any(span.start < start + len(value) and span.end > start for span in find(text))
        count += 1
    return kept / count


def retail_values() -> Iterator[tuple[str, str]]:
    shop: dict[str, Any] = read_json("tau_retail/db.json")
    for product in shop["products"].values():
        yield "product", product["product_id"]
        for variant in product["variants"].values():
            yield "item", variant["item_id"]
            yield "price", f"${variant['price']}"
    for order in shop["orders"].values():
        yield "order", order["order_id"]
        yield from (("tracking", number) for sent in order["fulfillments"] for number in sent["tracking_id"])
    for user in shop["users"].values():
        yield "user", user["user_id"]
        yield from (("payment", name) for name in user["payment_methods"])


def demo_lines() -> Iterator[str]:
    for file in sorted((ROOT / "demo").rglob("*")):
        if file.suffix in (".md", ".txt", ".yaml"):
            yield from filter(str.strip, file.read_text(encoding="utf-8").splitlines())
    for line in (ROOT / "demo" / "intents.jsonl").read_text(encoding="utf-8").splitlines():
        yield json.loads(line)["text"]


def personal_of_the_company(line: str) -> bool:
    """Its own addresses are found as anybody's would be."""
    return "larkspur.example" in line or "+49" in line or "Speicherweg" in line
