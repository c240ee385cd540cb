"""Addresses of cryptocurrencies: their alphabets, lengths and checksums."""

import re
from hashlib import sha256

from edge_node.privacy.spans import Detector, Found

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58 = re.compile(rf"(?<![0-9A-Za-z])[13LMTDrX2mn][{_ALPHABET}]{{24,34}}(?![0-9A-Za-z])")
_SHAPED = re.compile(
    r"(?<![0-9A-Za-z])(?:(?:bc|tb|ltc)1[02-9ac-hj-np-z]{8,87}|(?:BC|TB|LTC)1[02-9AC-HJ-NP-Z]{8,87}|0x[0-9a-fA-F]{40}"
    rf"|[48][0-9AB][{_ALPHABET}]{{93}}|addr1[0-9a-z]{{50,110}}|cosmos1[0-9a-z]{{38}})(?![0-9A-Za-z])"
)


def _is_base58check(text: str) -> bool:
    number = 0
    for character in text:
        number = number * 58 + _ALPHABET.index(character)
    if number.bit_length() > 200:
        return False
    data = number.to_bytes(25, "big")
    return sha256(sha256(data[:-4]).digest()).digest()[:4] == data[-4:]


def _search(text: str) -> Found:
    yield from (match.span() for match in _SHAPED.finditer(text))
    yield from (match.span() for match in _BASE58.finditer(text) if _is_base58check(match.group()))


DETECTOR = Detector("WALLET", _search, digits=1)
