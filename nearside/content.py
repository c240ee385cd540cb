"""A tenant's content: tenant.toml, rules/, FAQ, intents, moderation and tools/, read and checked as one."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field, RootModel, ValidationError, model_validator

from nearside.errors import ContentError
from nearside.faq_csv import checked, read_rows
from nearside.hours import BusinessHours
from nearside.moderation import MODERATION_FILE, Moderation, load_moderation
from nearside.nearest import Example
from nearside.operator_files import (
    Lang,
    OperatorFile,
    Source,
    Written,
    explanation,
    nearest,
    read_text,
)
from nearside.rules import Rule, RuleBook, RulesFile, load_rules
from nearside.rules.schema import Arguments
from nearside.tenant_toml import TENANT_FILE, TenantSettings, load_tenant_settings
from nearside.tools import HttpRequest, Tool, load_tools

FAQ_FILE, FAQ_TABLE, INTENTS_FILE, RULES_FOLDER, TOOLS_FOLDER = (
    "faq.yaml",
    "faq.csv",
    "intents.jsonl",
    "rules",
    "tools",
)
FAQ, INTENT, OUT_OF_SCOPE = "faq:", "intent:", "oos"
"""How the labels of examples begin, and the intent of what the company has no answer to."""
EXAMPLE_LIMIT = 500
"""Characters of a question, variant or intent example."""

Phrase = Annotated[str, Field(min_length=1, max_length=EXAMPLE_LIMIT)]


class FaqText(Written):
    question: Phrase
    variants: tuple[Phrase, ...] = ()
    answer: str = Field(min_length=1, max_length=4_000)


class FaqEntry(Written):
    """One approved answer, in each of the company's languages it is written in."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    en: FaqText | None = None
    zh: FaqText | None = None

    @model_validator(mode="after")
    def _is_written(self) -> "FaqEntry":
        if not self.texts():
            raise ValueError("an entry needs en, zh or both")
        return self

    def texts(self) -> dict[Lang, FaqText]:
        found: dict[Lang, FaqText | None] = {"en": self.en, "zh": self.zh}
        return {lang: text for lang, text in found.items() if text}


class FaqFile(RootModel[tuple[FaqEntry, ...]]):
    pass


class IntentExample(Written):
    text: Phrase
    intent: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]


@dataclass(frozen=True, slots=True)
class TenantContent:
    folder: Source
    settings: TenantSettings
    hours: BusinessHours
    rules: RuleBook
    faq: tuple[FaqEntry, ...]
    intents: tuple[IntentExample, ...]
    moderation: Moderation
    tools: Mapping[str, Tool]
    variables: Mapping[str, str]
    secret_files: Mapping[str, Path]

    def examples(self) -> list[Example]:
        """What its FAQ and intents are known by, labelled `faq:ID` and `intent:NAME`."""
        examples = [
            Example(FAQ + entry.id, text, lang)
            for entry in self.faq
            for lang, written in entry.texts().items()
            for text in (written.question, *written.variants)
        ]
        return examples + [Example(INTENT + example.intent, example.text, "") for example in self.intents]


FORMATS: Mapping[str, type[Written] | type[FaqFile]] = {
    "tenant": TenantSettings,
    "rules": RulesFile,
    "faq": FaqFile,
    "intent": IntentExample,
    "moderation": Moderation,
    "tool": Tool,
}


