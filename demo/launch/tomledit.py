"""Sets single keys of a settings file and leaves its comments alone."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from demo.launch.errors import LaunchError

Value = str | int | float | bool | Mapping[str, "Value"]


def set_keys(file: Path, values: Mapping[str, Value]) -> None:
    before = file.read_text(encoding="utf-8")
    after = with_keys(before, file, values)
    if after != before:
        write_private(file, after)


def with_keys(text: str, file: Path, values: Mapping[str, Value]) -> str:
    """`values` maps "section.key" (or "key") to its new value; a key the text does not have is an error."""
    wanted = dict(values)
    lines, section = [], ""
    for line in text.splitlines():
        if heading := re.fullmatch(r"\[{1,2}([\w.-]+)\]{1,2}", line.strip()):
            section = f"{heading[1]}."
        key = re.match(r"(?:# )?([\w-]+) =", line)
        if key and f"{section}{key[1]}" in wanted:
            line = f"{key[1]} = {as_toml(wanted.pop(f'{section}{key[1]}'))}"
        lines.append(line)
    if wanted:
        raise LaunchError(
            f"{file} has no key {', '.join(sorted(wanted))}: remove it and start again, a new one is written"
        )
    return "\n".join(lines) + "\n"


def as_toml(value: Value) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {as_toml(item)}" for key, item in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def write_private(file: Path, text: str) -> None:
    """Readable by nobody else at any moment, and never half written."""
    draft = file.with_name(f".{file.name}.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as output:
        output.write(text)
    draft.replace(file)
