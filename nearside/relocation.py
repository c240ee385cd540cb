"""Single keys of an operator's settings file set anew, its comments left as they are."""

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from nearside.errors import SettingsError

Key = tuple[str, ...]
HEADING = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(#.*)?")
SETTING = re.compile(r"""\s*([\w."'-]+)\s*=.*""")


def relocated(text: str, values: Mapping[Key, str], defaults: BaseModel | None = None) -> str:
    """The TOML `text` with `values`, by path such as `("https", "cert")`. Raises SettingsError where it is no TOML.

    A key that the text does not have stays out where its value is the one that `defaults` have. Where a form is too
    unusual to be edited in place, the whole file is written anew, without its comments.
    """
    try:
        wanted = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"not TOML: {error}", hint="mend the line named") from None
    changes = {key: value for key, value in values.items() if _get(wanted, key, defaults) != value}
    for key, value in changes.items():
        _put(wanted, key, value)
    edited = _edited(text, changes)
    try:
        is_right = tomllib.loads(edited) == wanted
    except tomllib.TOMLDecodeError:
        is_right = False
    return edited if is_right else as_toml(wanted)


def _edited(text: str, changes: Mapping[Key, str]) -> str:
    left, lines, section = dict(changes), [], Key()
    ends = {Key(): 0}
    for line in text.splitlines():
        if heading := HEADING.fullmatch(line):
            section = _parts(heading[1])
        elif (setting := SETTING.fullmatch(line)) and (key := section + _parts(setting[1])) in left:
            line = f"{setting[1]} = {_toml(left.pop(key))}"
        lines.append(line)
        if heading:
            ends[section] = len(lines)
    for section in sorted({key[:-1] for key in left}, key=lambda section: -ends.get(section, len(lines))):
        added = [f"{_key(key[-1])} = {_toml(value)}" for key, value in left.items() if key[:-1] == section]
        at = ends.get(section, len(lines))
        lines[at:at] = added if section in ends else ["", f"[{'.'.join(map(_key, section))}]", *added]
    return "\n".join(lines) + "\n"


def _parts(dotted: str) -> Key:
    return tuple(part.strip(" \"'") for part in dotted.split("."))


def _get(data: Mapping[str, Any], key: Key, defaults: BaseModel | None) -> Any:
    found: Any = data
    for part in key:
        if not isinstance(found, Mapping) or part not in found:
            return str(_default(defaults, key))
        found = found[part]
    return found


def _default(defaults: Any, key: Key) -> Any:
    for part in key:
        defaults = getattr(defaults, part, None)
    return defaults


def _put(data: dict[str, Any], key: Key, value: str) -> None:
    for part in key[:-1]:
        data = data.setdefault(part, {})
    data[key[-1]] = value


def as_toml(data: Mapping[str, Any]) -> str:
    """Without comments; dates become texts."""
    sections = {key: value for key, value in data.items() if isinstance(value, Mapping)}
    lines = [f"{_key(key)} = {_toml(value)}" for key, value in data.items() if key not in sections]
    for name, section in sections.items():
        lines += ["", f"[{_key(name)}]", *(f"{_key(key)} = {_toml(value)}" for key, value in section.items())]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)


def _toml(value: Any) -> str:
    """JSON's strings, numbers and arrays are TOML's too; only DEL must be escaped besides."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False, default=str).replace("\x7f", "\\u007f")
