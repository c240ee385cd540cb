"""Postal addresses in Chinese, Japanese and Korean: found at the door, then followed back to where they begin."""

import re

from edge_node.privacy.spans import Detector, Found

BEFORE = 40
"""Characters before a door in which the rest of its address may stand."""

_HAN = "\u3400-\u9fff"
_N = "0-9零一二三四五六七八九十百"
_COUNT = rf"(?:[甲乙丙丁东西南北]?[{_N}]{{1,5}}(?:[\-之][{_N}]{{1,4}}){{0,3}}|[A-Za-z]\d{{0,4}}|[甲乙丙丁东西南北])"
_NO_DOOR = (
    "线|線|口|机|店|单|订|客|包|商|色|球|码|型|前|后|之后|之前|发|到|收|下|上|晚|早|能|以|就|我|才|的|吗|可|会|开"
)
"""Behind 号 it is a day of the month, or the number of something else."""
_UNIT = (
    "号楼|號樓|号院|(?:号|號)门|栋|棟|幢|座|单元|單元|层|層|楼|樓|室|房|户|门|排|组|巷|弄|区|期"
    f"|(?:号|號)(?!{_NO_DOOR})"
)
_ROOM = r"(?:(?:之\d{1,3}|\d{2,4}(?:-\d{1,4})?)(?:室|房|号|户)?(?![0-9]))"
_DOORS = (
    rf"(?:{_COUNT} ?(?:{_UNIT})[ ,]{{0,2}}){{1,7}}{_ROOM}?"
    rf"|\d{{1,5}}(?:-\d{{1,4}}){{1,3}}(?![0-9年月日点时分元块个件%])"
)
_HOUSE = re.compile(rf"(?<![{_N}A-Za-z.])(?:{_DOORS})|(?<![0-9A-Za-z.])(?:甲|乙)?(?:\d{{1,5}}|[{_N}]{{1,5}})(?:号|號)")
_NUMBER_SIGNS = ("号", "號")
_BUILDING = (
    "社区|小区|花园|家园|公寓|大厦|广场|新村|别墅|山庄|中心|大学|学院|医院|宿舍|软件园|科技园|工业园|国际城|产业园"
)
_MORE = re.compile(
    rf"[ ,]{{0,2}}(?:[{_HAN}A-Za-z]{{0,10}}?(?:{_BUILDING})(?:[{_N}]{{1,2}}期"
    rf"|[东西南北]区)?[ ,]{{0,2}})?(?:{_DOORS}|{_ROOM})?(?:[ ,]{{0,2}}\d{{6}}(?![0-9]))?"
)
_STREET = re.compile(
    r"(?:大道|大街|马路|公路|胡同|路|街|巷|弄|里弄|条"
    r"|[东西南北]里)(?:[东西南北中]{0,2}[一二三四五六七八九十]{0,2}段|[东西南北中])?[ ,]{0,2}\Z"
)
_ESTATE = re.compile(
    r"(?:社区|小区|花园|家园|公寓|大厦|广场|新村|别墅|山庄|苑|园|城|府|庭|湾|轩|阁|邸|居|里|村|屯|庄|镇|乡|坊"
    r"|中心|大学|学院|学校|医院|宿舍|工业区|开发区|科技园)[ ,]{0,2}\Z"
)
_INNER = re.compile("栋|棟|幢|座|单元|單元|号楼|號樓|室|层|層|户|号院")
_REGION = re.compile(
    "北京|天津|上海|重庆|重慶|河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南"
    "|四川|贵州"
    "|云南|陕西|甘肃|青海|台湾|臺灣|内蒙古|广西|西藏|宁夏|新疆|香港|澳门|深圳|广州|杭州|南京|成都|武汉|西安"
    "|苏州|郑州|长沙"
    "|青岛|厦门|宁波|无锡|佛山|东莞|沈阳|大连|济南|合肥|福州|哈尔滨|长春|石家庄|太原|南昌|昆明|贵阳|南宁|海口"
    "|兰州|西宁"
    "|银川|乌鲁木齐|拉萨|呼和浩特|珠海|温州|台北|臺北|高雄|台中|新北"
)
_LEADS = re.compile(
    "[A-Za-z]{2,}[ :,]+|地址[是为在:]?|住址[是为:]?|收货|寄到|寄往|寄给|寄至|送到|送去|送至|送往|发到|发往|发至"
    "|住在|我住|家住|现居|位于|改成|改为|改到"
    "|换成|换到|换为|搬到|搬去|来到|就在|还在|不是|而是|应该是|麻烦|帮我|快递|我家|公司|[:在到是至往住]"
    "|[^0-9A-Za-z㐀-鿿 ,·\\-()]"
)
_AREA_CHAIN = re.compile(
    rf"(?:{_REGION.pattern})(?:省|市)?(?:[{_HAN}]{{1,6}}?[市区區县縣旗]){{1,2}}(?:[{_HAN}]{{1,6}}?(?:镇|鎮|乡"
    rf"|鄉|街道))?"
    rf"[{_HAN}0-9]{{1,8}}?(?:路|街(?!道)|大道|巷|村|小区|花园|家园|公寓|大厦)"
)
_JAPANESE = re.compile(
    r"〒 ?\d{3}-?\d{4}|\d{3}-\d{4}(?= ?(?:東京都|北海道|大阪府|京都府|[\u3400-\u9fff]{2,3}県))"
    r"|(?:東京都|北海道|(?:大阪|京都)府|[\u3400-\u9fff]{2,3}県)[^\s,.]{1,30}?\d{1,4}(?:[ ]?(?:丁目|番地?|号"
    r"|-)[ ]?\d{0,4}){1,4}(?:号室?)?"
)
_KOREAN = re.compile(
    r"(?:[가-힣]{1,6}(?:특별시|광역시|도|시) )?(?:[가-힣]{1,6}(?:시|군|구) )(?:[가-힣]{1,6}(?:읍|면"
    r"|동) )?[가-힣0-9]{1,10}(?:로|길|동) ?\d{1,5}(?:-\d{1,4})?"
    r"(?:번지|번길)?(?: ?\d{1,4}(?:동|호|층)){0,3}"
)


