"""International bank account numbers: the country's length and the two check digits."""

import re
from collections.abc import Iterator

from edge_node.privacy.detectors.context import before
from edge_node.privacy.spans import Detector, Found

_LENGTHS = {
    entry[:2]: int(entry[2:])
    for entry in (
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28"
        " EE20 EG29"
        " ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30"
        " KW30 KZ20"
        " LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24"
        " PL28 PS29"
        " PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22"
        " VG24 XK20"
        " YE30 BF28 BJ28 CF27 CG27 CI28 CM27 CV25 DZ26 GA27 GQ27 GW25 IR26 KM27 MA28 MG27 ML28 MZ25 NE28 SN28"
        " TD27 TG28"
    ).split()
}
_CANDIDATE = re.compile(
    r"(?<![0-9A-Za-z])(?=([A-Z]{2}[ \-.]?\d[ \-.]?\d(?:[ \-.]{0,2}[0-9A-Z]){10,31}))", re.IGNORECASE | re.ASCII
)
"""Looks ahead: what begins as one ("is 88 and") may run into the real one."""
_TOKEN = re.compile(r"[0-9A-Za-z]*", re.ASCII)
_SAID = re.compile(r"iban", re.IGNORECASE)


def _is_valid(number: str) -> bool:
    return int("".join(str(int(c, 36)) for c in number[4:] + number[:4])) % 97 == 1


def _lengths(text: str, match: re.Match[str]) -> Iterator[int]:
    """The one of its country; else as far as letters and digits go, for countries that join and numbers mistyped."""
    known = _LENGTHS.get(match.group(1).replace(" ", "")[:2].upper())
    if known is not None:
        yield known
    token = _TOKEN.match(text, match.start())
    if token is not None and 15 <= len(token.group()) <= 34:
        yield len(token.group())


def _end(text: str, match: re.Match[str]) -> int | None:
    places = [place for place in range(*match.span(1)) if text[place].isalnum()]
    said = bool(_SAID.search(before(text, match.start())))
    for length in _lengths(text, match):
        if length <= len(places):
            end = places[length - 1] + 1
            number = "".join(text[place] for place in places[:length]).upper()
            touches = text[end : end + 1].isascii() and text[end : end + 1].isalnum()
            if not touches and (said or _is_valid(number)):
                return end
    return None


def _search(text: str) -> Found:
    for match in _CANDIDATE.finditer(text):
        if (end := _end(text, match)) is not None:
            yield match.start(), end


DETECTOR = Detector("IBAN", _search, digits=6)
