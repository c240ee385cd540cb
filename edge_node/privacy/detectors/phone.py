"""Telephone numbers of all countries: by their shape where that is telling, else by the words around them."""

import re

from edge_node.privacy.detectors.context import is_business
from edge_node.privacy.detectors.labelled import digits_in
from edge_node.privacy.detectors.phone_words import announced, explained, likely
from edge_node.privacy.spans import Detector, Found

LEAST, LEAST_SHAPED, LEAST_PLAIN = 6, 7, 7
"""Digits of a number at all, of one that is known by its shape, and of one without groups."""

_START = r"(?<![0-9A-Za-z_])(?<![0-9][.:/\-])"
_EXTENSION = (
    r"(?:[ ,;]{0,2}(?:x|ext\.?|extn\.?|extension|app\.?|durchwahl|poste|#|转|轉|分机"
    r"|内线)[ .:]{0,2}\d{1,6})?(?![0-9])"
)
_CHINESE_MOBILE = re.compile(
    r"(?<![0-9.])(?:(?:\+|00)?86[ \-.]{0,2}|\(\+?86\)[ \-]?"
    r"|0)?1[ .\-]{0,2}[3-9](?:[ .\-·]{0,2}\d){9}(?![0-9])",
    re.ASCII,
)
_SHAPES = tuple(
    re.compile(shape + _EXTENSION, re.IGNORECASE | re.ASCII)
    for shape in (
        r"(?<![0-9+])\+ ?\(?\d{1,4}\)?(?:[ ().\-/·]{0,3}\d){5,14}",
        rf"{_START}00 ?[1-9](?:[ ().\-/]{{0,3}}\d){{7,14}}",
        rf"{_START}(?:1[ .\-]?)?(?:\(\d{{3}}\)[ .\-]{{0,2}}|\d{{3}}[ .\-])\d{{3}}[ .\-]\d{{4}}",
        r"(?<![0-9A-Za-z_.])\((?!(?:19|20)\d\d\))\+?\d{1,5}\)[ .\-/]{0,2}\d{2,8}(?:[ .\-/]{0,2}\d{1,5}){0,4}",
        rf"{_START}0\d{{1,5}}(?:[ .\-/]{{1,3}}\d{{2,8}}){{1,5}}",
        rf"{_START}0[1-9]\d{{8,9}}",
        rf"{_START}(?:400|800)[ \-]?\d{{3,4}}[ \-]?\d{{3,4}}",
        rf"{_START}\d{{2}}([ \-])\d{{2}}\1\d{{2}}\1\d{{2}}",
    )
)
_NUMBER = re.compile(
    rf"(?<![0-9_#$€£¥])(?<![0-9][.:/\-])\+?\d(?:[ ().\-/·]{{0,3}}\d){{5,14}}{_EXTENSION}", re.IGNORECASE | re.ASCII
)
_DATE_OR_PRICE = re.compile(
    r"(?:(?:19|20)\d{2}([-./ ])\d{1,2}\1\d{1,2}|\d{1,2}([-./ ])\d{1,2}\2(?:19|20)\d{2}|\d{1,2}([./])\d{1,2}\3\d{2})"
    r"(?:[ \-]{1,3}|\Z)|(?:19|20)\d{2} ?[-/] ?(?:19|20)\d{2}\Z|\d+\.\d{1,2}\Z"
)
_NUMERALS = str.maketrans("零一二三四五六七八九幺", "01234567891")
_SPELT = re.compile(r"(?<![零一二三四五六七八九幺0-9])(?:[零一二三四五六七八九幺0-9][ \-]?){11,16}")
_SPELT_NUMBER = re.compile(r"(?:(?:00)?86)?[ \-]?1[ \-]?[3-9](?:[ \-]?\d){9}|0(?:[ \-]?\d){9,11}")


def _chinese_mobiles(text: str) -> Found:
    for match in _CHINESE_MOBILE.finditer(text):
        if _DATE_OR_PRICE.match(match.group()):
            continue
        is_other = _touches_a_letter(text, match.start()) or is_business(text, match.start())
        if not is_other or announced(text, match.start()):
            yield match.span()


def _by_shape(text: str) -> Found:
    for shape in _SHAPES:
        for match in shape.finditer(text):
            said = match.group()
            if digits_in(said) >= LEAST_SHAPED and not _DATE_OR_PRICE.match(said):
                if said[0] == "+" or not is_business(text, match.start()):
                    yield match.span()


def _by_words(text: str) -> Found:
    """A plain run of digits needs a word that means nothing else; grouped digits are half a sign by themselves."""
    for match in _NUMBER.finditer(text):
        start, end = match.span()
        said = match.group()
        if _DATE_OR_PRICE.match(said) or is_business(text, start):
            continue
        is_announced, is_grouped = announced(text, start), not said.isdigit()
        if _touches_a_letter(text, start) and not is_announced:
            continue
        is_called = is_announced or explained(text, end) or (is_grouped and likely(text, start))
        if is_called and (is_grouped or len(said) >= LEAST_PLAIN):
            yield start, end


def _spelt(text: str) -> Found:
    """一三八 and so on; the words that follow may begin with a numeral, too (一直)."""
    for match in _SPELT.finditer(text):
        if number := _SPELT_NUMBER.match(match.group().translate(_NUMERALS)):
            yield match.start(), match.start() + number.end()


def _touches_a_letter(text: str, start: int) -> bool:
    return text[start - 1 : start].isascii() and text[start - 1 : start].isalpha()


def _search(text: str) -> Found:
    if digits_in(text) >= LEAST:
        yield from _chinese_mobiles(text)
        yield from _by_shape(text)
        yield from _by_words(text)
    if "一" in text:
        yield from _spelt(text)


DETECTOR = Detector("PHONE", _search)
