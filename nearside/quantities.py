"""Numbers with their units, in digits or words, English or Chinese, read as one value and one unit name."""

import re
from dataclasses import dataclass
from decimal import Decimal

MONEY = {
    "usd": ("us$", "$", "usd", "dollars?", "美元", "美金"),
    "cny": ("¥", "cny", "rmb", "yuan", "人民币", "元", "块钱", "块"),
    "eur": ("€", "eur", "euros?", "欧元"),
    "gbp": ("£", "gbp", "pounds? sterling", "英镑"),
}
MEASURES = {
    "workday": ("(?:business|working)[ -]days?", "个?工作日"),
    "day": ("days?", "天", "日"),
    "hour": ("hours?", "hrs?", "h", "个?小时", "个?钟头"),
    "minute": ("minutes?", "mins?", "分钟"),
    "second": ("seconds?", "secs?", "秒"),
    "week": ("weeks?", "个?星期", "个?礼拜", "周"),
    "month": ("months?", "个月"),
    "year": ("years?", "yrs?", "周年", "年"),
    "percent": ("%", "percent", "per cent"),
    "fold": ("折",),
    "kg": ("kg", "kilograms?", "kilos?", "公斤", "千克"),
    "g": ("g", "grams?", "克"),
    "lb": ("lbs?", "pounds?", "磅"),
    "oz": ("oz", "ounces?", "盎司"),
    "mm": ("mm", "millimet(?:re|er)s?", "毫米"),
    "cm": ("cm", "centimet(?:re|er)s?", "厘米"),
    "km": ("km", "kilomet(?:re|er)s?", "公里", "千米"),
    "m": ("m", "met(?:re|er)s?", "米"),
    "inch": ("inch(?:es)?", "英寸"),
    "ml": ("ml", "millilit(?:re|er)s?", "毫升"),
    "l": ("l", "lit(?:re|er)s?", "升"),
    "celsius": ("°c", "degrees? celsius", "摄氏度", "度"),
    "point": ("points?", "积分", "分(?!钟)"),
}
SCALES = {"": 1, "百": 100, "千": 1_000, "万": 10_000, "亿": 100_000_000, "k": 1_000}
YEARS = range(1900, 2200)

WORDS = dict(
    zip("one two three four five six seven eight nine ten eleven twelve".split(), range(1, 13), strict=True)
) | {
    "fourteen": 14,
    "fifteen": 15,
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "ninety": 90,
    "hundred": 100,
}
DIGITS = {"零": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
TENS = {"十": 10, "百": 100, "千": 1_000}


def _pattern(spellings: dict[str, tuple[str, ...]]) -> str:
    ascii_ends = r"(?![a-z0-9])"
    forms = sorted((form for group in spellings.values() for form in group), key=len, reverse=True)
    return "|".join(
        _literal(form) + (ascii_ends if form[-1].isascii() and form[-1] not in "$%" else "") for form in forms
    )


def _literal(form: str) -> str:
    return form.replace("$", r"\$")


_UNITS = MONEY | MEASURES
_UNIT_PATTERN = _pattern(_UNITS)
_CANONICAL = [(re.compile(_pattern({name: forms})), name) for name, forms in _UNITS.items()]

NUMBER_WITH_UNIT = re.compile(
    rf"(?P<before>us\$|[$¥€£]|(?:usd|cny|rmb|eur|gbp)(?=[\s\d]))?\s*(?P<number>(?:(?<![\w.,-])-)?(?:\d{{1,3}}(?:,\d{{3}})+|\d+)"
    rf"(?:\.\d+)?)\s*(?P<scale>百(?!分)|千(?![克米])|[万亿]|k(?![a-z]))?[\s-]*(?P<unit>{_UNIT_PATTERN})?"
)
SPELLED_WITH_UNIT = re.compile(
    rf"(?P<percent>百分之)?(?P<word>(?<![a-z])(?:{'|'.join(WORDS)})(?=[\s-])|[{''.join(DIGITS)}{''.join(TENS)}]+)[\s-]*"
    rf"(?:(?(percent)|(?P<unit>{_UNIT_PATTERN})))"
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """`unit` is a key of MONEY or MEASURES, or empty."""

    value: Decimal
    unit: str

    @property
    def is_money(self) -> bool:
        return self.unit in MONEY


def quantity(match: re.Match[str]) -> Quantity:
    value = Decimal(match["number"].replace(",", "")) * SCALES[match["scale"] or ""]
    unit = _unit(match["before"] or match["unit"] or "")
    if unit == "year" and int(value) in YEARS:
        unit = ""
    return Quantity(value, unit)


def spelled_quantity(match: re.Match[str]) -> Quantity:
    word = match["word"]
    value = WORDS[word] if word in WORDS else _chinese(word)
    return Quantity(Decimal(value), "percent" if match["percent"] else _unit(match["unit"]))


def _unit(spelling: str) -> str:
    return next((name for pattern, name in _CANONICAL if pattern.fullmatch(spelling)), "")


def _chinese(word: str) -> int:
    """十五 → 15, 三百二十 → 320; digits in a row (一二三) are read as they stand."""
    if not set(word) & set(TENS):
        return int("".join(str(DIGITS[sign]) for sign in word))
    total, digit = 0, 0
    for sign in word:
        if sign in TENS:
            total += (digit or 1) * TENS[sign]
            digit = 0
        else:
            digit = DIGITS[sign]
    return total + digit
