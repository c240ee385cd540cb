"""What in a sentence can be wrong and be checked: links, addresses, phones, dates, times, codes, numbers with units.

English and Chinese, digits and small numbers in words ("two weeks", "三天") read as the same fact.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from nearside.quantities import NUMBER_WITH_UNIT, SPELLED_WITH_UNIT, Quantity, quantity, spelled_quantity

DOMAINS = "com|cn|net|org|io|shop|store|co|eu|uk|de|info|app|dev|example|test"
MONTHS = "january february march april may june july august september october november december".split()
MONTH = rf"(?P<month>{'|'.join(f'{name[:3]}(?:{name[3:]})?' if name != 'may' else 'may' for name in MONTHS)})\.?"
DAY, YEAR = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?", r"(?:,?\s+(?P<year>\d{4}))?"
START, END = r"(?<![a-z0-9])", r"(?![a-z0-9])"

MASK = re.compile(r"⟨\w+⟩")
EMAIL = re.compile(r"[a-z0-9._%+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+")
LINK = re.compile(
    rf"(?:https?://|www\.)[a-z0-9./?&=#%_~:+-]+|{START}(?:[a-z0-9-]+\.)+(?:{DOMAINS}){END}(?:/[a-z0-9./?&=#%_~:+-]*)?"
)
PHONE = re.compile(
    r"\+\d[\d ().-]{6,}\d|(?<![\d-])(?:\(\d{3}\) ?\d{3}-\d{4}|\d{2,4}[ -]\d{3,4}[ -]\d{3,4}|0\d{2,3}[ -]\d{7,8}"
    r"|1[3-9]\d{9})(?![\d-])"
)
DATES = (
    re.compile(r"(?<!\d)(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})(?!\d)"),
    re.compile(r"(?:(?P<year>\d{4})\s*年\s*)?(?P<month>\d{1,2})\s*月\s*(?P<day>\d{1,2})\s*[日号]"),
    re.compile(rf"{START}{MONTH}\s+{DAY}{END}{YEAR}"),
    re.compile(rf"{START}{DAY}\s+(?:of\s+)?{MONTH}{END}{YEAR}"),
)
TIME = re.compile(
    r"(?P<zh>上午|早上|中午|下午|晚上)?\s*(?<!\d)(?P<hour>\d{1,2})"
    r"(?:[::](?P<minute>\d{2})(?!\d)|\s*[点时](?!间)(?:(?P<half>半)|(?P<zh_minute>\d{1,2})分)?|(?=\s*[ap]\.?m))"
    r"\s*(?P<en>[ap])?(?:(?<=[ap])\.?m\.?)?"
)
CODE = re.compile(rf"{START}[a-z]+-?\d[a-z0-9]*(?:-[a-z0-9]+)*{END}")
LIST_MARK = re.compile(r"^\s*\d{1,2}[.)、](?!\d)\s*")
GAP = " ¦ "
"""Nothing is read across it: neighbouring cells of a table are facts of their own."""


@dataclass(frozen=True, slots=True)
class Fact:
    """`kind` names it in metrics; `value` is its one spelling; numbers carry a unit too (may be empty)."""

    kind: str
    value: str
    unit: str = ""


def facts_of(text: str) -> set[Fact]:
    folded = unicodedata.normalize("NFKC", text).casefold().replace("−", "-").replace("\t", GAP)
    rest = LIST_MARK.sub("", folded)
    found: set[Fact] = set()
    for pattern, read in READERS:
        rest = pattern.sub(_collector(read, found), rest)
    return found


def _collector(read: Callable[[re.Match[str]], Fact | None], found: set[Fact]) -> Callable[[re.Match[str]], str]:
    def collect(match: re.Match[str]) -> str:
        fact = read(match)
        if fact is None:
            return match.group()
        found.add(fact)
        return GAP

    return collect


def _link(match: re.Match[str]) -> Fact:
    bare = re.sub(r"^(?:https?://)?(?:www\.)?", "", match.group())
    return Fact("link", bare.rstrip("./?&:,"))


def _phone(match: re.Match[str]) -> Fact:
    return Fact("phone", re.sub(r"\D", "", match.group()))


def _date(match: re.Match[str]) -> Fact | None:
    name = match["month"].rstrip(".")
    month = int(name) if name.isdigit() else next(i for i, full in enumerate(MONTHS, 1) if full.startswith(name[:3]))
    if not (1 <= month <= 12 and 1 <= int(match["day"]) <= 31):
        return None
    return Fact("date", f"{month:02}-{int(match['day']):02}", match["year"] or "")


def _time(match: re.Match[str]) -> Fact | None:
    hour = int(match["hour"])
    minute = int(match["minute"] or match["zh_minute"] or (30 if match["half"] else 0))
    if match["en"] and hour <= 12:
        hour = hour % 12 + (12 if match["en"] == "p" else 0)
    elif match["zh"] in ("下午", "晚上") and hour < 12:
        hour += 12
    return Fact("time", f"{hour:02}:{minute:02}") if hour <= 24 and minute < 60 else None


def _number(found: Quantity) -> Fact:
    return Fact("price" if found.is_money else "number", _plain(found.value), found.unit)


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _whole(kind: str) -> Callable[[re.Match[str]], Fact]:
    return lambda match: Fact(kind, match.group())


READERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Fact | None]], ...] = (
    (MASK, _whole("mask")),
    (EMAIL, _whole("email")),
    (LINK, _link),
    *((pattern, _date) for pattern in DATES),
    (PHONE, _phone),
    (TIME, _time),
    (CODE, _whole("code")),
    (NUMBER_WITH_UNIT, lambda match: _number(quantity(match))),
    (SPELLED_WITH_UNIT, lambda match: _number(spelled_quantity(match))),
)


def unsupported(claimed: set[Fact], evidence: set[Fact]) -> Iterator[Fact]:
    """The facts of a sentence that stand nowhere in its evidence."""
    return (fact for fact in claimed if not any(_supports(known, fact) for known in evidence))


def _supports(known: Fact, claimed: Fact) -> bool:
    match claimed.kind:
        case "number" | "price":
            return known.value == claimed.value and known.kind in ("number", "price") and _units_agree(known, claimed)
        case "date":
            return known.kind == "date" and known.value == claimed.value and claimed.unit in ("", known.unit)
        case "phone":
            return known.kind == "phone" and (
                known.value.endswith(claimed.value) or claimed.value.endswith(known.value)
            )
        case _:
            return known == claimed


def _units_agree(known: Fact, claimed: Fact) -> bool:
    """A bare number in the evidence (a table's cell) may carry any unit; a price borrows no other unit's number."""
    return known.unit == claimed.unit or not known.unit or (not claimed.unit and claimed.kind == "number")
