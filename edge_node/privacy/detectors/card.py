"""Bank cards: a known kind of number with its check digit, or any such number that the text calls a card's."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from edge_node.privacy.detectors.context import before, is_business
from edge_node.privacy.spans import Detector, Found

LONG_RUN = 60
"""Digits, with no more than spaces between them."""

_RUN = re.compile(r"(?<![\d+])\d(?:[ \-./]{0,2}\d){11,}", re.ASCII)
_KINDS = tuple(
    (re.compile(prefix), lengths)
    for prefix, lengths in (
        (r"4", (19, 16, 13)),
        (r"5[1-5]|2[2-7]", (16,)),
        (r"3[47]", (15,)),
        (r"30[0-5]|309|3[689]", (16, 14, 19)),
        (r"6011|64[4-9]|65|62|81|9792|60|63|67|68|69", (19, 18, 17, 16)),
        (r"35|2131|1800", (16, 15, 19)),
        (r"5018|5020|5038|5893|6304|6759|676[1-3]|56|57|58|50", (19, 18, 17, 16, 15, 14, 13)),
        (r"5018|5020|5038|56|57|58|6304|6390|6759|676[1-3]|0604", (12,)),
        (r"9[0-9]", (16,)),
    )
)
"""The first digits of the networks' cards, and how long they are."""
_ANY_LENGTH = tuple(range(19, 11, -1))
_MISTYPED_LENGTHS = (16, 15)
_SAID = re.compile(
    r"\b(?:cards?|cc|visa|master ?card|maestro|amex|american express|unionpay|debit|credit|karte|kreditkarte|carte"
    r"|tarjeta|carta|cartão|карт[аыу])\b|卡号|银行卡|信用卡|储蓄卡|借记卡|カード|카드"
)
_CODE = re.compile(
    r"(?:\b(?:cvv2?|cvc2?|cvn|card verification(?: code| value)?|security code)|安全码"
    r"|校验码)\D{0,12}(\d{3,4})(?!\d)",
    re.IGNORECASE,
)
_DOUBLED = str.maketrans("0123456789", "0246813579")


@dataclass(frozen=True, slots=True)
class _Group:
    """Digits from the start of a group on: `digits[n - 1]` stands at `places[n - 1]`, a group ends behind `ends`."""

    digits: str
    places: list[int]
    ends: set[int]


def _luhn(digits: str) -> bool:
    return (sum(map(int, digits[-1::-2])) + sum(map(int, digits[-2::-2].translate(_DOUBLED)))) % 10 == 0


def _groups(run: re.Match[str], text: str) -> Iterator[_Group]:
    """From each group's start as many digits as a card has; other numbers may stand right before and after a card.

    Where very many digits follow each other, no card is written digit by digit.
    """
    places = [place for place in range(*run.span()) if text[place].isdigit()]
    digits = "".join(text[place] for place in places)
    starts = [0, *(k for k in range(1, len(places)) if places[k] - places[k - 1] > 1)]
    ends = {*starts[1:], len(places)}
    if len(places) > LONG_RUN:
        starts = [start for start in starts if not ends & {start + 1, start + 2}]
    for start in starts:
        near = range(start + 1, min(start + _ANY_LENGTH[0], len(places)) + 1)
        yield _Group(
            digits[start : near.stop - 1], places[start : near.stop - 1], {end - start for end in near if end in ends}
        )


def _length(group: _Group, text: str) -> int | None:
    """Of the card that begins here."""
    called = _SAID.search(before(text, group.places[0])) is not None
    known = [length for prefix, lengths in _KINDS if prefix.match(group.digits) for length in lengths]
    for length in (*known, *_ANY_LENGTH) if called else known:
        if length in group.ends and _luhn(group.digits[:length]):
            is_spaced = group.places[length - 1] - group.places[0] >= length  # as no order is numbered
            return length if called or is_spaced or not is_business(text, group.places[0]) else None
    return None


def _mistyped_length(group: _Group, text: str) -> int | None:
    """Of a card whose check digit is wrong, where the text speaks of cards."""
    length = next((length for length in _MISTYPED_LENGTHS if length in group.ends), None)
    return length if length and _SAID.search(before(text, group.places[0])) else None


def _search(text: str) -> Found:
    for run in _RUN.finditer(text):
        for group in _groups(run, text):  # finds may overlap: a number before a card can look like the card's beginning
            if length := _length(group, text):
                yield group.places[0], group.places[length - 1] + 1
    yield from (match.span(1) for match in _CODE.finditer(text))


def _search_mistyped(text: str) -> Found:
    for run in _RUN.finditer(text):
        group = next(_groups(run, text), None)
        if group and (length := _mistyped_length(group, text)):
            yield group.places[0], group.places[length - 1] + 1


DETECTOR = Detector("CARD", _search, digits=3)
MISTYPED = Detector("ACCOUNT", _search_mistyped, digits=15)
"""Not a card's number, but most of one."""
