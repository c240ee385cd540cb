"""YAML an operator wrote: read safely, checked against a model, complained about by file and line.

The YAML understood is the plain part of YAML 1.2: `yes`, `no` and `on` are words (customers use them), dates are text
until a model reads them, and anchors, tags and keys written twice are errors.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, Literal, Protocol, TypeVar

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    PrivateAttr,
    RootModel,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from nearside.errors import ContentError

Lang = Literal["en", "zh"]
LANGS: tuple[Lang, ...] = ("en", "zh")
FILE_LIMIT_BYTES = 4 * 1024 * 1024
DEPTH_LIMIT = 40

Place = tuple[str | int, ...]


class Source(Protocol):
    """A file or folder that an operator wrote: a Path, or the same in a pack. `str()` says where it is."""

    @property
    def name(self) -> str: ...
    def __truediv__(self, name: str, /) -> "Source": ...
    def exists(self) -> bool: ...
    def is_file(self) -> bool: ...
    def iterdir(self) -> "Iterator[Source]": ...
    def open(self, mode: Literal["rb"], /) -> BinaryIO: ...


M = TypeVar("M", bound=BaseModel)

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN_TAGS = {
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq", "merge", "value")
}
_YAML_NAME = re.compile(r"\.y.*ml\Z", re.DOTALL)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?[0-9]{1,17}\.[0-9]{1,17}")
_WANTS_QUOTES = re.compile(
    r"[:{,-]\s+(?P<start>\{\{|\{%|[@`%]|\{(?=\w+\}))"
    r"|^[^{]*:\s+[^\s'\"|>\[{&*!#].*: |[{,]\s*\w+:\s+[^\s'\"\[{&*!#,][^,]*: "
)
_WORDS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}


class Written(BaseModel):
    """Base of everything an operator writes. An unknown key is an error that names the nearest known one."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            for key in data:
                if key not in known and key not in cls.model_fields:
                    raise unknown_key(str(key), known)
        return data


class Placed(Written):
    """Something with a place of its own: `where` is the path:line it was read from."""

    _where: str = PrivateAttr(default="")

    @property
    def where(self) -> str:
        return self._where

    def place(self, where: str) -> None:
        self._where = where


class LocalisedText(RootModel[dict[Lang, str]]):
    """A plain string for every language, or a map of language to string."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _spread(cls, data: Any) -> Any:
        if isinstance(data, str):
            return dict.fromkeys(LANGS, data)
        if isinstance(data, Mapping):
            for key in data:
                if key not in LANGS:
                    raise unknown_key(str(key), LANGS)
        elif not isinstance(data, LocalisedText):
            raise ValueError("a text should stand here, or one for each language")
        return data

    @model_validator(mode="after")
    def _says_something(self) -> "LocalisedText":
        if not self.root or not all(text.strip() for text in self.root.values()):
            raise ValueError("a text is empty")
        return self

    def in_lang(self, lang: Lang) -> str:
        return self.root.get(lang) or next(iter(self.root.values()))

    @classmethod
    def __get_pydantic_json_schema__(cls, _core: Any, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return localised_schema({"type": "string", "minLength": 1})


def localised_schema(value: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of `value`, or of a map of language to `value`."""
    by_lang = {
        "type": "object",
        "properties": dict.fromkeys(LANGS, value),
        "minProperties": 1,
        "additionalProperties": False,
    }
    return {"anyOf": [value, by_lang]}


class LocalisedList(RootModel[dict[Lang, tuple[str, ...]]]):
    """A list of strings for every language, or a map of language to such a list."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _spread(cls, data: Any) -> Any:
        if isinstance(data, list | tuple):
            return dict.fromkeys(LANGS, data)
        if not isinstance(data, Mapping | LocalisedList):
            raise ValueError("a list should stand here, or one for each language")
        return data

    def in_lang(self, lang: Lang) -> tuple[str, ...]:
        return self.root.get(lang, ())

    @classmethod
    def __get_pydantic_json_schema__(cls, _core: Any, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return localised_schema({"type": "array", "items": {"type": "string"}})


def unknown_key(key: str, known: Iterable[str]) -> PydanticCustomError:
    return PydanticCustomError("unknown_key", "unknown key {key}", {"key": key[:80], "hint": nearest(key, known)})


def nearest(word: str, known: Iterable[str], or_else: str = "remove it") -> str:
    """A hint: the known word most like `word`, or all of them; `or_else` where none is known."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]}?"
    return f"known: {', '.join(names[:12])}" if names else or_else


