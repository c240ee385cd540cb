"""Number plates: Chinese ones by their shape, others where a word says what they are; chassis numbers."""

import re

from edge_node.privacy.detectors.labelled import digits_in, labelled
from edge_node.privacy.spans import Detector, Found

_CHINESE = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使][ \-]?[A-HJ-NP-Z][ ·.\-]{0,2}"
    r"(?:[DF][ ]?[A-HJ-NP-Z0-9][ ]?\d{4}|\d{5}[ ]?[DF]|[A-HJ-NP-Z0-9]{5}"
    r"|[A-HJ-NP-Z0-9]{4}[挂学警港澳领])(?![0-9A-Za-z])",
    re.IGNORECASE,
)
_SPECIAL = re.compile(
    r"(?:WJ[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼]?|\d{6}使"
    r"|[粤]Z[ ·.]?[A-Z0-9]{4}[港澳])[0-9A-Z]{0,6}",
    re.IGNORECASE,
)
_LABEL = (
    r"(?:licen[cs]e|number|registration|vehicle|car)[ -]?plates?(?: number)?|plate(?: number)?(?= ?:)|(?:car"
    r"|vehicle) reg(?:istration)?|rego|vrn"
    r"|registration(?: mark| number)?|kennzeichen|nummernschild|immatriculation|plaque|matr[ií]cula|targa|placa"
    r"|kenteken"
    r"|registreringsnummer|chassis(?: number)?|vin|车牌号?码?|车牌|車牌|车架号"
)
_FOREIGN = labelled(
    _LABEL,
    r"(?-i:[^\W_a-z\u3400-\u9fff]{1,17}(?:[ \-·.]{1,3}[^\W_a-z\u3400-\u9fff]{1,6}(?![a-z])){0,4})"
    r"|(?=[a-z]*\d)[0-9a-z]{4,17}|[a-z]{1,3}[ \-]\d{1,4}(?:[ \-]?[a-z]{1,3}(?![a-z]))?",
)


def _search(text: str) -> Found:
    if not text.isascii():
        for pattern in (_CHINESE, _SPECIAL):
            yield from (match.span() for match in pattern.finditer(text) if digits_in(match.group()) >= 3)
    for start, end in _FOREIGN(text):
        if digits_in(text[start:end]) and sum(map(str.isalnum, text[start:end])) >= 4:
            yield start, end


DETECTOR = Detector("PLATE", _search, digits=1)
