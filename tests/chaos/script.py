"""What the customers of a chaos run write, and when the edge is killed: all of it follows from the seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tests import planted

CONVERSATIONS = 50
MESSAGES_PER_KILL = 100
FEWEST_MESSAGES = 500

Moment = Literal["working", "starting", "stopping"]

RULES = ("hello", "thanks", "你好", "谢谢")
ORDERS = (
    "Where is my order {}?",
    "has {} shipped yet",
    "订单{}到哪里了？",
    f"This is {planted.NAME}, {planted.EMAIL}. Where is my order {{}}?",
)
APPROVED = (
    "How many days do I have for sending back a jacket?",
    "which ways can I pay",
    "我买的东西多久之内可以退？",
    "你们支持哪些付款方式呀？",
    f"How much is shipping? My number is {planted.PHONE}",
)
DOCUMENTS = (
    "How much does the Skua 3 tunnel tent weigh?",
    "How often should I backflush the Brook water filter?",
    "Skua 3 隧道帐篷有多重？",
    f"{planted.SENTENCE}。Brook 净水器多久要反冲洗一次？",
)
KINDS = {RULES: 35, ORDERS: 25, APPROVED: 25, DOCUMENTS: 15}
ORDER_NUMBERS = range(1010, 1060)


@dataclass(frozen=True, slots=True)
class Line:
    """One message; the reply to it names `order`, if any, and no other."""

    id: str
    text: str
    order: str = ""


@dataclass(frozen=True, slots=True)
class Strike:
    """A kill: after `taken` messages of its portion and `delay_s` more (since the start, for one that is starting)."""

    moment: Moment
    taken: int
    delay_s: float


@dataclass(frozen=True, slots=True)
class Script:
    seed: int
    lines: Sequence[Sequence[Line]]
    """By conversation."""
    strikes: Sequence[Strike]

    @property
    def messages(self) -> int:
        return sum(map(len, self.lines))

    @property
    def portion(self) -> int:
        """Messages let out for each kill."""
        return max(1, self.messages // (len(self.strikes) + 1))


def write_script(kills: int, seed: int, messages: int | None = None) -> Script:
    chance = random.Random(seed)
    count = messages or max(FEWEST_MESSAGES, kills * MESSAGES_PER_KILL)
    lines = [_line(chance, number) for number in range(count)]
    portion = max(1, count // (kills + 1))
    strikes = [_strike(chance, moment, portion) for moment in _moments(chance, kills)]
    return Script(seed, [lines[number::CONVERSATIONS] for number in range(CONVERSATIONS)], strikes)


def _line(chance: random.Random, number: int) -> Line:
    kind = chance.choices(list(KINDS), list(KINDS.values()))[0]
    text = chance.choice(kind)
    order = str(chance.choice(ORDER_NUMBERS)) if kind is ORDERS else ""
    return Line(f"m-{number}", text.format(order), order)


def _moments(chance: random.Random, kills: int) -> list[Moment]:
    """The first while it works; of the others each third while it starts or stops."""
    others: list[Moment] = ["starting", "working", "stopping", "working", "working", "working"]
    rest = [others[number % len(others)] for number in range(kills - 1)]
    chance.shuffle(rest)
    return ["working", *rest][:kills]


def _strike(chance: random.Random, moment: Moment, portion: int) -> Strike:
    longest_s = {"working": 1.0, "starting": 2.0, "stopping": 0.3}[moment]
    return Strike(moment, chance.randrange(portion), chance.uniform(0.0, longest_s))
