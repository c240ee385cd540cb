"""Where sentences end, in English and Chinese."""

import re

_END = re.compile(r"(?:[。！？]+|…{2,}|[.!?]+)[\"'”’」』）)\]】》]*|\n\s*\n")
_WORD_BEFORE = re.compile(r"[^\W_](?:[^\W_]|[.&])*$")
_SEEN = 40
_CHINESE_END = re.compile(r"[。！？…]")
# these never end a sentence
_LEADING = frozenset(
    "e.g i.e eg ie mr mrs ms dr prof st no nos fig figs approx ca cf vs viz resp max min tel ext ref art sec ch"
    " pp".split()
)
# these end one only if what follows starts like a sentence
_TRAILING = frozenset(
    "etc inc ltd co corp a.m p.m am pm in ft oz lb lbs yd mi kg g cm mm m km l ml hr hrs sec mins jan feb mar apr"
    " jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun u.s u.k e.u incl excl est dept".split()
)


def spans(text: str) -> list[tuple[int, int]]:
    """(start, end) of every sentence; between them lies white space only."""
    found: list[tuple[int, int]] = []
    start = 0
    for match in _END.finditer(text):
        if _ends_here(text, start, match):
            _append(found, text, start, match.end())
            start = match.end()
    _append(found, text, start, len(text))
    return found


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in spans(text)]


def _append(found: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    stripped = piece.strip()
    if stripped:
        begin = start + len(piece) - len(piece.lstrip())
        found.append((begin, begin + len(stripped)))


def _ends_here(text: str, start: int, match: re.Match[str]) -> bool:
    mark, end = match.group(), match.end()
    if mark.isspace():
        return True
    following = text[end : end + _SEEN].lstrip()
    if _CHINESE_END.match(mark):
        return True
    if end < len(text) and not text[end].isspace():
        return ord(text[end]) >= 0x2E80 and not mark.startswith(".")
    if not following:
        return True
    if mark[0] in "!?":
        return not following[0].islower()
    return _full_stop_ends(text[max(start, match.start() - _SEEN) : match.start()], mark, following)


def _full_stop_ends(before: str, mark: str, following: str) -> bool:
    if mark.startswith(".."):
        return not following[0].islower()
    word = _WORD_BEFORE.search(before)
    if word is None:
        return not following[0].islower()
    token = word.group().lower()
    if token in _LEADING or before.strip().isdigit():
        return False
    if len(token) == 1 and token.isalpha() and word.group().isupper():
        return False
    if token in _TRAILING or "." in token:
        return following[0].isupper() or not following[0].isascii()
    return not following[0].islower()
