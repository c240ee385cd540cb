"""Addresses of computers and of devices."""

import re
from ipaddress import AddressValueError, IPv6Address

from edge_node.privacy.detectors.context import before
from edge_node.privacy.spans import Detector, Found

_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_V4 = re.compile(rf"(?<![0-9A-Za-z.\-])(?:{_BYTE}\.){{3}}{_BYTE}(?!\.?[0-9A-Za-z])")
_DEFANGED = re.compile(
    rf"(?<![0-9A-Za-z.\-])(?:{_BYTE} ?(?:\[\.\]|\(\.\)|\[dot\]) ?){{3}}{_BYTE}(?![0-9A-Za-z])", re.IGNORECASE
)
_V6 = re.compile(
    r"(?<![0-9A-Za-z:.])(?:[0-9A-Fa-f]{0,4}:){2,8}(?:[0-9.]{7,15}"
    r"|[0-9A-Fa-f]{0,4})(?:%[0-9a-z]{1,15})?(?![0-9A-Za-z:])"
)
_VERSION = re.compile(r"(?:\bv|version|firmware|release|build|版本|固件)[\s.:]{0,3}(?:is )?\Z", re.IGNORECASE)
_MAC = re.compile(
    r"(?<![0-9A-Za-z:\-.])(?:[0-9A-Fa-f]{2}(?P<sign>[:\-])(?:[0-9A-Fa-f]{2}(?P=sign)){4}[0-9A-Fa-f]{2}"
    r"|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4})(?![0-9A-Za-z:\-])"
)


def _is_v6(text: str) -> bool:
    if sum(c not in ":." for c in text) < 4 and not text.startswith("::"):
        return False
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return any(c.isdigit() for c in text)


def _addresses(text: str) -> Found:
    yield from (match.span() for match in _V4.finditer(text) if not _VERSION.search(before(text, match.start())))
    yield from (match.span() for match in _DEFANGED.finditer(text))
    if text.count(":") >= 2:
        yield from (match.span() for match in _V6.finditer(text) if _is_v6(match.group()))


def _devices(text: str) -> Found:
    return (match.span() for match in _MAC.finditer(text))


ADDRESSES = Detector("IP", _addresses, digits=1)
DEVICES = Detector("MAC", _devices)
