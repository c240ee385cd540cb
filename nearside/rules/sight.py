"""One message as rules look at it."""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from nearside.lexical import normalise
from nearside.operator_files import Lang

HAN = "\u3400-\u9fff"
"""Chinese characters, as the inside of a character class."""

_QUOTES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "`": "'", "\u00b4": "'"})
_BETWEEN_HAN = re.compile(rf"(?<=[{HAN}]) (?=[{HAN}])")
_BESIDE_HAN = re.compile(rf"(?<=[{HAN}]) | (?=[{HAN}])")
_PUNCTUATION = re.compile(r"[^\w\s']|_")
_HAN_CHARACTER = re.compile(f"[{HAN}]")
_LETTER = re.compile("[a-z]")
_DIGIT = re.compile("[0-9]")


def plain(text: str) -> str:
    """What rules match on: normalised, one space between words, none between Chinese characters."""
    if text.isascii() and text.isprintable():  # the same, without the tables of Unicode
        return " ".join(text.lower().replace("`", "'").split())
    folded = " ".join(normalise(text).translate(_QUOTES).split())
    return _BETWEEN_HAN.sub("", folded)


def bare(text: str) -> str:
    """`text` (plain) without punctuation and emoji: what `exactly` compares."""
    words = " ".join(_PUNCTUATION.sub(" ", text).replace("'", "").split())
    return words if words.isascii() else _BESIDE_HAN.sub("", words)


def kinds_in(text: str) -> frozenset[str]:
    """Which of "han", "letter" (a to z) and "digit" (0 to 9) occur."""
    kinds = (("han", _HAN_CHARACTER), ("letter", _LETTER), ("digit", _DIGIT))
    return frozenset(kind for kind, pattern in kinds if pattern.search(text))


def is_han(character: str) -> bool:
    return "\u3400" <= character <= "\u9fff"


@dataclass(slots=True)
class Sight:
    """What a rule may look at: one message and the state of its conversation."""

    text: str
    """The message, through `plain`."""
    lang: Lang
    is_open: bool = True
    owner: str = "bot"
    channel: str = ""
    customer: str = ""
    slots: Mapping[str, str] = field(default_factory=dict)
    intent: tuple[str, float] | None = None
    intent_known: bool = False
    """Whether `intent` was asked for; until then a condition on it is undecided."""
    possible: Set[str] | None = None
    """Of the patterns that need a certain piece of text, those whose piece is there; None where nobody looked."""
    bare: str = field(init=False)
    kinds: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.bare, self.kinds = bare(self.text), kinds_in(self.text)

    def facts(self) -> dict[str, Any]:
        """What a CEL condition may speak of."""
        return {
            "slots": dict(self.slots),
            "lang": self.lang,
            "hours": {"open": self.is_open},
            "owner": self.owner,
            "channel": self.channel,
            "customer": self.customer,
        }
