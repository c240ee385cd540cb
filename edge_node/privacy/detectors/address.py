"""Postal addresses in Latin, Greek and Cyrillic script: a street and a number, a flat, a post box, a post code.

Every number in a text is looked at once, together with the few words before and behind it.
"""

import re

from edge_node.privacy.detectors.labelled import labelled
from edge_node.privacy.detectors.streets import GLUED, IN_NAMES, SMALL, SURE, TYPES_FIRST, UNSURE
from edge_node.privacy.spans import Detector, Found

BEFORE = 64
"""Characters before a number in which its street may stand."""

_LETTER = "A-Za-z\u00aa-\u024f\u0370-\u052f\u1e00-\u1fff"
_CAPITAL = "A-Z\u00c0-\u00de\u0100\u0106\u010c\u0141\u015a\u0160\u0179\u017d\u0386-\u03ab\u0400-\u042f"
_WORD = rf"[{_LETTER}][{_LETTER}'.\-]{{0,30}}+"
_NAME = rf"(?:[{_CAPITAL}][{_LETTER}'.\-]{{0,30}}+|\d{{1,3}}(?:st|nd|rd|th)\b)"
_NUMBER = re.compile(r"(?<![0-9A-Za-z.,:$€£¥#+/\-])\d{1,6}(?:[\-/]\d{1,4})?(?: ?[A-Za-z](?![A-Za-z]))?(?![0-9%])")
_SIDE = r"(?:(?:[NSEW]|[NS][EW]|North|South|East|West)\.? )?"
_STREET = re.compile(
    rf"[ ]{_SIDE}(?:(?!(?:{SMALL})\b)(?:{_WORD}|\d{{1,3}}(?:st|nd|rd|th)) ){{1,3}}"
    rf"(?:{SURE})\b(?!')\.?(?: (?:[NSEW]|[NS][EW])\b)?",
    re.IGNORECASE,
)
_NAMED_STREET = re.compile(rf"[ ]{_SIDE}(?:{_NAME} ){{1,3}}(?i:{UNSURE})\b")
_FRENCH = re.compile(
    r"(?: ?(?:bis|ter))?,? (?:"
    rf"(?i:rue|avenue|av\.?|boulevard|bd|chemin|impasse|allée|quai) (?:(?i:de|du|des|la|le|les) |[dl]'){{0,2}}{_WORD}"
    rf"|(?i:place|route|cours|square|passage) (?:(?:de|du|des|la|le|les) |[dl]'){{0,2}}{_NAME}"
    rf")(?:[ \-](?:(?:de|du|des|la) )?{_NAME}){{0,3}}"
)
_AHEAD = (_STREET, _NAMED_STREET, _FRENCH)
_ANY_WORD = re.compile(r"[^\s<>|;]+")
_SIGN = re.compile(r"(?:n\.?[º°o]?|nr|no|д|дом|αρ)\.?,?\Z", re.IGNORECASE)
_STATE = (
    "A[AEKLPRSZ]|C[AOT]|D[CE]|F[LM]|G[AU]|HI|I[ADLN]|K[SY]|LA|M[ADEHINOPST]|N[CDEHJMVY]|O[HKR]|P[ARW]|RI|S[CD]|T[NX]"
    "|UT|V[AIT]|W[AIVY]|NSW|VIC|QLD|ACT|TAS|ON|QC|BC|AB|MB|SK|NS|NB"
)
_TOWN = rf"{_NAME}(?: (?:(?:de|la|am|an|der|of|upon|del|do|da|sur|les|in) )?{_NAME}){{0,3}}"
_TOWN_BEFORE = re.compile(rf"(?:{_TOWN},? )?(?:{_STATE}),? \Z")
_POSTCODE = (
    r"(?:\d{5}-\d{4}|\d{4,6}|\d{3} \d{2}|\d{5}-\d{3}|\d{8}|\d{2}-\d{3}|[A-Z]{1,2}\d[0-9A-Z]? ?\d[A-Z]{2}"
    r"|[A-Z]\d[A-Z] ?\d[A-Z]\d|\d{4} ?[A-Z]{2})(?![0-9A-Za-z\-])"
)
_FLAT = (
    r"(?i:(?:apt|apartment|suite|ste|flat|unit|room|rm|floor|fl|bldg|building|door|lgh|byt|кв|квартира|app|appt|piso"
    r"|int|top|whg|piano|appartamento|puerta|к|стр|корп)\.? ?#?\d{1,5}[a-z]?\b)|# ?\d{1,5}"
)
_SEP = r"(?:[ ,;\n][ ,\n>?]{0,8}+)"
_TAIL = re.compile(
    rf"\.?(?:{_SEP}(?:{_FLAT}))?"
    rf"(?:(?:{_SEP}{_TOWN}){{0,2}}(?:{_SEP}(?:{_STATE}))?{_SEP}{_POSTCODE}"
    rf"(?:[ ,]{{1,2}}{_TOWN}(?: ?\([A-Z]{{2}}\)| ?[/\-] ?[A-Z]{{2}}\b)?)?|,\s{_TOWN}(?:,\s(?:{_STATE})\b)?)?"
)
_BESIDES = tuple(
    re.compile(pattern)
    for pattern in (
        r"\b(?i:p\.? ?o\.? ?box|post office box|postfach|postbus|apartado|casilla|boîte postale|caixa postal"
        r"|postboks)\.?,? (?i:no\.? ?)?\d{2,6}\b",
        r"\b(?:PSC|CMR|Unit) \d{2,6},? Box \d{2,6}\b|\b(?:USS|USNS|USCGC) [A-Z]\w{1,30}",
        r"\b(?i:apt|apartment|suite|ste)\.? #?\d{1,5}[A-Za-z]?\b|\b(?:Flat|Studio) \d{1,4}[A-Za-z]?(?=[,\n])",
        r"\b(?:[A-Z]{1,2}\d[0-9A-Z]? \d[A-Z]{2}|[ABCEGHJ-NPR-TVXY]\d[A-Z] \d[A-Z]\d)\b",
    )
)
_CALLED_CODE = labelled(
    r"zip(?: ?code)?|postal ?code|post ?code|postcode|plz|postleitzahl|code postal|código postal|cep|pin ?code"
    r"|邮编|邮政编码|郵便番号|индекс",
    r"(?=[A-Z \-]{0,4}\d)(?:\d{5}-\d{4}|[0-9A-Z]{2,4}[ \-](?=[A-Z]{0,2}\d)[0-9A-Z]{2,4}|[0-9A-Z]{4,8})",
)
_LED_TO = re.compile(
    r"(?:\baddress(?: is|:| of [^\n:]{1,30}? is| to| at)?"
    r"|\b(?:live[sd]?|living|located|meet(?: me| you)?|office is|restaurant is|now) (?:at|in)"
    r"|\b(?:send|sent|ship|shipped|deliver|delivered|mail|mailed|return|taxi|moved?)(?: it| this| them| that)? to"
    r"|\bstreet address|\b(?:adresse(?: ist| est)?|anschrift(?: ist)?|wohne in|dirección(?: es)?|indirizzo(?: è)?"
    r"|endereço(?: é)?|адрес))[ :\n]{1,3}",
    re.IGNORECASE,
)
_RUN = re.compile(
    rf"(?:(?:{_NAME}|\d{{1,6}}(?:[\-/]\d{{1,4}})?[A-Za-z]?(?!\. )|(?:de|du|des|la|le|der|den|del|do|da|of|u\.|ul\.))"
    rf"(?:[.,]?[ \n]{{1,3}}|,)){{0,14}}(?:{_NAME}|\d{{1,6}}[A-Za-z]?(?![0-9A-Za-z]))"
)


