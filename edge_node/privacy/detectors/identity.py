"""Numbers that a state gives to a person: by shape and check digits, or by the words around them."""

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module

from edge_node.privacy.detectors.context import is_business
from edge_node.privacy.detectors.labelled import digits_in, labelled
from edge_node.privacy.spans import Detector, Found

_PROVINCES = frozenset(
    "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82 83".split()
)
_GAP = r"[ \-.·]{0,2}"
_CHINESE = re.compile(
    rf"(?<![0-9A-Za-z])[1-8]{_GAP}(?:\d{_GAP}){{5}}(?:1{_GAP}[89]"
    rf"|2{_GAP}0){_GAP}(?:\d{_GAP}){{9}}[0-9Xx](?![0-9A-Za-z])"
)
_OLD_CHINESE = re.compile(r"(?<![0-9A-Za-z])[1-8]\d{7}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}(?![0-9A-Za-z])")
_TAIWANESE = re.compile(r"(?<![0-9A-Za-z])[A-Z][1289]\d{8}(?![0-9A-Za-z])")
_TAIWANESE_LETTERS = "ABCDEFGHJKLMNPQRSTUVXYWZIO"
_DATE = r"(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d\d|\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_SHAPES = re.compile(
    "|".join(
        (
            r"\d{3}(?P<us>[\-. ])\d{2}(?P=us)\d{4}",  # United States
            r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]",  # United Kingdom
            r"[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]",  # Italy
            r"[12] \d{2} \d{2} \d[0-9AB] \d{3} \d{3}(?: \d{2})?",  # France
            rf"(?:19|20)?(?:{_DATE})[\-+]\d{{4,5}}",  # Sweden, Denmark, Iceland, Latvia
            rf"(?:{_DATE})[\-+A-FU-Y]\d{{3}}[0-9A-FHJ-NPR-Y]",  # Finland
            r"\d{2}(?:[0257][1-9]|[1368][0-2])(?:0[1-9]|[12]\d|3[01])/\d{3,4}",  # Czechia, Slovakia
            r"\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:-[0-9]\d{6}|-\d{2}-\d{4})",  # Korea, Malaysia
            r"\d{3}\.\d{3}\.\d{3}-\d{2}|\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}",  # Brazil
            r"\d{1,2}\.\d{3}\.\d{3}-[0-9K]|(?:20|2[347]|3[034])-\d{8}-\d",  # Chile, Argentina
            r"[A-Z]{4}\d{6}[HM][A-Z]{5}[0-9A-Z]\d",  # Mexico
            r"[A-Z]{3}[PCHFATBLJG][A-Z]\d{4}[A-Z]",  # India
            r"[STFGM]\d{7}[A-Z]|[A-Z]{1,2}\d{6} ?\([0-9A]\)|[157]/?\d{6} ?\(\d\)",  # Singapore, Hong Kong, Macau
            r"\d-\d{4}-\d{5}-\d{2}-\d|\d{5}-\d{7}-\d",  # Thailand, Pakistan
            r"756\.\d{4}\.\d{4}\.\d{2}|\d{3}-\d{3}-\d{3}[ \-]\d{2}",  # Switzerland, Russia
            r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}",  # Belgium
        )
    ).join((r"(?<![0-9A-Za-z.,+\-])(?:", r")(?![0-9A-Za-z]|-\d)"))
)
_CHECKED = tuple(
    (re.compile(rf"(?<![0-9A-Za-z.,+\-])(?:{shape})(?![0-9A-Za-z]|-\d)"), modules)
    for shape, modules in (
        (r"\d{8}[ \-]?[A-Z]", ("es.dni",)),
        (r"[XYZ][ \-]?\d{7}[ \-]?[A-Z]", ("es.nie",)),
        (r"[12]\d{12}(?: ?\d{2})|[12]\d{4}2[AB]\d{8}", ("fr.nir",)),
        (r"\d{6} ?\d{5}", ("pl.pesel", "no.fodselsnummer", "ee.ik", "lt.asmens", "be.nn", "tr.tckimlik", "gr.amka")),
        (r"\d{13}", ("ro.cnp", "si.emso", "za.idnr", "th.pin", "kr.rrn")),
        (r"[2-9]\d{3}[ \-]\d{4}[ \-]\d{4}", ("in_.aadhaar",)),
        (r"\d{3}[ \-]\d{3}[ \-]\d{3}", ("ca.sin",)),
    )
)
_LABEL = (
    r"passports?|(?:driver'?s?|driving|drivers') ?-?(?:licen[cs]e|permit)|dl|licen[cs]e (?:number|no|#)|(?:my"
    r"|his|her) licen[cs]e|ssns?|social security"
    r"|itin|ein|tin|tax(?:payer)?[ -]?(?:id|identification|number|file)|national (?:id|insurance|identification"
    r"|identity)|id (?:card|number|no)"
    r"|identity (?:card|number|document)|identification (?:card|number)|nino?|nhs|medicare|medicaid"
    r"|insurance (?:number|id|no)|health (?:card|insurance)"
    r"|sin|social insurance|tfn|abn|acn|aadhaa?r|uidai|pan|voter(?:'s)? id|nric|fin|hkid|mykad|nik|cpf|cnpj|rg|dni|nie"
    r"|nif|cif|rut|curp|rfc|cuil|cuit|cedula|cédula"
    r"|pesel|nip|personnummer|fødselsnummer|cpr(?:-nummer)?|henkilötunnus|hetu|bsn|burgerservicenummer"
    r"|steuer-?id(?:entifikationsnummer)?|steuernummer"
    r"|personalausweis(?:nummer)?|ausweis(?:nummer)?|reisepass(?:nummer)?|führerschein(?:nummer)?"
    r"|sozialversicherungsnummer|svnr|ahv|avs"
    r"|carte d'identité|passeport|permis(?: de conduire)?|sécurité sociale|nir|pasaporte"
    r"|licencia(?: de conducir)?|codice fiscale|patente|passaporto"
    r"|carta d'identità|cartão de cidadão|carteira de motorista|cnp|egn|егн|oib|jmbg|emšo|amka|αμκα|инн|снилс"
    r"|паспорт|tc kimlik|kimlik|residence permit|green card"
    r"|alien (?:number|registration)|visa number|military id|student id|badge number"
    r"|身份证件?号?码?|身分證(?:字號)?|护照号?码?|護照|驾驶证号?|驾照号?码?|社保号?|社会保障号|公民身份号码"
    r"|证件号码?|通行证号?码?|台胞证|居留证|居住证|军官证|纳税人识别号"
    r"|パスポート|運転免許証?|マイナンバー|여권|주민등록번호|운전면허|रजिस्ट्रेशन|आधार"
)
_SAID = labelled(_LABEL)


