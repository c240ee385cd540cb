"""What stands in `tools/*.yaml`: one business API call that a rule or a model may make."""

import re
from collections.abc import Container, Iterator, Mapping
from typing import Annotated, Any, Literal

import jsonschema_rs
from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from nearside.operator_files import OperatorFile, Placed, Source, Written, nearest, yaml_files
from nearside.rules.patterns import Pattern, compile_pattern
from nearside.templates import LocalisedTemplate
from nearside.tools.errors import ToolFailure

RESPONSE_LIMIT_BYTES = 64 * 1024
HOLE = re.compile(r"\{([a-z][a-z0-9_]{0,31})\}")
"""`{order_number}` in a request: an argument, or a variable of the tenant."""
IDEMPOTENCY_KEY = "idempotency_key"
"""What a write's requests may use besides."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
JsonPath = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")]
Plain = str | int | float | bool | None
_Json = Any
_NOTHING: Any = object()
"""What stands at a path that is not there: not even null."""


class Secret(Written):
    """A credential, by the name that `[tools.secrets]` gives its file; never its value."""

    name: Name
    header: str = Field(default="Authorization", pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")
    prefix: str = Field(default="Bearer ", pattern=r"^[\x20-\x7e]{0,32}$")


class HttpRequest(Written):
    """`{name}` stands for an argument or variable. The address begins with a variable, which fixes the host;
    a text that is one `{name}` keeps the argument's JSON type; a value whose argument is not given is left out."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    url: str = Field(pattern=r"^\{[a-z][a-z0-9_]{0,31}\}(/[^\s?#]*)?$")
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    body: dict[str, _Json] | None = None

    @model_validator(mode="after")
    def _headers_are_plain(self) -> "HttpRequest":
        for name, value in self.headers.items():
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,63}", name) or not re.fullmatch(r"[\x20-\x7e]{0,500}", value):
                raise ValueError("a header is not plain ASCII")
            if name.lower() in ("host", "content-length", "transfer-encoding", "idempotency-key", "connection"):
                raise ValueError(f"the header {name} is set by the program")
        return self

    @property
    def base(self) -> str:
        """The variable the address begins with."""
        found = HOLE.match(self.url)
        return found.group(1) if found else ""

    @property
    def path(self) -> str:
        return self.url[len(self.base) + 2 :]

    def holes(self) -> set[str]:
        """Every name used, the base apart."""
        texts = [self.path, *self.headers.values(), *self.query.values(), *_texts(self.body)]
        return {name for text in texts for name in HOLE.findall(text)}


class ResponseMapping(Written):
    """`map`: result name → dotted path in the JSON (`items.0.name`), null where absent; without it the whole answer.
    `errors`: HTTP status → the kind that `on_error` of a rule names."""

    map: dict[Name, JsonPath] = {}
    errors: dict[Annotated[str, Field(pattern=r"^[45]\d\d$")], Name] = {}
    limit_bytes: int = Field(default=RESPONSE_LIMIT_BYTES, ge=1, le=RESPONSE_LIMIT_BYTES)

    def apply(self, answer: Any) -> Any:
        return mapped(self.map, answer)


Conditions = dict[JsonPath, Plain | tuple[Plain, ...]]
"""Dotted path in a JSON answer → what must stand there, or one of several; all must hold."""


class Outcome(Placed):
    """How to ask whether a write happened of which no answer came.

    An answer of 2xx that says both `done` and `absent`, or neither, says nothing. `absent_statuses` say absent,
    `errors` that the write was refused; `map` is that of `response` where it is not given."""

    request: HttpRequest
    done: Conditions = Field(min_length=1)
    absent: Conditions = {}
    absent_statuses: tuple[Annotated[int, Field(ge=400, le=499)], ...] = ()
    map: dict[Name, JsonPath] | None = None
    errors: dict[Annotated[str, Field(pattern=r"^4\d\d$")], Name] = {}

    @field_validator("request")
    @classmethod
    def _only_asks(cls, request: HttpRequest) -> HttpRequest:
        if request.method != "GET" or request.body is not None:
            raise ValueError("asking changes nothing: it is a GET without a body")
        return request

    @model_validator(mode="after")
    def _is_clear(self) -> "Outcome":
        both = {str(status) for status in self.absent_statuses} & set(self.errors)
        if both:
            raise ValueError(f"{min(both)} cannot say absent and be an error")
        return self

    def verdict(self, answer: Any) -> Literal["done", "absent"] | None:
        """What a 2xx answer says."""
        done, absent = _hold(self.done, answer), bool(self.absent) and _hold(self.absent, answer)
        if done == absent:
            return None
        return "done" if done else "absent"


