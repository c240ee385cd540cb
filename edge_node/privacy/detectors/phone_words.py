"""The words that make a number a telephone's."""

import re

from edge_node.privacy.detectors.context import before

_NAMES = (
    r"tele?phone|phone|tel|mobile|mob|cell|cellular|fax|whats ?app|telegram|viber|wechat|sms|voicemail|landline"
    r"|hotline"
    r"|handset|telefono?|teléfonos?|telefone|téléphone|tél|portable|handy|mobil|handynummer|rufnummer|móvil|celular"
    r"|cellulare|komórka|matkapuhelin|puhelin|telefonnummer|mobilnummer|телефон|тел|мобильный|факс"
    r"|هاتف|جوال|موبايل|फ़ोन|फोन|मोबाइल|điện thoại|telepon|hp"
)
_SURE = re.compile(
    rf"(?<![^\W_])(?:{_NAMES})s?(?![^\W_])"
    r"|\b(?:call(?:ed|ing)?|ring|dial|reach|text|contact) (?:me|us|him|her|them|back|at|on)\b"
    r"|\b(?:my|his|her|our|their|contact|callback|call-back|new|old) (?:number|digits)\b"
    r"|\b(?:call|dial) |answering at|reached at|\bregistered |\bmessages? (?:to|on|at) "
    r"|rappel|appelez|anruf|rufen sie|llám|llame|chiama|ligue|звон"
    r"|电话|電話|手机|手機|座机|固话|联系方式|联系我|聯絡|致电|拨打|打给|号码是|热线|传真|短信|微信|携帯|番号は"
    r"|전화|핸드폰|휴대폰|연락처"
)
_LIKELY = re.compile(
    r"\b(?:call(?:s|ed|ing)?|ring|dial|reach|text(?:s|ed)?|contact|answer(?:ing)?|messages?|registered|number)\b"
)
_BEHIND = re.compile(
    rf"[ \-,(]{{0,3}}(?:(?:is|this is|ist|est|es) (?:my|our|his|her) )?(?:office|work|home|direct|main"
    rf"|{_NAMES})(?![^\W_])"
    r"|[ ,]?(?:是|为)?(?:我的?|他的?|她的?)?(?:手机|电话|联系|微信)|に?(?:電話|連絡)|(?:으?로)? ?(?:전화|연락)",
    re.IGNORECASE,
)


def announced(text: str, start: int) -> bool:
    """Whether a word before `start` means telephones and nothing else."""
    return _SURE.search(before(text, start)) is not None


def explained(text: str, end: int) -> bool:
    """Whether the words right behind `end` say so, as in "… mobile"."""
    return _BEHIND.match(text, end) is not None


def likely(text: str, start: int) -> bool:
    """Whether a word before `start` may mean telephones."""
    return _LIKELY.search(before(text, start)) is not None