def _begins(text: str, door: int) -> int:
    """At the first province or large city behind the last word that leads to an address, else behind that word."""
    from_ = max(0, door - BEFORE)
    regions = [match.start() for match in _REGION.finditer(text, from_, door)]
    leads = [match.end() for match in _LEADS.finditer(text, from_, door)]
    led = [region for region in regions if not leads or region >= leads[-1]]
    if regions:
        outside = [lead for lead in leads if lead <= regions[-1]]
        return (led or [region for region in regions if not outside or region >= outside[-1]])[0]
    start = leads[-1] if leads else max(from_, door - 16)
    return start + len(text[start:door]) - len(text[start:door].lstrip(" ,"))


def _at_doors(text: str) -> Found:
    for match in _HOUSE.finditer(text):
        door, said = match.start(), match.group()
        before = text[max(0, door - 8) : door]
        parts = len(_INNER.findall(said)) + ("号" in said.replace("号楼", ""))
        is_street = _STREET.search(before) is not None
        if is_street or (_ESTATE.search(before) and _INNER.search(said)) or parts >= 2:
            end = match.end() + (is_street and text[match.end() : match.end() + 1] in _NUMBER_SIGNS)
            more = _MORE.match(text, end)
            said_to = more.end() if more else end
            yield _begins(text, door), door + len(text[door:said_to].rstrip(" ,"))


def _search(text: str) -> Found:
    if text.isascii():
        return
    yield from _at_doors(text)
    yield from (match.span() for match in _AREA_CHAIN.finditer(text))
    yield from (match.span() for match in _JAPANESE.finditer(text))
    yield from (match.span() for match in _KOREAN.finditer(text))


DETECTOR = Detector("ADDRESS", _search)
