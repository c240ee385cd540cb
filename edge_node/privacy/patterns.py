"""What counts as personal data in a text: spans with a type, found by pattern and checksum."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    start: int
    end: int
    kind: str


def _luhn(text: str) -> bool:
    digits = [int(c) for c in text if c.isdigit()]
    doubled = [d if i % 2 == 0 else d * 2 - 9 * (d > 4) for i, d in enumerate(reversed(digits))]
    return 13 <= len(digits) <= 19 and sum(doubled) % 10 == 0


def _resident_id(text: str) -> bool:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(digit) * weight for digit, weight in zip(text[:17], weights, strict=True))
    return "10X98765432"[total % 11] == text[17].upper()


def _iban(text: str) -> bool:
    packed = re.sub(r"\s", "", text).upper()
    digits = "".join(str(int(c, 36)) for c in packed[4:] + packed[:4])
    return 15 <= len(packed) <= 34 and int(digits) % 97 == 1


_DATE = re.compile(r"\d{4}([-./])\d{1,2}\1\d{1,2}|\d{1,2}([-./])\d{1,2}\2\d{4}", re.ASCII)


def _phone(text: str) -> bool:
    return 8 <= sum(c.isdigit() for c in text) <= 15 and not _DATE.fullmatch(text)


def _always(text: str) -> bool:
    return True


_DETECTORS: tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...] = (
    ("EMAIL", re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,6}"), _always),
    (
        "IBAN",
        re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?![A-Za-z0-9])"),
        _iban,
    ),
    ("ID", re.compile(r"(?<![0-9A-Za-z])[1-9]\d{16}[0-9Xx](?![0-9A-Za-z])"), _resident_id),
    ("CARD", re.compile(r"(?<![\d+])\d(?:[ -]?\d){12,18}(?!\d)"), _luhn),
    ("PHONE", re.compile(r"(?<![\w.-])1[3-9]\d(?:[ -]?\d{4}){2}(?!\d)", re.ASCII), _always),
    (
        "PHONE",
        re.compile(r"(?<![\w.,/])(?:\+|00)?\(?\d{1,4}\)?(?:[ ()./-]{1,2}\d{2,8}){2,5}(?![\w/])", re.ASCII),
        _phone,
    ),
    ("PHONE", re.compile(r"(?<!\w)(?:\+|00)\d{8,15}(?!\w)", re.ASCII), _always),
)


def find(text: str) -> list[Span]:
    """Spans in order, none overlapping; where two overlap, the detector listed first wins."""
    taken: list[Span] = []
    for kind, pattern, is_valid in _DETECTORS:
        taken.extend(
            span for span in _matches(kind, pattern, is_valid, text) if all(_apart(span, other) for other in taken)
        )
    return sorted(taken, key=lambda span: span.start)


def _matches(kind: str, pattern: re.Pattern[str], is_valid: Callable[[str], bool], text: str) -> Iterator[Span]:
    for match in pattern.finditer(text):
        if is_valid(match.group()):
            yield Span(match.start(), match.end(), kind)


def _apart(one: Span, other: Span) -> bool:
    return one.end <= other.start or other.end <= one.start
