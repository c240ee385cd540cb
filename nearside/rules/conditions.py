"""When a rule applies: keywords, patterns, intents, opening hours and CEL conditions over one message."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import cel
from pydantic import BeforeValidator, Field, PrivateAttr, model_validator

from nearside.lexical import normalise
from nearside.operator_files import Lang, Written, nearest
from nearside.rules.patterns import compile_pattern, search

EXPRESSION_LIMIT = 512
CONTEXT = frozenset({"slots", "lang", "hours", "owner", "channel", "customer"})
"""What a CEL condition may speak of: the maps `slots` (`slots.order_number`) and `hours` (`hours.open`); strings."""

_COMPREHENSION = re.compile(r"\.\s*(all|exists|exists_one|map|filter)\s*\(")
_HAN = "\u3400-\u9fff"
_QUOTES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "`": "'", "\u00b4": "'"})


def _as_words(value: Any) -> Any:
    """One word alone, and numbers that YAML read out of words, such as 88."""
    items = value if isinstance(value, list | tuple) else [value]
    return [str(item) if isinstance(item, int) and not isinstance(item, bool) else item for item in items]


_Words = Annotated[tuple[str, ...], BeforeValidator(_as_words, json_schema_input_type=str | int | list[str | int])]


def plain(text: str) -> str:
    """What rules match on: normalised, one space between words, none between Chinese characters."""
    folded = " ".join(normalise(text).translate(_QUOTES).split())
    return re.sub(rf"(?<=[{_HAN}]) (?=[{_HAN}])", "", folded)


def bare(text: str) -> str:
    """`text` (plain) without punctuation and emoji: what `exactly` compares."""
    words = " ".join(re.sub(r"[^\w\s']|_", " ", text).replace("'", "").split())
    return re.sub(rf"(?<=[{_HAN}]) | (?=[{_HAN}])", "", words)


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

    def facts(self) -> dict[str, Any]:
        return {
            "slots": dict(self.slots),
            "lang": self.lang,
            "hours": {"open": self.is_open},
            "owner": self.owner,
            "channel": self.channel,
            "customer": self.customer,
        }


class Condition(Written):
    """Every key given must hold. Keywords are whole words in English, any part of the text in Chinese."""

    any: "tuple[Condition, ...]" = ()
    all: "tuple[Condition, ...]" = ()
    not_: "Condition | None" = Field(default=None, alias="not")
    keywords: _Words = ()
    exactly: _Words = ()
    regex: _Words = ()
    intent: str = Field(default="", pattern=r"^[a-z0-9_]*$")
    min_confidence: float = Field(default=0.6, ge=0, le=1)
    hours: Literal["open", "closed"] | None = None
    condition: str = Field(default="", max_length=EXPRESSION_LIMIT)
    lang: Lang | None = None

    _keywords: re.Pattern[str] | None = PrivateAttr(default=None)
    _exactly: frozenset[str] = PrivateAttr(default=frozenset())
    _patterns: tuple[re.Pattern[str], ...] = PrivateAttr(default=())
    _program: cel.Program | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _compile(self) -> "Condition":
        if not (
            self.any or self.all or self.not_ or self.keywords or self.exactly or self.regex or self.intent
        ) and not (self.hours or self.condition or self.lang):
            raise ValueError("a condition is empty")
        if not all(plain(word) for word in self.keywords) or not all(bare(plain(word)) for word in self.exactly):
            raise ValueError("a keyword is empty")
        self._keywords = keyword_pattern(self.keywords) if self.keywords else None
        self._exactly = frozenset(bare(plain(phrase)) for phrase in self.exactly)
        self._patterns = tuple(compile_pattern(source) for source in self.regex)
        self._program = _compile_expression(self.condition) if self.condition else None
        return self

    @property
    def is_plain(self) -> bool:
        """Whether the words of a message and its language decide."""
        if self.intent or self.hours or self.condition:
            return False
        return all(child.is_plain for child in (*self.any, *self.all, *((self.not_,) if self.not_ else ())))

    def intents(self) -> set[str]:
        children = (*self.any, *self.all, *((self.not_,) if self.not_ else ()))
        return {name for child in children for name in child.intents()} | ({self.intent} if self.intent else set())

    def holds(self, sight: Sight) -> bool | None:
        """None: it depends on the message's intent, which is not known yet."""
        if not self._holds_plainly(sight):
            return False
        parts = [child.holds(sight) for child in self.all]
        if self.any:
            parts.append(_either(child.holds(sight) for child in self.any))
        if self.not_:
            parts.append(_negated(self.not_.holds(sight)))
        if self.intent:
            parts.append(self._is_meant(sight))
        if False in parts:
            return False
        return None if None in parts else True

    def _holds_plainly(self, sight: Sight) -> bool:
        if self.lang and self.lang != sight.lang:
            return False
        if self.hours and (self.hours == "open") != sight.is_open:
            return False
        if self._keywords and not self._keywords.search(sight.text):
            return False
        if self._exactly and bare(sight.text) not in self._exactly:
            return False
        if self._patterns and not any(search(pattern, sight.text) for pattern in self._patterns):
            return False
        return self._program is None or _evaluate(self._program, sight)

    def _is_meant(self, sight: Sight) -> bool | None:
        if not sight.intent_known:
            return None
        return sight.intent is not None and sight.intent[0] == self.intent and sight.intent[1] >= self.min_confidence


def _either(parts: Iterable[bool | None]) -> bool | None:
    undecided = False
    for part in parts:
        if part:
            return True
        undecided = undecided or part is None
    return None if undecided else False


def _negated(part: bool | None) -> bool | None:
    return None if part is None else not part


def keyword_pattern(keywords: Iterable[str]) -> re.Pattern[str]:
    """One alternation; a word boundary where a keyword begins or ends with a letter or digit that is not Chinese."""
    pieces = []
    for keyword in sorted({plain(word) for word in keywords}, key=len, reverse=True):
        before = rf"(?<![^\W{_HAN}_])" if re.match(rf"[^\W{_HAN}_]", keyword) else ""
        after = rf"(?![^\W{_HAN}_])" if re.search(rf"[^\W{_HAN}_]$", keyword) else ""
        pieces.append(f"{before}{re.escape(keyword)}{after}")
    return re.compile("|".join(pieces))


def _compile_expression(source: str) -> cel.Program:
    if _COMPREHENSION.search(source):
        raise ValueError("a condition cannot use all, exists, map or filter")
    try:
        program = cel.compile(source)
    except ValueError as error:
        raise ValueError(f"not a condition: {str(error).splitlines()[0][:120]}") from None
    for name in sorted(set(program.variables()) - CONTEXT):
        raise ValueError(f"a condition knows nothing called {name[:80]} ({nearest(name, CONTEXT)})")
    _try_out(program, source)
    return program


def _try_out(program: cel.Program, source: str) -> None:
    """Run it once with every slot filled: what compares a text with a number fails here, not with a customer."""
    slots = dict.fromkeys(re.findall(r"slots\.(\w+)", source), "1")
    try:
        value = program.execute(Sight(text="", lang="en", slots=slots).facts())
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"a condition does not evaluate: {str(error).splitlines()[0][:120]}") from None
    if not isinstance(value, bool):
        raise ValueError("a condition must be true or false")


def _evaluate(program: cel.Program, sight: Sight) -> bool:
    """A condition over a slot that is not filled, or over a text that is no number, does not hold."""
    try:
        return program.execute(sight.facts()) is True
    except (KeyError, TypeError, ValueError, RuntimeError):
        return False
