"""Web addresses that open something for whoever holds them, and bare tokens."""

import re

from edge_node.privacy.spans import Detector, Found

_URL = re.compile(r"\b(?:[a-z][a-z0-9+.\-]{1,15}://|www\.)[^\s<>\"'⟨⟩，。；！？、）】」]{3,2000}", re.IGNORECASE)
_USER = re.compile(r"://[^/?#@\s]{1,200}@")
_KEYS = (
    "token|key|sig|signature|secret|password|passwd|pwd|pass|auth|session|sessionid|sid|jwt|code|otp|ticket"
    "|credential"
    "|hash|hmac|nonce|state|invite|reset|confirm|verify|uid|user|userid|user_id|email|mail|phone|tel|account|access"
)
_QUERY = re.compile(
    rf"[?&#;](?:[a-z0-9]{{1,20}}[_\-.]){{0,3}}(?:[a-z]{{0,12}}(?:token|secret|password|signature)"
    rf"|{_KEYS})(?:\[\])?=[^&#\s]{{4,}}",
    re.I,
)
_LONG = re.compile(r"(?<![0-9A-Za-z])[0-9A-Za-z_\-]{20,2000}")
_TOKEN = re.compile(
    r"(?<![0-9A-Za-z_\-.])(?:eyJ[\w\-]{8,2000}\.[\w\-]{4,2000}(?:\.[\w\-]{0,2000})?|gh[opsu]_[0-9A-Za-z]{30,80}"
    r"|(?:sk|pk|rk)[_\-](?:live|test|proj)?[_\-]?[0-9A-Za-z]{20,120}|AKIA[0-9A-Z]{16}"
    r"|xox[abprs]-[0-9A-Za-z\-]{10,120})",
    re.ASCII,
)
_TRAILING = ".,;:!?)]}>'\""


def _is_opaque(part: str) -> bool:
    """Long, and neither words with dashes nor a number: letters and digits mixed, or hexadecimal."""
    digits, capitals = sum(c.isdigit() for c in part), sum(c.isupper() for c in part)
    letters = sum(c.isalpha() for c in part)
    longest = max(map(len, re.split(r"[-_]", part)))
    mixed = digits >= 3 and letters >= 3 and longest >= 12
    return mixed or (longest >= 20 and 3 <= capitals <= letters - 3)


def _is_telling(url: str) -> bool:
    if _USER.search(url) or _QUERY.search(url):
        return True
    place = url.split("://", 1)[-1].partition("/")[2]
    return any(_is_opaque(match.group()) for match in _LONG.finditer(place))


def _search(text: str) -> Found:
    if "://" in text or "www." in text.lower():
        for match in _URL.finditer(text):
            url = match.group().rstrip(_TRAILING)
            if _is_telling(url):
                yield match.start(), match.start() + len(url)
    yield from (match.span() for match in _TOKEN.finditer(text))


DETECTOR = Detector("URL", _search)