def json_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each file an operator writes (`intent`: of one line), for editors and for `check`."""
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {
        name: {"$schema": draft, "title": name, **model.model_json_schema(by_alias=True)}
        for name, model in FORMATS.items()
    }


def load_tenant_content(
    folder: Source, *, variables: Mapping[str, str] | None = None, secret_files: Mapping[str, Path] | None = None
) -> TenantContent:
    """Read and check everything; the arguments replace single entries of `[tools.variables]` and `[tools.secrets]`.

    Raises ContentError, whose `where` is path:line. Secrets are not opened here.
    """
    settings = load_tenant_settings(folder / TENANT_FILE)
    tools = load_tools(folder / TOOLS_FOLDER)
    rules = load_rules(folder / RULES_FOLDER)
    intents = load_intents(folder / INTENTS_FILE)
    written = {name: Path(str(folder)) / path for name, path in settings.tools.secrets.items()}
    content = TenantContent(
        folder=folder,
        settings=settings,
        hours=BusinessHours(settings.hours, ZoneInfo(settings.timezone)),
        rules=rules,
        faq=load_all_faq(folder),
        intents=intents,
        moderation=load_moderation(folder / MODERATION_FILE),
        tools=tools,
        variables={**settings.tools.variables, **(variables or {})},
        secret_files={**written, **(secret_files or {})},
    )
    _check_tools(content)
    _check_moderation(content)
    for rule in rules:
        _check_rule(rule, content)
    return content


def load_all_faq(folder: Source) -> tuple[FaqEntry, ...]:
    """Those of faq.yaml, then those of faq.csv. Raises ContentError."""
    entries = load_faq(folder / FAQ_FILE)
    return entries + load_faq_table(folder / FAQ_TABLE, {entry.id for entry in entries})


def load_faq_table(path: Source, taken: Collection[str] = ()) -> tuple[FaqEntry, ...]:
    """`taken`: ids that are in use. Raises ContentError."""
    found: dict[str, dict[str, Any]] = {}
    for row in read_rows(path) if path.exists() else ():
        entry = found.setdefault(row.id, {"id": row.id})
        if row.lang in entry or row.id in taken:
            hint = "rename one, or write both questions into one row"
            raise ContentError(f"a second entry is called {row.id[:64]}", where=row.place, hint=hint)
        entry[row.lang] = row.text
        checked(FaqEntry, entry, row.place)
    return tuple(FaqEntry.model_validate(entry) for entry in found.values())


def load_faq(path: Source) -> tuple[FaqEntry, ...]:
    if not path.exists():
        return ()
    file = OperatorFile(path)
    entries = FaqFile(()).root if file.data is None else file.check(FaqFile).root
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        if entry.id in seen:
            raise file.error(f"a second entry is called {entry.id}", (index, "id"), "rename one")
        seen.add(entry.id)
    return entries


def load_intents(path: Source) -> tuple[IntentExample, ...]:
    if not path.exists():
        return ()
    examples = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            examples.append(IntentExample.model_validate(json.loads(line)))
        except ValidationError as error:
            what, _, hint = explanation(error)
            raise ContentError(what, where=f"{path}:{number}", hint=hint) from None
        except (ValueError, RecursionError):
            raise ContentError(
                "not JSON", where=f"{path}:{number}", hint='write {"text": "…", "intent": "…"}'
            ) from None
    return tuple(examples)


def _check_tools(content: TenantContent) -> None:
    for tool in content.tools.values():
        if tool.secret and tool.secret.name not in content.secret_files:
            hint = f"name its file in [tools.secrets] of {TENANT_FILE}"
            raise ContentError(f"the secret {tool.secret.name} is not set", where=tool.where, hint=hint)
        _check_request("request", tool, tool.request, content, tool.where)
        if tool.outcome:
            _check_request("outcome", tool, tool.outcome.request, content, tool.outcome.where)


def _check_moderation(content: TenantContent) -> None:
    hands_over = any(listed.action == "handoff" for listed in content.moderation.incoming)
    if hands_over and content.rules.handoff is None:
        hint = "give one handoff rule `default: true`, or block instead"
        raise ContentError("no rule says how to hand over", where=f"{content.folder / MODERATION_FILE}:1", hint=hint)


def _check_request(part: str, tool: Tool, request: HttpRequest, content: TenantContent, where: str) -> None:
    if request.base not in content.variables:
        hint = f"set it in [tools.variables] of {TENANT_FILE}"
        raise ContentError(f"url: the variable {request.base} is not set", where=where, hint=hint)
    for name in sorted(request.holes() - tool.hole_names - set(content.variables)):
        raise ContentError(
            f"{part}: nothing is called {name}",
            where=where,
            hint=nearest(name, tool.hole_names, or_else="add it to the parameters"),
        )


def _check_rule(rule: Rule, content: TenantContent) -> None:
    intents = {example.intent for example in content.intents}
    for name in sorted(rule.when.intents() - intents):
        raise ContentError(
            f"{rule.id}: no example in {INTENTS_FILE} has the intent {name}",
            where=rule.where,
            hint=nearest(name, intents, or_else=f"add lines with it to {INTENTS_FILE}"),
        )
    _check_language(rule, content.settings)
    step = rule.tool or rule.handoff
    if step is None or step.tool_name is None:
        return
    tool = content.tools.get(step.tool_name)
    if tool is None:
        raise ContentError(
            f"{rule.id}: there is no tool {step.tool_name}",
            where=rule.where,
            hint=nearest(step.tool_name, content.tools, or_else=f"add {TOOLS_FOLDER}/{step.tool_name}.yaml"),
        )
    if tool.runs_at != "edge":
        raise ContentError(
            f"{rule.id}: {tool.name} runs at the core, which no rule can call",
            where=rule.where,
            hint=f"write runs_at: edge in {tool.where.rpartition(':')[0]}, or call another tool",
        )
    if tool.confirmation and rule.tool and not (rule.form and rule.form.confirm):
        raise ContentError(
            f"{rule.id}: {tool.name} wants confirmation", where=rule.where, hint="give the form a confirm text"
        )
    if rule.handoff and (tool.requires or tool.confirmation):
        raise ContentError(f"{rule.id}: a handoff's tool cannot want proof or confirmation", where=rule.where)
    _check_arguments(rule, step.arguments, tool)


def _check_language(rule: Rule, settings: TenantSettings) -> None:
    if rule.set_lang and rule.set_lang not in settings.languages:
        raise ContentError(
            f"{rule.id}: set_lang {rule.set_lang} is none of the company's languages",
            where=rule.where,
            hint=f"add it to languages in {TENANT_FILE}, or remove the rule",
        )


def _check_arguments(rule: Rule, arguments: Arguments, tool: Tool) -> None:
    for name in sorted(set(arguments.root) - tool.argument_names):
        raise ContentError(
            f"{rule.id}: {tool.name} has no parameter {name}", where=rule.where, hint=nearest(name, tool.argument_names)
        )
    for name in sorted(tool.required - set(arguments.root)):
        raise ContentError(f"{rule.id}: {tool.name} needs the argument {name}", where=rule.where)
