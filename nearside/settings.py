"""One TOML file, overridden by the environment, checked against a pydantic model.

An unknown key is an error that names the nearest known one; an error says file, key and what to do.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from nearside.errors import SettingsError


class Section(BaseModel):
    """Base of every settings section: nothing unknown, nothing changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


S = TypeVar("S", bound=Section)


def load_settings(model: type[S], path: Path, prefix: str, environ: Mapping[str, str] | None = None) -> S:
    """Read `path` into `model`; `PREFIX__SECTION__KEY` in the environment overrides a key.

    Relative paths inside the file stay relative to the file: sections resolve them with `base`.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError("no settings file", where=str(path), hint="write one with `init DIR`") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"not TOML: {error}", where=str(path), hint="mend the line named") from None
    except OSError as error:
        raise SettingsError(f"cannot be read: {error.strerror}", where=str(path)) from None
    _override(data, model, prefix, os.environ if environ is None else environ)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _explain(error, model, path) from None


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


def _explain(error: ValidationError, model: type[BaseModel], path: Path) -> SettingsError:
    first = error.errors(include_url=False, include_input=False)[0]
    location = [str(part) for part in first["loc"]]
    key = ".".join(location)
    if first["type"] != "extra_forbidden":
        return SettingsError(f"{key}: {first['msg']}", where=str(path), hint="correct this key")
    near = difflib.get_close_matches(location[-1], _known_keys(model, location[:-1]), n=1, cutoff=0.5)
    hint = f"did you mean {'.'.join([*location[:-1], near[0]])}?" if near else "remove it"
    return SettingsError(f"unknown key {key}", where=str(path), hint=hint)


def _known_keys(model: type[BaseModel], location: list[str]) -> list[str]:
    current: Any = model
    for part in location:
        if isinstance(current, type) and issubclass(current, BaseModel) and part in current.model_fields:
            current = _section_of(current.model_fields[part].annotation)
    return list(current.model_fields) if isinstance(current, type) and issubclass(current, BaseModel) else []


def _section_of(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, UnionType, list, dict, tuple):
        models = [arg for arg in get_args(annotation) if isinstance(arg, type) and issubclass(arg, BaseModel)]
        return models[0] if models else annotation
    return annotation
