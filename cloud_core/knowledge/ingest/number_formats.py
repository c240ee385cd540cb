"""Numbers and dates as a spreadsheet shows them: the common part of Excel's format codes."""

import re
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple

Value = int | float | str | bool | time | date | datetime | timedelta

BUILT_IN = {1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%"} | {
    37: "#,##0", 38: "#,##0", 39: "#,##0.00", 40: "#,##0.00"
}  # fmt: skip
_SYMBOL = re.compile(r"\[\$([^\]-]*)[^\]]*\]")
_UNSEEN = re.compile(r"\[[^\]]*\]|_.|\*.")
_LITERAL = re.compile(r'"([^"]*)"|\\(.)')
_PATTERN = re.compile(r"[#0?][#0?,]*(?:\.([#0?]+))?")
_MOST_DIGITS = 15


class _Format(NamedTuple):
    before: str
    after: str
    decimals: int
    optional: int
    digits: int
    thousands: bool
    percent: bool


def shown(value: Value, code: str = "") -> str:
    """`code`: the cell's number format, "" for the general one."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, (int, float)):
        form = _format(code) if code else None
        return _formatted(float(value), form) if form else _general(float(value))
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "minutes")
    if isinstance(value, time):
        return value.isoformat("seconds" if value.second else "minutes")
    if isinstance(value, timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}" + (f":{seconds:02}" if seconds else "")
    return value.isoformat()


def _general(value: float) -> str:
    text = f"{value:.10g}"
    if "e" not in text:
        return text
    return text if abs(value) >= 1e21 or "n" in text else f"{value:.10f}".rstrip("0").rstrip(".")


@lru_cache(maxsize=256)
def _format(code: str) -> _Format | None:
    """None for codes that say something else than a plain number: fractions, exponents, text."""
    section = _UNSEEN.sub("", _SYMBOL.sub(r'"\1"', code.split(";", 1)[0]))
    literals: list[str] = []

    def keep(match: re.Match[str]) -> str:
        literals.append(match.group(1) or match.group(2) or "")
        return "\x01"

    bare = _LITERAL.sub(keep, section)
    pattern = _PATTERN.search(bare)
    if pattern is None or re.search(r"[/Ee@#0?]", bare[: pattern.start()] + bare[pattern.end() :]):
        return None
    rest = iter(literals)
    before, after = (
        "".join(next(rest) if letter == "\x01" else letter for letter in part)
        for part in (bare[: pattern.start()], bare[pattern.end() :])
    )
    whole, decimals = pattern.group().split(".")[0], pattern.group(1) or ""
    digits = whole.replace(",", "").count("0")
    if max(digits, len(decimals)) > _MOST_DIGITS:
        return None
    return _Format(before, after, len(decimals), decimals.count("#"), digits, "," in whole, "%" in before + after)


def _formatted(value: float, form: _Format) -> str:
    amount = abs(value) * (100 if form.percent else 1)
    text = f"{amount:{',' if form.thousands else ''}.{form.decimals}f}"
    for _ in range(form.optional):
        text = text.removesuffix("0")
    text = text.removesuffix(".")
    if len(text.split(".")[0]) < form.digits and not form.thousands:
        text = "0" * (form.digits - len(text.split(".")[0])) + text
    return ("-" if value < 0 else "") + f"{form.before}{text}{form.after}".strip()
