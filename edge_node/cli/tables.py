"""How the operator's commands show what they were given."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer

from nearside import terminal

STEPS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"))
"""Seconds of a unit, the largest first."""


def age(seconds: float | None) -> str:
    """Such as `3 min`: one unit, rounded down."""
    if seconds is None:
        return ""
    for length, unit in STEPS:
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return "now"


def ago(seconds: float | None) -> str:
    said = age(seconds)
    return f"{said} ago" if said not in ("", "now") else said


def count(number: int, thing: str) -> str:
    """`1 turn`, `2 turns`, `2 replies`."""
    if number == 1:
        return f"1 {thing}"
    return f"{number} {thing[:-1]}ies" if thing.endswith("y") else f"{number} {thing}s"


def flat(groups: Iterable[Mapping[str, Any]], key: str) -> list[dict[str, Any]]:
    """The rows of all tenants in one table, with their ages in words."""
    return [
        {
            **row,
            "tenant": group["tenant"],
            "age": ago(row["age_s"]),
            "next": age(row.get("next_in_s")),
            "dead": ago(row.get("dead_for_s")),
        }
        for group in groups
        for row in group[key]
    ]


def printable(text: str) -> str:
    """A customer's text for a terminal: what would steer it is shown as a replacement character."""
    return "".join(character if character.isprintable() or character in "\n\u200d" else "\ufffd" for character in text)


def when(runs: bool) -> str:
    """When a running edge, or a stopped one, does what it was asked to do."""
    return "" if runs else ": it goes on when the edge starts"


def say_left(left: Sequence[Mapping[str, str]], why: str) -> None:
    """A line for each that could not be done, and the command has failed."""
    for entry in left:
        terminal.complain("edge-node", f"{entry['id']} of {entry['tenant']} {why}")
    if left:
        raise typer.Exit(1)
