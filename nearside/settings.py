"""One TOML file, overridden by the environment, checked against a pydantic model.

An unknown key is an error that names the nearest known one; an error says file, key and what to do.
"""

import difflib
import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, ValidationInfo

from nearside.errors import SettingsError


class Section(BaseModel):
    """Base of every settings section: nothing unknown, nothing changed after loading."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        revalidate_instances="always",  # so that the paths of a section left out find the file's folder too
    )


S = TypeVar("S", bound=Section)


def _beside_the_file(path: Path, info: ValidationInfo) -> Path:
    return info.context["base"] / path if info.context else path


LocatedPath = Annotated[Path, AfterValidator(_beside_the_file)]
"""A path in a settings file; a relative one starts at the file's folder. Absolute after loading."""


def load_settings(model: type[S], path: Path, prefix: str, environ: Mapping[str, str] | None = None) -> S:
    """Read `path` into `model`; `PREFIX__SECTION__KEY` in the environment overrides a key.

    A relative `LocatedPath` starts at the file's folder.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError("no settings file", where=str(path), hint="write one with `init DIR`") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"not TOML: {error}", where=str(path), hint="mend the line named") from None
    except OSError as error:
        hint = "name a file that this user may read"
        raise SettingsError(f"cannot be read: {error.strerror}", where=str(path), hint=hint) from None
    environ = os.environ if environ is None else environ
    _override(data, model, prefix, environ)
    try:
        return model.model_validate(data, context={"base": path.absolute().parent})
    except ValidationError as error:
        raise _explain(error, model, path, prefix, environ) from None


def _override(data: dict[str, Any], model: type[BaseModel], prefix: str, environ: Mapping[str, str]) -> None:
    for name, value in sorted(environ.items()):
        if not name.startswith(f"{prefix}__"):
            continue
        keys = name[len(prefix) + 2 :].lower().split("__")
        target = data
        for key in keys[:-1]:
            child = target.setdefault(key, {})
            if not isinstance(child, dict):
                raise SettingsError(f"{name} points into {key}, which is no section", where="environment")
            target = child
        target[keys[-1]] = _parse(value)


def _parse(value: str) -> Any:
    """A list or table is written as TOML; anything else is taken as text and converted by the model."""
    if value[:1] in "[{":
        try:
            return tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            return value
    return value


def _explain(
    error: ValidationError, model: type[BaseModel], path: Path, prefix: str, environ: Mapping[str, str]
) -> SettingsError:
    first = error.errors(include_url=False, include_input=False)[0]
    location = [str(part) for part in first["loc"]]
    key = ".".join(location)
    variable = "__".join([prefix, *location]).upper()
    where = f"{variable} in the environment" if variable in environ else str(path)
    if first["type"] != "extra_forbidden":
        return SettingsError(f"{key}: {first['msg']}", where=where, hint="correct this key")
    near = difflib.get_close_matches(location[-1], _known_keys(model, location[:-1]), n=1, cutoff=0.5)
    hint = f"did you mean {'.'.join([*location[:-1], near[0]])}?" if near else "remove it"
    return SettingsError(f"unknown key {key}", where=where, hint=hint)


def _known_keys(model: type[BaseModel], location: list[str]) -> list[str]:
    current: Any = model
    for part in location:
        if isinstance(current, type) and issubclass(current, BaseModel) and part in current.model_fields:
            current = _section_of(current.model_fields[part].annotation)
    return list(current.model_fields) if isinstance(current, type) and issubclass(current, BaseModel) else []


def _section_of(annotation: Any) -> Any:
    """The section that a field holds: itself, or one of a list, map or choice of them."""
    models = [arg for arg in get_args(annotation) if isinstance(arg, type) and issubclass(arg, BaseModel)]
    return models[0] if models else annotation


def render_settings(settings: BaseModel, *, title: str) -> str:
    """A TOML file that says what each key means: every default, with its field's description above it."""
    lines = [f"# {line}".rstrip() for line in title.splitlines()]
    _render_section(settings, "", lines)
    return "\n".join(lines) + "\n"


def _render_section(section: BaseModel, name: str, lines: list[str]) -> None:
    fields = type(section).model_fields
    children = [key for key in fields if isinstance(getattr(section, key), BaseModel)]
    for key, field in fields.items():
        if key in children:
            continue
        if not name:
            lines.append("")
        lines += [f"# {line}" for line in (field.description or "").splitlines()]
        value = getattr(section, key)
        is_unset = value is None or value == {}
        lines.append(f"# {key} =" if is_unset else f"{key} = {_toml_value(value)}")
    for key in children:
        lines += ["", *(f"# {line}" for line in (fields[key].description or "").splitlines())]
        child = f"{name}.{key}" if name else key
        lines.append(f"[{child}]")
        _render_section(getattr(section, key), child, lines)


def _toml_value(value: Any) -> str:
    """JSON's strings, numbers and arrays are TOML's too; only DEL must be escaped besides."""
    if isinstance(value, Mapping):
        pairs = (f"{_toml_value(str(key))} = {_toml_value(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    if isinstance(value, Path):
        value = str(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
