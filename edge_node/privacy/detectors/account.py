"""Bank accounts, banks and sort codes, where a word says that a number is one."""

from edge_node.privacy.detectors.labelled import digits_in, labelled
from edge_node.privacy.spans import Detector, Found

LEAST_DIGITS = 6

_CALLED = labelled(
    r"(?:bank|checking|savings|current|cheque|giro) ?acc(?:oun)?t|account (?:number|no|nr|num)|acc(?:oun)?t\.?"
    r"|a/c|routing"
    r"|aba|rtn|sort[ -]?code|bsb|swift|bic|ifsc|clabe|transit number|iban|bban|card number|debit card|credit card"
    r"|kontonummer|konto|bankverbindung|blz|bankleitzahl|compte(?: bancaire)?|rib|cuenta(?: bancaria)?|conto corrente"
    r"|conta(?: bancária)?|rekeningnummer|rekening|tilinumero|银行账号|银行帐号|银行账户|账号|帐号|账户"
    r"|银行卡号?|卡号"
    r"|对公账户|开户行|口座番号|계좌(?:번호)?"
)
_BANK = labelled(r"swift(?:[ /-]?bic)?(?: code)?|bic(?: code)?", r"(?-i:[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?)")


def _search(text: str) -> Found:
    if digits_in(text) >= LEAST_DIGITS:
        yield from ((start, end) for start, end in _CALLED(text) if digits_in(text[start:end]) >= LEAST_DIGITS)
    yield from _BANK(text)


DETECTOR = Detector("ACCOUNT", _search)