class Verify(Written):
    """How a customer proves that something is theirs: a second fact, checked by a tool that answers {"verified": true}.

    `subject` is what gets proven, over the guarded tool's arguments: `order:{order_number}`. `arguments` are those of
    the checking tool; `{fact}` is what the customer said."""

    tool: Name
    subject: str = Field(min_length=1, max_length=200)
    arguments: dict[Name, str]
    pattern: str
    """What a fact looks like in a message; its first group that matched, else the whole, is the fact."""
    ask: LocalisedTemplate
    retry: LocalisedTemplate | None = None

    _pattern: Pattern = PrivateAttr()

    @model_validator(mode="after")
    def _compile(self) -> "Verify":
        self._pattern = compile_pattern(self.pattern)
        if not HOLE.search(self.subject):
            raise ValueError("subject names no argument, so one proof would open everything")
        return self

    def fact(self, text: str, known: Container[str] = ()) -> str | None:
        """What a message says that is not `known` already: an order's number is no proof of the order."""
        found = self._pattern.values(text)
        return next((fact for fact in found if fact not in known), None)

    def subject_of(self, arguments: Mapping[str, Any]) -> str:
        return fill(self.subject, arguments)

    def call(self, arguments: Mapping[str, Any], fact: str) -> dict[str, Any]:
        return {name: fill(text, {**arguments, "fact": fact}) for name, text in self.arguments.items()}


class Tool(Placed):
    name: Name
    description: str = Field(min_length=1, max_length=1000)
    parameters: dict[str, _Json] = {"type": "object", "properties": {}}
    runs_at: Literal["edge", "core"] = "edge"
    effect: Literal["read", "write"]
    confirmation: bool = False
    """Whether the customer says yes before it runs."""
    requires: Literal["verified"] | None = None
    verify: Verify | None = None
    timeout_s: float = Field(default=5, gt=0, le=60)
    request: HttpRequest
    secret: Secret | None = None
    response: ResponseMapping = ResponseMapping()
    outcome: Outcome | None = None

    _validator: Any = PrivateAttr()

    @field_validator("outcome")
    @classmethod
    def _is_of_a_write(cls, outcome: Outcome | None, info: ValidationInfo) -> Outcome | None:
        if outcome and info.data.get("effect") == "read":
            raise ValueError("only a tool with effect: write has an outcome to ask for")
        return outcome

    @model_validator(mode="after")
    def _compile(self) -> "Tool":
        if (self.requires == "verified") != (self.verify is not None):
            raise ValueError("requires: verified and verify go together")
        if self.parameters.get("type") != "object" or not isinstance(self.parameters.get("properties", {}), dict):
            raise ValueError("parameters must be a JSON Schema of type object")
        try:
            schema = {"additionalProperties": False, **self.parameters}
            self._validator = jsonschema_rs.Draft202012Validator(
                schema, mask="the value", pattern_options=jsonschema_rs.RegexOptions(), offline=True
            )
        except (ValueError, jsonschema_rs.ValidationError) as error:
            raise ValueError(f"parameters are no JSON Schema: {str(error).splitlines()[0][:160]}") from None
        unknown = (set(HOLE.findall(self.verify.subject)) if self.verify else set()) - self.argument_names
        if unknown:
            raise ValueError(
                f"verify.subject: there is no parameter {min(unknown)} ({nearest(min(unknown), self.argument_names)})"
            )
        return self

    @property
    def argument_names(self) -> frozenset[str]:
        return frozenset(self.parameters.get("properties", {}))

    @property
    def hole_names(self) -> frozenset[str]:
        """What `{…}` in its requests may name, the tenant's variables apart."""
        return self.argument_names | ({IDEMPOTENCY_KEY} if self.effect == "write" else set())

    @property
    def required(self) -> frozenset[str]:
        return frozenset(self.parameters.get("required", ()))

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Raise ToolFailure bad_arguments naming the argument, never its value."""
        try:
            problem = next(iter(self._validator.iter_errors(dict(arguments))), None)
        except (ValueError, TypeError):
            raise ToolFailure("bad_arguments", "the arguments are no JSON", where=self.name) from None
        if problem is not None:
            place = ".".join(str(part) for part in problem.instance_path)
            what = f"{place}: {problem.message}" if place else problem.message
            raise ToolFailure("bad_arguments", what[:300], where=self.name, hint="see the tool's parameters")

    def fit(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Texts as the numbers and booleans that the parameters want: rules render texts only."""
        types = {
            name: schema.get("type")
            for name, schema in self.parameters.get("properties", {}).items()
            if isinstance(schema, dict)
        }
        return {name: _fitted(value, types.get(name)) for name, value in arguments.items()}


