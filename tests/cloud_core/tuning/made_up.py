"""Examples of a company that does not exist, from templates."""

from itertools import product

from nearside.nearest import Example

MEANINGS = {
    "track": (
        ("where is", "track", "locate", "find", "follow"),
        ("my parcel", "the package", "my shipment", "the box"),
    ),
    "cancel": (("cancel", "stop", "undo", "call off", "revoke"), ("my order", "the purchase", "my last order", "it")),
    "invoice": (("send me", "i need", "email me", "print", "show"), ("an invoice", "the bill", "a receipt", "my bill")),
    "repair": (("repair", "fix", "mend", "patch", "restore"), ("my tent", "a jacket", "the zip", "my boots")),
    "hours": (("when do", "what time do", "until when do", "how late do", "on sundays do"), ("you open", "you close")),
    "hello": (("hello", "hi", "hey", "good morning", "good evening"), ("", "there", "you", "everybody")),
}
CHINESE = {
    "track": (("我想查", "帮我看", "请查一下", "在哪里看"), ("快递", "包裹", "物流信息", "订单到哪了")),
    "cancel": (("我要取消", "不想要", "帮我撤销", "怎么取消"), ("订单", "刚下的单", "昨天买的东西", "这个购买")),
    "invoice": (("请开", "我需要", "怎么开", "补一张"), ("发票", "电子发票", "公司发票", "增值税发票")),
    "repair": (("能修", "维修", "修补", "可以修理"), ("帐篷吗", "冲锋衣吗", "拉链吗", "登山鞋吗")),
}
OUTSIDE = (
    ("who won", "tell me about", "explain", "what is"),
    ("the football match", "black holes", "opera", "fractions"),
)


def texts(parts: tuple[tuple[str, ...], tuple[str, ...]], between: str = " ") -> list[str]:
    return [between.join(pair).strip() for pair in product(*parts)]


def english(prefix: str = "intent:") -> list[Example]:
    return [Example(prefix + name, text, "en") for name, parts in MEANINGS.items() for text in texts(parts)]


def chinese() -> list[Example]:
    return [Example(f"intent:{name}", text, "zh") for name, parts in CHINESE.items() for text in texts(parts, "")]


def outside() -> list[Example]:
    return [Example("intent:oos", text, "en") for text in texts(OUTSIDE)]


def parted(examples: list[Example], every: int = 4) -> tuple[list[Example], list[Example]]:
    """To train, and to ask."""
    return (
        [example for index, example in enumerate(examples) if index % every],
        [example for index, example in enumerate(examples) if not index % every],
    )
