"""What shape of answer a question wants: a price, a weight, a time …"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Expectation:
    name: str
    asked: re.Pattern[str]
    answered: re.Pattern[str]
    loss: float
    """Of score, for a line of another shape."""
    is_measure: bool = False
    """What is asked for differs between a thing and its parts."""


def _expectation(name: str, asked: str, answered: str, loss: float = 0.25, *, is_measure: bool = False) -> Expectation:
    """Patterns are written in verbose form: white space and line ends in them mean nothing."""
    flags = re.IGNORECASE | re.VERBOSE
    return Expectation(name, re.compile(asked, flags), re.compile(answered, flags), loss, is_measure)


_MONEY = r"""[€$£¥]\s?\d | \d\s?(?:€|euros?\b|eur\b|usd\b|dollars?\b|yuan\b|cny\b|pounds?\b|欧元|美元|元|块)
    | \bfree\b | no\ (?:extra\ )?(?:cost|charge) | without\ charge | 免费 | 不收 | 包邮"""
_FEE = _expectation(
    "fee",
    r"""\bfees?\b | \bcharge[sd]?\b (?!\ ?time) | \bsurcharge | \bdiscounts? | \bdeduct
    | 多少费 | 手续费 | 附加费 | 加钱 | 扣钱 | 扣多少 | 折扣 | 打折 | 优惠""",
    rf"{_MONEY} | \d\s?%",
)
_PRICE = _expectation(
    "price",
    r"""\bhow\ much\ (?:is|are|does|do|for|will|would|to)\b (?!.*weigh) | \bprices?\b | \bcosts?\b
    | 多少钱 | 价格 | 售价 | 费用 | 收费 | 运费 | 邮费 | 贵不贵 | 几块 | 几元""",
    _MONEY,
    loss=0.75,
    is_measure=True,
)
_WEIGHT = _expectation(
    "weight",
    r"\bhow\ heavy\b | \bweigh(?:t|s|ing)?\b | 多重 | 重量 | 重多少 | 有多沉 | 几公斤 | 多少克 | 多少公斤",
    r"\d\s?(?:g|kg|grams?|kilos?|kilograms?|oz|lbs?|t)\b | \d\s?(?:克|千克|公斤|斤|吨)",
    loss=0.75,
    is_measure=True,
)
_HOURS = _expectation(
    "hours",
    r"""\b(?:opening|business|office)\ (?:hours|times)\b | \bwhen\ (?:do|does|are|is)\b.*\b(?:open|close[sd]?)\b
    | 营业时间 | 几点[开关]门""",
    r"\d{1,2}[:.]\d\d | \d\s?(?:am|pm|a\.m|p\.m|o'clock)\b | [\d一二三四五六七八九十]\s?点",
    loss=0.75,
)
_DURATION = _expectation(
    "duration",
    r"""\bhow\ long\b | \bhow\ (?:often|soon|quickly|fast|old)\b | \bwhat\ time\b
    | \bhow\ many\ (?:days|hours|years|weeks|months|minutes|seconds)\b
    | ^when\b | \b(?:until|since|by|and)\ when\b
    | 多久 | 多长时间 | 几天 | 几年 | 多少天 | 多少年 | 什么时候 | 何时 | 几个?小时 | 几分钟 | 几点 | 几个月
    | 多少小时 | 期限""",
    r"""(?:\d\s?|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|half\ an?)\ )
      (?:more\ |working\ |business\ )?
      (?:seconds?|minutes?|mins?|hours?|days?|nights?|weeks?|months?|years?|times)\b
    | [\d一二三四五六七八九十两半]\s?(?:秒|分钟?|个?小时|天|晚|周|个?星期|个?月|年|日|个?工作日|次|点)
    | \d{1,2}:\d\d
    | \b(?:january|february|march|april|may|june|july|august|september|october|november|december)\b
    | \b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b
    | \b(?:life|lifetime|always|daily|weekly|every|after|before|once)\b
    | 终身 | 星期 | 每[天周年月次] | 之?[前后]""",
)
_LENGTH = _expectation(
    "length",
    r"""\bhow\ (?:tall|wide|deep|big|high|thick|large|far)\b | \bdimensions?\b | \bmeasure(?:s|ments?)?\b
    | \blength\b | \bwidth\b | \bheight\b
    | 多大 | 多高 | 多宽 | 多长(?!时间) | 多厚 | 多深 | 多远 | 尺寸 | 长度 | 宽度 | 高度 | 胸围 | 腰围""",
    r"""\d\s?(?:mm|cm|m|km|in|inch(?:es)?|ft)\b | \d\s?(?:毫米|厘米|公分|米|公里|号|码) | \d\s?[×x–-]\s?\d
    | \b(?:X{0,4}[SL]|[SML])\b""",
)
_TEMPERATURE = _expectation(
    "temperature",
    r"\bhow\ (?:hot|cold|warm)\b | \btemperatures?\b | \bdegrees\b | 温度 | 多少度 | 几度 | 多冷 | 多热",
    r"\d\s?(?:°|℃|degrees|度)",
)
_NUMBER = _expectation(
    "number",
    r"""\bhow\ (?:many|much)\b | \bwhat\ (?:number|percentage)\b | \bmaximum\b | \bminimum\b | \bcapacity\b | \bvolume\b
    | \bvalue\b | 多少 | 几[个只种次人件张条双支台款级份名位顶片杯升辆] | 最多 | 最大 | 最高 | 最低 | 至少""",
    r"""\d | \b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|none|half|several|unlimited)\b
    | [一二三四五六七八九十两半]""",
)
_OFFER = _expectation(
    "offer",
    r"""\b(?:do|does|can|could|will|would)\ (?:you|i|we|one)\b.*\b(?:sell|stock|buy|purchase)\b | \bfor\ sale\b
    | 卖.*(?:吗|么|不卖|没有) | 有(?:没有)?.*卖 | (?:可以|能|能够|能不能|可不可以).*(?:买(?![了过的]) | 购买) | 出售""",
    r"""\b(?:sells?|sold|sale|stocks?|stocked|offers?|offered|available|buy|bought|purchased?|orders?|range|costs?|price)\b
    | [€$£¥]\s?\d | \d\s?(?:€|euros?\b|欧元|美元|元) | 卖 | 售 | 购 | 买 | 价格 | 提供 | 供应""",
    loss=0.75,
)
_STATEMENT = _expectation(
    "statement",
    r"^(?:is|are|can|could|may|must|should|does|do|did|will|has|have)\b | 吗\W*$ | 是否 | (能|会|可以|要|是)不\1",
    r"^[^\t]+$",
    loss=0.15,
)
_ALL = (_OFFER, _FEE, _PRICE, _WEIGHT, _HOURS, _DURATION, _LENGTH, _TEMPERATURE, _NUMBER, _STATEMENT)


def expected(question: str) -> Expectation | None:
    """The first that fits; None where any sentence may answer."""
    return next((expectation for expectation in _ALL if expectation.asked.search(question)), None)