def fill(text: str, values: Mapping[str, Any]) -> str:
    """`text` with every `{name}` replaced; raises ToolFailure where a value is missing."""

    def value(hole: re.Match[str]) -> str:
        name = hole.group(1)
        if name not in values:
            raise ToolFailure("bad_arguments", f"{name} is missing")
        return plain_value(values[name])

    return HOLE.sub(value, text)


def plain_value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _fitted(value: Any, wanted: Any) -> Any:
    if isinstance(value, str) and wanted == "integer" and re.fullmatch(r"-?\d{1,18}", value):
        return int(value)
    if isinstance(value, str) and wanted == "number" and re.fullmatch(r"-?\d{1,15}(\.\d{1,15})?", value):
        return float(value)
    if isinstance(value, str) and wanted == "boolean" and value in ("true", "false"):
        return value == "true"
    return value


def mapped(paths: Mapping[str, str], answer: Any) -> Any:
    """Result name → what stands at its path, null where nothing does; without paths the whole answer."""
    return {name: _dig(answer, path) for name, path in paths.items()} if paths else answer


def _hold(conditions: Conditions, answer: Any) -> bool:
    return all(_is_one_of(_dig(answer, path, _NOTHING), wanted) for path, wanted in conditions.items())


def _is_one_of(value: Any, wanted: Plain | tuple[Plain, ...]) -> bool:
    """As JSON: true is not 1."""
    choices = wanted if isinstance(wanted, tuple) else (wanted,)
    return any(value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in choices)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for child in value.values():
            yield from _texts(child)
    elif isinstance(value, list):
        for child in value:
            yield from _texts(child)


def _dig(answer: Any, path: str, missing: Any = None) -> Any:
    for part in path.split("."):
        if isinstance(answer, dict):
            answer = answer.get(part, missing)
        elif isinstance(answer, list) and part.isdigit() and int(part) < len(answer):
            answer = answer[int(part)]
        else:
            return missing
    return answer


def load_tools(folder: Source) -> dict[str, Tool]:
    """Read `folder/*.yaml`, one tool each, by name. Raises ContentError. The folder is the allow-list."""
    tools: dict[str, Tool] = {}
    files: dict[str, OperatorFile] = {}
    for path in yaml_files(folder):
        file = OperatorFile(path)
        tool = file.check(Tool)
        if tool.name in tools:
            raise file.error(f"a second tool is called {tool.name}", ("name",), "rename one")
        tool.place(file.where(("name",)))
        if tool.outcome:
            tool.outcome.place(file.where(("outcome", "request", "url")))
        tools[tool.name], files[tool.name] = tool, file
    for name, tool in tools.items():
        _check_verify(tool, tools, files[name])
    return tools


def _check_verify(tool: Tool, tools: Mapping[str, Tool], file: OperatorFile) -> None:
    if tool.verify is None:
        return
    checker = tools.get(tool.verify.tool)
    if checker is None:
        raise file.error(
            f"verify: there is no tool {tool.verify.tool}",
            ("verify", "tool"),
            nearest(tool.verify.tool, set(tools) - {tool.name}, or_else=f"add tools/{tool.verify.tool}.yaml"),
        )
    if checker.runs_at != tool.runs_at:
        raise file.error(
            f"verify: {checker.name} runs at the {checker.runs_at}",
            ("verify", "tool"),
            f"write runs_at: {tool.runs_at}",
        )
    if checker.effect != "read" or checker.requires:
        raise file.error("verify: the checking tool must be a read that needs no proof itself", ("verify", "tool"))
    unknown = (set(tool.verify.arguments) - checker.argument_names) or (checker.required - set(tool.verify.arguments))
    if unknown:
        raise file.error(
            f"verify: {checker.name} and these arguments differ in {min(unknown)}", ("verify", "arguments")
        )
