"""What stands in `rules/*.yaml`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, PrivateAttr, RootModel, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from nearside.operator_files import Lang, LocalisedList, LocalisedText, Placed, Written
from nearside.rules.checks import Keywords
from nearside.rules.conditions import Condition
from nearside.rules.patterns import Pattern, compile_pattern
from nearside.rules.phrases import Phrases
from nearside.rules.sight import plain
from nearside.templates import LocalisedTemplate, Text, check_slots

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
RuleId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,47}$")]
Owner = Literal["bot", "agent"]

ARGUMENT_NAMES = frozenset({"slots", "lang", "message", "conversation", "channel"})
ANSWER_LIMIT = 1_000
"""Characters kept of a free-text answer to a form."""


class Option(Written):
    """One of the answers a form offers: stored as `value`, shown as `label`, recognised by label or keyword."""

    value: Name
    label: LocalisedText
    keywords: tuple[str, ...] = ()

    _keywords: Keywords = PrivateAttr()

    @model_validator(mode="after")
    def _compile(self) -> "Option":
        said = [word for word in (*self.label.root.values(), *self.keywords) if plain(word)]
        self._keywords = Keywords(said)
        return self

    def fits(self, text: str) -> bool:
        return self._keywords.are_in(text)


class Slot(Written):
    """Something a form asks for: what a pattern finds, one of some options, or (neither given) any text."""

    name: Name
    pattern: str = ""
    options: tuple[Option, ...] = ()
    ask: LocalisedTemplate
    retry: LocalisedTemplate | None = None
    opening_words: int = Field(default=0, ge=0, le=100)
    """Free text only: the message that starts the form is the answer if it has at least so many words; 0: never."""

    _pattern: Pattern | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _compile(self) -> "Slot":
        if self.pattern and self.options:
            raise ValueError("a slot has a pattern or options, not both")
        if self.pattern:
            self._pattern = compile_pattern(self.pattern)
        return self

    @property
    def is_free_text(self) -> bool:
        return not (self.pattern or self.options)

    def read(self, text: str) -> str | None:
        """The value in a message (through `plain`); a pattern's is its first group that matched, else the whole."""
        if self._pattern:
            return next((value.strip() for value in self._pattern.values(text) if value.strip()), None)
        found = [option.value for option in self.options if option.fits(text)]
        return found[0] if len(found) == 1 else None


class Form(Written):
    slots: tuple[Slot, ...] = ()
    confirm: LocalisedTemplate | None = None
    """Asked before the action; the customer's yes runs it."""
    tries: int = Field(default=3, ge=1, le=10)
    """How often one thing is asked for before a human is offered."""

    @model_validator(mode="after")
    def _reads_own_slots(self) -> "Form":
        names = [slot.name for slot in self.slots]
        if len(set(names)) < len(names):
            raise ValueError("two slots have the same name")
        if not names and not self.confirm:
            raise ValueError("a form needs slots or confirm")
        for slot in self.slots:
            check_slots(slot.ask, names)
            if slot.retry:
                check_slots(slot.retry, names)
        if self.confirm:
            check_slots(self.confirm, names)
        return self

    def slot(self, name: str) -> Slot | None:
        return next((slot for slot in self.slots if slot.name == name), None)


class Arguments(RootModel[dict[str, Any]]):
    """A tool's arguments: texts are templates over ARGUMENT_NAMES; other JSON values go as they are."""

    model_config = ConfigDict(frozen=True)
    _texts: dict[str, Text] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _compile(self) -> "Arguments":
        for name, value in self.root.items():
            if isinstance(value, str):
                text = self._texts[name] = Text(value)
                if text.names - ARGUMENT_NAMES:
                    raise ValueError(f"{name}: an argument is made of {', '.join(sorted(ARGUMENT_NAMES))}")
            elif isinstance(value, dict | list):
                raise ValueError(f"{name}: write a text, a number or true/false")
        return self

    @property
    def slots(self) -> frozenset[str]:
        return frozenset().union(*(text.slots for text in self._texts.values()))

    def render(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Empty texts are left out: an optional argument whose slot is empty is not sent."""
        values = {
            name: self._texts[name].render(context) if name in self._texts else value
            for name, value in self.root.items()
        }
        return {name: value for name, value in values.items() if value not in ("", None)}


class Failure(Written):
    """What to say when a tool refuses; `ask_again` names the slot to ask for once more."""

    reply: LocalisedTemplate
    ask_again: str = ""

    @model_validator(mode="before")
    @classmethod
    def _accept_a_text(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and ("reply" in data or "ask_again" in data):
            return data
        return data if isinstance(data, Failure) else {"reply": data}

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [handler(core), LocalisedTemplate.__get_pydantic_json_schema__(core, handler)]}


class ToolStep(Written):
    """Calls a tool and tells its result. `on_error`: by a kind of the tool's `response.errors`, or `default`."""

    name: Name
    arguments: Arguments = Arguments({})
    reply: LocalisedTemplate
    on_error: dict[Name, Failure] = {}

    @property
    def tool_name(self) -> str | None:
        return self.name


class Handoff(Written):
    """Gives the conversation to an agent, with a ticket where a tool opens one."""

    tool: Name | None = None
    arguments: Arguments = Arguments({})
    reply: LocalisedTemplate
    without_ticket: LocalisedTemplate | None = None
    """Said when no ticket could be opened."""
    default: bool = False
    """Whether this is the rule that an offer of a human leads to; one rule has it."""

    @property
    def tool_name(self) -> str | None:
        return self.tool


class Rule(Placed):
    id: RuleId
    priority: int = Field(default=0, ge=-1000, le=1000)
    interrupt: bool = False
    """Cancels a running turn and leaves a form under way. Decided from the words alone: no intent, no condition."""
    lang: Lang | None = None
    when: Condition
    form: Form | None = None
    reply: LocalisedTemplate | None = None
    tool: ToolStep | None = None
    handoff: Handoff | None = None
    owner: Owner | None = None
    set_lang: Lang | None = None
    reason: Literal["matched", "cancelled", "moderation"] = "matched"
    """Of a plain reply."""
    quick_replies: LocalisedList | None = None

    @model_validator(mode="after")
    def _does_one_thing(self) -> "Rule":
        if sum(step is not None for step in (self.reply, self.tool, self.handoff)) != 1:
            raise ValueError("a rule has exactly one of reply, tool and handoff")
        if self.interrupt and not self.when.is_plain:
            raise ValueError("an interrupt rule looks at keywords, exactly, regex and lang only")
        known = [slot.name for slot in self.form.slots] if self.form else []
        for template in self.templates():
            check_slots(template, known)
        for arguments in (self.tool.arguments if self.tool else None, self.handoff.arguments if self.handoff else None):
            if arguments and arguments.slots - set(known):
                raise ValueError(f"the form has no slot {min(arguments.slots - set(known))[:80]}")
        for failure in self.tool.on_error.values() if self.tool else ():
            if failure.ask_again and failure.ask_again not in known:
                raise ValueError(f"ask_again: the form has no slot {failure.ask_again[:80]}")
        return self

    def templates(self) -> list[LocalisedTemplate]:
        found = [self.reply] if self.reply else []
        if self.tool:
            found += [self.tool.reply, *(failure.reply for failure in self.tool.on_error.values())]
        if self.handoff:
            found += [self.handoff.reply, *([self.handoff.without_ticket] if self.handoff.without_ticket else [])]
        return found


class RulesFile(Written):
    """One file of rules. `phrases` replaces what the assistant says of itself."""

    rules: tuple[Rule, ...] = ()
    phrases: Phrases = Phrases()