@cache
def _validator(name: str) -> Callable[[str], bool]:
    is_valid: Callable[[str], bool] = import_module(f"stdnum.{name}").is_valid
    return is_valid


def _chinese(text: str) -> Found:
    """Eighteen digits, a province and a date of birth; whoever mistypes the check digit has said the rest."""
    for match in _CHINESE.finditer(text):
        plain = "".join(c for c in match.group() if c.isalnum())
        if plain[:2] in _PROVINCES and 1 <= int(plain[10:12]) <= 12 and 1 <= int(plain[12:14]) <= 31:
            yield match.span()


def _checked(text: str) -> Found:
    for pattern, modules in _CHECKED:
        for match in pattern.finditer(text):
            number = match.group()
            if any(_validator(module)(number) for module in modules) and not is_business(text, match.start()):
                yield match.span()


def _is_taiwanese(number: str) -> bool:
    first, second = divmod(_TAIWANESE_LETTERS.index(number[0]) + 10, 10)
    rest = sum(int(digit) * weight for digit, weight in zip(number[1:], (8, 7, 6, 5, 4, 3, 2, 1, 1), strict=True))
    return (first + 9 * second + rest) % 10 == 0


def _by_shape(text: str) -> Found:
    yield from (match.span() for match in _SHAPES.finditer(text) if not is_business(text, match.start()))
    for match in _TAIWANESE.finditer(text):
        if _is_taiwanese(match.group()) and not is_business(text, match.start()):
            yield match.span()
    for match in _OLD_CHINESE.finditer(text):
        if match.group()[:2] in _PROVINCES and not is_business(text, match.start()):
            yield match.span()


def _search(text: str) -> Found:
    yield from _chinese(text)
    yield from _by_shape(text)
    yield from _checked(text)
    for start, end in _SAID(text):
        plain = sum(character.isalnum() for character in text[start:end])
        if plain >= 5 and digits_in(text[start:end]) >= 3:
            yield start, end


DETECTOR = Detector("ID", _search, digits=3)