def _led_to(text: str) -> Found:
    """What stands where an address is announced: names and numbers, at least one of each."""
    for lead in _LED_TO.finditer(text):
        run = _RUN.match(text, lead.end())
        if run and any(map(str.isdigit, run.group())) and any(map(str.isupper, run.group())):
            yield run.span()


def _street_ahead(text: str, end: int) -> int | None:
    """Where the street ends that follows a house number."""
    return next((match.end() for pattern in _AHEAD if (match := pattern.match(text, end))), None)


def _street_before(text: str, start: int) -> int | None:
    """Where the street begins that a house number follows: its name's last word says so, or a word before the name."""
    if not text[start - 1 : start].isspace() or text[start - 2 : start - 1].isdigit():
        return None
    words = _words_before(text, start)
    if words and _SIGN.fullmatch(words[0][1]):
        words = words[1:]
    for count, (place, word) in enumerate(words):
        bare = word.rstrip(",")
        if bare.lower() in TYPES_FIRST:
            return place if count else None
        if count == 0 and bare.lower().endswith(GLUED) and _is_name(bare):
            return _name_begins(words)
        if not _is_name(bare) and bare.lower() not in IN_NAMES:
            return None
    return None


def _words_before(text: str, start: int) -> list[tuple[int, str]]:
    """The last six, the nearest first, each with its place."""
    line = text.rfind("\n", 0, start) + 1
    matches = _ANY_WORD.finditer(text, max(line, start - BEFORE), start)
    return [(match.start(), match.group()) for match in matches][:-7:-1]


def _is_name(word: str) -> bool:
    return word[:1].isupper() or len(word) > 4 and word.lower().endswith(GLUED)


def _name_begins(words: list[tuple[int, str]]) -> int:
    """`Neuer Weg 3` begins with Neuer: a street's name goes back as far as its capitals do, three words at most."""
    place, word = words[0]
    if word.lower() not in GLUED and word[:1].isupper() and len(words) > 1 and words[1][1].endswith((",", ":", ".")):
        return place
    for before, previous in words[1:3]:
        if not previous[:1].isupper() or previous.endswith((",", ":")):
            break
        place = before
    return place


def _streets(text: str) -> Found:
    for match in _NUMBER.finditer(text):
        start, end = match.span()
        if (after := _street_ahead(text, end)) is not None:
            end = after
        elif (before := _street_before(text, start)) is not None:
            start = before
        elif end - start == 5 and (town := _TOWN_BEFORE.search(text, max(0, start - BEFORE), start)):
            start = town.start()
        else:
            continue
        tail = _TAIL.match(text, end)
        yield start, tail.end() if tail else end


def _search(text: str) -> Found:
    yield from _streets(text)
    for pattern in _BESIDES:
        for match in pattern.finditer(text):
            tail = _TAIL.match(text, match.end())
            yield match.start(), tail.end() if tail else match.end()
    yield from _led_to(text)
    yield from _CALLED_CODE(text)


DETECTOR = Detector("ADDRESS", _search, digits=1)
