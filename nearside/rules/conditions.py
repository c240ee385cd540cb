"""When a rule applies: keywords, patterns, intents, opening hours and CEL conditions over one message."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, model_validator

from nearside.operator_files import Lang, Written
from nearside.rules import checks
from nearside.rules.checks import Check
from nearside.rules.patterns import Pattern, compile_pattern
from nearside.rules.sight import Sight, bare, plain

EXPRESSION_LIMIT = 512


def _as_words(value: Any) -> Any:
    """One word alone, and numbers that YAML read out of words, such as 88."""
    items = value if isinstance(value, list | tuple) else [value]
    return [str(item) if isinstance(item, int) and not isinstance(item, bool) else item for item in items]


_Words = Annotated[tuple[str, ...], BeforeValidator(_as_words, json_schema_input_type=str | int | list[str | int])]


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

    _check: Check = PrivateAttr()

    @model_validator(mode="after")
    def _compile(self) -> "Condition":
        found = [*self._checks_of_words(), *self._checks_of_parts()]
        if not found:
            raise ValueError("a condition is empty")
        self._check = checks.every(found)
        return self

    @property
    def check(self) -> Check:
        """The condition as a function; held by those who call it often."""
        return self._check

    def holds(self, sight: Sight) -> bool | None:
        """None: it depends on the message's intent, which is not known yet."""
        return self._check(sight)

    @property
    def is_plain(self) -> bool:
        """Whether the words of a message and its language decide."""
        return not (self.intent or self.hours or self.condition) and all(child.is_plain for child in self._children())

    def intents(self) -> set[str]:
        return {name for child in self._children() for name in child.intents()} | (
            {self.intent} if self.intent else set()
        )

    def patterns(self) -> Iterator[Pattern]:
        """Those of its parts too."""
        yield from map(compile_pattern, self.regex)
        for child in self._children():
            yield from child.patterns()

    def _children(self) -> "tuple[Condition, ...]":
        return (*self.any, *self.all, *((self.not_,) if self.not_ else ()))

    def _checks_of_words(self) -> list[Check]:
        """The cheap ones first."""
        found: list[Check] = []
        if self.lang:
            found.append(lambda sight, lang=self.lang: sight.lang == lang)  # type: ignore[misc]
        if self.hours:
            found.append(lambda sight, is_open=self.hours == "open": sight.is_open is is_open)  # type: ignore[misc]
        if self.exactly:
            phrases = frozenset(bare(plain(phrase)) for phrase in self.exactly)
            if "" in phrases:
                raise ValueError("a keyword is empty")
            found.append(lambda sight: sight.bare in phrases)
        if self.keywords:
            keywords = checks.Keywords(self.keywords)
            found.append(lambda sight: keywords.are_in(sight.text))
        if self.regex:
            found.append(checks.matching([compile_pattern(source) for source in self.regex]))
        if self.condition:
            found.append(checks.evaluated(self.condition))
        return found

    def _checks_of_parts(self) -> list[Check]:
        found = [child.check for child in self.all]
        if self.any:
            found.append(checks.either([child.check for child in self.any]))
        if self.not_:
            found.append(checks.negated(self.not_.check))
        if self.intent:
            found.append(checks.meant(self.intent, self.min_confidence))
        return found
