"""E-mail addresses, also of other scripts, and as people write them to hide them from machines."""

import re

from edge_node.privacy.spans import Detector, Found

_LETTERS = "0-9A-Za-z_\u00aa-\u00ff\u0100-\u1fff\u2c00-\u2dff\ua640-\uabff"
"""Of scripts that put spaces between words; in the others an address touches the words around it."""
_MARKS = r".!#$%&'*+/=?^`{|}~\-"
_LABEL = rf"[{_LETTERS}\-]{{1,63}}"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL}){{0,5}}\.(?:xn--[a-z0-9\-]{{2,59}}|[A-Za-z\u00c0-\u1fff]{{2,24}})"
_AT = "(?:@|%40)"
_ENDINGS = (
    "(?:com|net|org|edu|gov|info|biz|example|[a-z]{2}[.](?:uk|cn|br|au|jp|in)|io|co|cn|de|at|ch|uk|fr|es|it|nl"
    "|be|eu|us"
    "|in|jp|ru|br|ca|au|me|pl|se|no|dk|fi|pt|hk|tw|sg|kr|mx|nz|za)(?![a-z0-9])"
)
_WITH_AT = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?<![\w.+%\-])[{_LETTERS}{_MARKS}]{{1,200}}{_AT}{_DOMAIN}",
        rf"(?<=[^\W{_LETTERS}])[{_LETTERS}{_MARKS}]{{1,64}}{_AT}{_DOMAIN}",
        rf"(?<![\w.+\-])[{_LETTERS}.+\-]{{1,64}} ?@ ?(?:{_LABEL} ?\. ?){{1,4}}{_ENDINGS}",
        rf'"[^"@\n]{{1,64}}"@{_DOMAIN}',
        rf"(?<![\w.+%\-])[{_LETTERS}{_MARKS}]{{1,64}}@\[(?:ipv6:)?[0-9a-f.:]{{3,45}}\]",
        rf"[\w.+\-]{{1,32}}@[\w\-]{{1,30}}\.(?:中国|中國|公司|网络|網絡|香港|台湾|台灣|한국|{_DOMAIN})",
    )
)

_HINT = re.compile(
    r"\bdot\b|[(\[{<]dot|punkt|punto|[点點艾]|arroba|mail|yahoo|outlook|icloud|qq|163|126|[(\[{<] ?at", re.I
)
_PART = rf"[{_LETTERS}+\-]{{1,40}}"
_DOT = r"(?: ?[\[({<]{1,2} ?(?:dot|punkt|punto|point|点|點|\.) ?[\])}>]{1,2} ?| (?:dot|punkt|punto) | ?[点點] ?|\.)"
_SAID_DOT = _DOT.removesuffix(r"|\.)") + ")"
_PROVIDERS = (
    "(?:gmail|googlemail|yahoo|hotmail|outlook|live|icloud|aol|gmx|web|proton|protonmail|qq|vip[.]qq|163|126|139|sina"
    "|foxmail|yandex|mail|yeah)"
)
_HIDDEN = tuple(
    re.compile(rf"(?<![\w.+\-]){_PART}(?:{_DOT}{_PART}){{0,4}}{rest}", re.IGNORECASE)
    for rest in (
        r" ?[\[({<]{1,2} ?(?:at|@|ät|arroba|艾特|小老鼠) ?[\])}>]{1,2} ?" + rf"{_PART}(?:{_DOT}{_PART}){{1,4}}",
        rf"(?: arroba | ?艾特 ?| ?@ ?){_PART}(?:{_DOT}{_PART}){{0,3}}{_DOT}{_ENDINGS}",
        rf" at {_PART}(?:{_DOT}{_PART}){{0,3}}{_SAID_DOT}{_ENDINGS}",
        rf"(?: at |#){_PROVIDERS}{_DOT}{_ENDINGS}",
    )
)
_AFTER_HAN = re.compile(
    rf"(?<=[\u3400-\u9fff])[0-9a-z_.\-]{{1,40}}(?: ?艾特 ?|#){_PART}(?:{_DOT}{_PART}){{0,2}}{_DOT}{_ENDINGS}",
    re.IGNORECASE,
)


def _search(text: str) -> Found:
    if "@" in text or "%40" in text:
        for pattern in _WITH_AT:
            yield from (match.span() for match in pattern.finditer(text))
    if _HINT.search(text):
        for pattern in (*_HIDDEN, _AFTER_HAN):
            yield from (match.span() for match in pattern.finditer(text))


DETECTOR = Detector("EMAIL", _search)