class OperatorFile:
    """One file's content and the line each part of it stands on."""

    def __init__(self, path: Source) -> None:
        self.path = path
        self._lines: dict[Place, int] = {}
        self.data = self._read()

    def line(self, place: Iterable[str | int]) -> int:
        """The line of the deepest part of `place` that stands in the file."""
        found: Place = ()
        for part in place:
            if (*found, part) in self._lines:
                found = (*found, part)
        return self._lines.get(found, 1)

    def where(self, place: Iterable[str | int] = ()) -> str:
        return f"{self.path}:{self.line(place)}"

    def error(self, what: str, place: Iterable[str | int] = (), hint: str = "") -> ContentError:
        return ContentError(what, where=self.where(place), hint=hint)

    def check(self, model: type[M]) -> M:
        try:
            return model.model_validate(self.data)
        except ValidationError as error:
            what, place, hint = explanation(error)
            raise self.error(what, place, hint or ("" if place else _beginning(model))) from None

    def _read(self) -> Any:
        text = read_text(self.path)
        try:
            self._check_depth(text)
            root = yaml.compose(text, Loader=_LOADER)
        except yaml.MarkedYAMLError as error:
            raise self._not_yaml(error, text) from None
        except (yaml.YAMLError, ValueError):
            raise ContentError(
                "not YAML", where=f"{self.path}:1", hint="it holds characters that no text has"
            ) from None
        return None if root is None else self._value(root, (), set())

    def _not_yaml(self, error: yaml.MarkedYAMLError, text: str) -> ContentError:
        """What the parser found; a text that should stand in quotes often fails only on a line below it."""
        marks = [mark for mark in (error.problem_mark, error.context_mark) if mark]
        lines = text.splitlines()
        for mark in marks:
            found = _WANTS_QUOTES.search(lines[mark.line]) if mark.line < len(lines) else None
            if found:
                return _unquoted(found["start"] or ": ", f"{self.path}:{mark.line + 1}")
        number = marks[0].line if marks else 0
        indented = number < len(lines) and lines[number].lstrip(" ").startswith("\t")
        hint = "indent with spaces, not with tabs" if indented else "mend this line"
        return ContentError(f"not YAML: {error.problem or error.context}", where=f"{self.path}:{number + 1}", hint=hint)

    def _check_depth(self, text: str) -> None:
        """Before anything recurses over the nodes: the C library's own composer has no guard."""
        depth = 0
        for event in yaml.parse(text, Loader=_LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEPTH_LIMIT:
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise ContentError("nested too deep", where=f"{self.path}:{line}", hint="no file needs this")

    def _value(self, node: Any, place: Place, seen: set[int]) -> Any:
        self._lines.setdefault(place, node.start_mark.line + 1)
        if id(node) in seen or node.tag not in _PLAIN_TAGS:
            raise self.error("anchors and tags are not understood", place, "write the value out")
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            return [self._value(child, (*place, index), seen) for index, child in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place, seen)
        return _scalar(node)

    def _mapping(self, node: Any, place: Place, seen: set[int]) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if isinstance(key_node, yaml.MappingNode):  # what `{{ … }}` is to YAML
                raise _unquoted("{{", f"{self.path}:{line}")
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag not in _PLAIN_TAGS:
                raise ContentError("a key must be a word", where=f"{self.path}:{line}", hint="see the line's `:`")
            key = str(key_node.value)
            if key in data:
                raise ContentError(f"{key[:80]} is written twice", where=f"{self.path}:{line}", hint="keep one")
            self._lines[(*place, key)] = line
            data[key] = self._value(value_node, (*place, key), seen)
        return data


def _unquoted(sign: str, where: str) -> ContentError:
    return ContentError(f"a text with `{sign}` stands without quotes", where=where, hint="put it into quotes")


def _scalar(node: Any) -> Any:
    text: str = node.value
    if node.style in ("'", '"', "|", ">") or node.tag == "tag:yaml.org,2002:str":
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def yaml_files(folder: Source) -> list[Source]:
    """Those right in a folder, by name; none where it is not there."""
    try:
        found = list(folder.iterdir())
    except OSError:
        return []
    return sorted(
        (file for file in found if _YAML_NAME.search(file.name) and file.is_file()), key=lambda file: file.name
    )


def read_text(path: Source) -> str:
    """Raises ContentError."""
    try:
        with path.open("rb") as file:
            content = file.read(FILE_LIMIT_BYTES + 1)
        if len(content) > FILE_LIMIT_BYTES:
            raise ContentError("larger than 4 MiB", where=f"{path}:1", hint="split it")
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except FileNotFoundError:
        raise ContentError("no such file", where=str(path), hint="write it, or correct the path") from None
    except OSError as error:
        raise ContentError(f"cannot be read: {error.strerror}", where=str(path), hint="correct the path") from None
    except UnicodeDecodeError:
        raise ContentError("not UTF-8", where=f"{path}:1", hint="save it as UTF-8") from None


def _beginning(model: type[BaseModel]) -> str:
    """How a file of this model begins."""
    if issubclass(model, RootModel):
        return "begin each entry with `- `"
    return f"begin with `{next(iter(model.model_fields), '')}:`"


def explanation(error: ValidationError) -> tuple[str, Place, str]:
    """What is wrong first in a model's complaint, where, and a hint; never the value itself."""
    first = error.errors(include_url=False)[0]
    context = first.get("ctx", {})
    if first["type"] == "unknown_key":
        return f"unknown key {context['key']}", (*first["loc"], context["key"]), str(context["hint"])
    named = ".".join(str(part) for part in first["loc"] if part != "[key]")
    return f"{named}: {_message(first)}" if named else _message(first), first["loc"], ""


_WANTED = {
    "tuple_type": "a list",
    "list_type": "a list",
    "model_type": "keys with values",
    "model_attributes_type": "keys with values",
    "dict_type": "keys with values",
    "string_type": "a text",
}


def _message(error: ErrorDetails) -> str:
    if error["type"] == "missing":
        return "is missing"
    if error["type"] in _WANTED:
        return f"{_WANTED[error['type']]} should stand here, not {_kind(error['input'])}"
    return error["msg"].removeprefix("Value error, ").replace("\n", " ")


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    kinds = ((bool, "true or false"), (int | float, "a number"), (str, "a text"), (Mapping, "keys with values"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "a list")
