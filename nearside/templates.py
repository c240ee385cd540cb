"""Replies an operator writes as Jinja2 templates: sandboxed, compiled when loaded, strict about names."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import ConfigDict, GetJsonSchemaHandler, PrivateAttr, RootModel, model_validator

from nearside.errors import ContentError
from nearside.hours import day_text
from nearside.operator_files import LANGS, Lang, localised_schema, nearest, unknown_key

NAMES = frozenset({"slots", "result", "hours", "tenant", "lang", "ticket"})
"""What a reply may speak of."""

TEXT_LIMIT = 4_000
"""Characters a template may have, and a rendered reply too."""


def _day(value: Any, lang: Lang) -> str:
    """`{{ result.eta | day(lang) }}`: an ISO date as people say it; anything else unchanged."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value).date()
        except ValueError:
            return str(value)
    return day_text(value, lang) if isinstance(value, date) else str(value)


_ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined,
    autoescape=False,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters["day"] = _day
_ENVIRONMENT.globals.clear()


def _compile(source: str) -> tuple[Template, frozenset[str], frozenset[str]]:
    """The template, the names it uses and the slots it reads. Raises ValueError."""
    if len(source) > TEXT_LIMIT:
        raise ValueError(f"longer than {TEXT_LIMIT} characters")
    try:
        tree = _ENVIRONMENT.parse(source)
        if list(meta.find_referenced_templates(tree)):
            raise ValueError("a template cannot include another")
        compiled = _ENVIRONMENT.from_string(source)
    except (TemplateError, RecursionError, MemoryError, OverflowError) as error:
        reason = error.message if isinstance(error, TemplateError) else "too deep"
        raise ValueError(f"not a template: {reason}") from None
    slots = [
        node.attr
        for node in tree.find_all(nodes.Getattr)
        if isinstance(node.node, nodes.Name) and node.node.name == "slots"
    ]
    return compiled, frozenset(meta.find_undeclared_variables(tree)), frozenset(slots)


class Text:
    """One compiled template. `names` are the top-level names it uses, `slots` the slots among them."""

    __slots__ = ("_template", "names", "slots")

    def __init__(self, source: str) -> None:
        self._template, self.names, self.slots = _compile(source)

    def __deepcopy__(self, _memo: dict[int, Any]) -> "Text":
        return self  # never changes; pydantic copies defaults

    def render(self, context: Mapping[str, Any]) -> str:
        try:
            return self._template.render(context).strip()[:TEXT_LIMIT]
        except Exception as error:  # a template runs an operator's expressions: whatever breaks is the template's fault
            # the message of `error` may quote a customer's slot
            raise ContentError(
                f"a template does not render ({type(error).__name__})", hint="check the names it uses"
            ) from None


class LocalisedTemplate(RootModel[dict[Lang, str]]):
    """A template for every language, or a map of language to template."""

    model_config = ConfigDict(frozen=True)
    _texts: dict[Lang, Text] = PrivateAttr(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _spread(cls, data: Any) -> Any:
        if isinstance(data, str):
            return dict.fromkeys(LANGS, data)
        if isinstance(data, Mapping):
            for key in data:
                if key not in LANGS:
                    raise unknown_key(str(key), LANGS)
        elif not isinstance(data, LocalisedTemplate):
            raise ValueError("a text should stand here, or one for each language")
        return data

    @model_validator(mode="after")
    def _compile_all(self) -> "LocalisedTemplate":
        if not self.root or not all(source.strip() for source in self.root.values()):
            raise ValueError("a text is empty")
        for lang, source in self.root.items():
            text = self._texts[lang] = Text(source)
            unknown = sorted(text.names - NAMES)
            if unknown:
                raise ValueError(f"a template knows nothing called {unknown[0][:80]} ({nearest(unknown[0], NAMES)})")
        return self

    @property
    def slots(self) -> frozenset[str]:
        return frozenset().union(*(text.slots for text in self._texts.values()))

    @property
    def names(self) -> frozenset[str]:
        return frozenset().union(*(text.names for text in self._texts.values()))

    def render(self, lang: Lang, context: Mapping[str, Any]) -> str:
        text = self._texts.get(lang) or next(iter(self._texts.values()))
        return text.render({**context, "lang": lang})

    @classmethod
    def __get_pydantic_json_schema__(cls, _core: Any, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return localised_schema({"type": "string", "minLength": 1, "maxLength": TEXT_LIMIT})


def check_slots(template: LocalisedTemplate, known: Iterable[str]) -> None:
    """Raise ValueError where a template reads a slot that its form does not have."""
    names = set(known)
    for slot in sorted(template.slots - names):
        raise ValueError(f"the form has no slot {slot[:80]} ({nearest(slot, names)})")
