"""Questions with what they mean, from files of JSON lines."""

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from cloud_core.tuning.evaluation import Question, is_outside
from nearside.errors import ContentError
from nearside.lexical import language_of
from nearside.nearest import Example
from nearside.operator_files import read_text

_NOBODY = "-"


def read_examples(path: Path, key: str = "intent") -> list[Example]:
    """Raises ContentError with file and line."""
    return [Example(label, text, language_of(text)) for _, label, text in _rows(path, key)]


def read_questions(path: Path, labels: Collection[str], key: str = "intent", begins: str = "") -> list[Question]:
    """`labels`: those that were trained, each beginning with `begins`; "oos" and "-" are meant by nobody.

    Raises ContentError with file and line.
    """
    questions = []
    for place, label, text in _rows(path, key):
        if is_outside(label) or label == _NOBODY:
            questions.append(Question(None, text))
        elif begins + label in labels:
            questions.append(Question(begins + label, text))
        else:
            hint = f'train with it, or write "oos" for what is out of scope: {{"text": "…", "{key}": "oos"}}'
            raise ContentError(f"no example has the {key} {label[:64]}", where=place, hint=hint)
    return questions


def _rows(path: Path, key: str) -> Sequence[tuple[str, str, str]]:
    """(path:line, label, text)."""
    rows = list(_each(path, key))
    if not rows:
        raise ContentError("there is nothing in it", where=str(path), hint=_shape(key))
    return rows


def _each(path: Path, key: str) -> Iterator[tuple[str, str, str]]:
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            place = f"{path}:{number}"
            row = _parsed(line, place, key)
            yield place, _written(row, key, place, key), _written(row, "text", place, key)


def _parsed(line: str, place: str, key: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise ContentError("not a JSON object", where=place, hint=_shape(key))
    return row


def _written(row: dict[str, Any], wanted: str, place: str, key: str) -> str:
    value = row.get(wanted)
    if not isinstance(value, str) or not value.strip():
        raise ContentError(f'"{wanted}" is missing or not a text', where=place, hint=_shape(key))
    return value


def _shape(key: str) -> str:
    return f'write {{"text": "…", "{key}": "…"}}, one a line'
