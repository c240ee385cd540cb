"""Chinese texts with personal data of four kinds, made up by a seed: each as (text, start, end)."""

import random
from collections.abc import Callable, Iterator

FULL_WIDTH = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")
NUMERALS = str.maketrans("0123456789", "零一二三四五六七八九")
PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
REGIONS = ("110105", "310115", "440305", "510107", "330106", "420111", "610113")
CITIES = (
    "北京市 上海市 广东省深圳市 浙江省杭州市 四川省成都市 江苏省苏州市 湖北省武汉市 福建省厦门市 山东青岛 广州"
    " 内蒙古呼和浩特市 新疆乌鲁木齐市 云南省大理白族自治州大理市".split()
)
DISTRICTS = "朝阳区 浦东新区 南山区 西湖区 武侯区 吴中区 洪山区 雁塔区 思明区 天河区".split()
STREETS = (
    "建国路 世纪大道 科技南十二路 文三西路 人民南路四段 东环路 珞喻路 湖滨南路 香港中路 解放街 学院路 长乐巷 幸福里胡同"
).split()
ESTATES = "阳光花园 万科城市花园 碧桂园小区 绿地公寓 金色家园 软件园二期 保利国际广场".split()
NUMBERS = "88号 1号 256弄12号 99号院 12-3号 甲12号 １８号 一百二十号".split()
DOORS = "3栋2单元501室 5号楼1203 A座1806室 2幢301 12楼 7号楼3单元902 三栋四单元202 B座15层".split()

FRAMES = {
    "mobile": (
        "我的手机号是{}，麻烦查一下", "请打{}联系我", "手机{}", "{}是我的电话", "我的订单用的号码{}怎么查不到",
        "收件人小李，电话：{}，谢谢", "打我电话{}吧", "电话{}一直打不通", "下单时填的{}，能改吗？", "麻烦让客服回电{}",
    ),
    "resident id": (
        "身份证{}", "我的身份证号码是{}，请核实", "实名认证：{}", "{}这个身份证号绑不了", "证件号{}提交失败",
        "需要身份证吗？我的是{}。",
    ),
    "plate": (
        "我的车牌是{}", "{}的停车费怎么交", "车牌号：{}，已经入场", "帮我绑定{}这辆车", "开的是{}", "我车{}停在地库",
    ),
    "address": (
        "收货地址：{}", "请寄到{}，谢谢", "我住在{}", "地址改成{}可以吗", "送到{}要多久", "麻烦改一下地址，{}",
        "新的地址是{}，麻烦了", "{}能送到吗？", "我家在{}", "帮我发到{}吧",
    ),
}  # fmt: skip


def texts(count: int, seed: int) -> Iterator[tuple[str, int, int]]:
    chosen = random.Random(seed)
    makers: dict[str, Callable[[random.Random], str]] = {
        "mobile": mobile,
        "resident id": resident_id,
        "plate": plate,
        "address": address,
    }
    for number in range(count):
        kind = list(makers)[number % len(makers)]
        value, frame = makers[kind](chosen), chosen.choice(FRAMES[kind])
        start = frame.index("{}")
        yield frame.format(value), start, start + len(value)


def digits(chosen: random.Random, count: int) -> str:
    return "".join(chosen.choices("0123456789", k=count))


def mobile(chosen: random.Random) -> str:
    plain = "1" + chosen.choice("3456789") + digits(chosen, 9)
    grouped = (plain[:3], plain[3:7], plain[7:])
    spellings = (
        plain, " ".join(grouped), "-".join(grouped), ".".join(grouped), f"+86 {plain}", f"+86{plain}", f"86-{plain}",
        f"0086{plain}", f"（+86）{plain}", " ".join(plain), plain.translate(FULL_WIDTH), plain.translate(NUMERALS),
        f"{plain[:3]}\u200b{plain[3:]}",
    )  # fmt: skip
    return chosen.choice(spellings)


def resident_id(chosen: random.Random) -> str:
    born = f"{chosen.randint(1940, 2012)}{chosen.randint(1, 12):02}{chosen.randint(1, 28):02}"
    body = chosen.choice(REGIONS) + born + digits(chosen, 3)
    check = "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, WEIGHTS, strict=True)) % 11]
    plain = body + check
    parts = (plain[:6], plain[6:14], plain[14:])
    return chosen.choice((plain, plain.lower(), " ".join(parts), "-".join(parts), plain.translate(FULL_WIDTH)))


def plate(chosen: random.Random) -> str:
    place = chosen.choice(PROVINCES) + chosen.choice("ABCDEFGH")
    letter, other = chosen.choice(LETTERS), chosen.choice(LETTERS)
    number = chosen.choice(
        (
            digits(chosen, 5), letter + digits(chosen, 4), f"{digits(chosen, 3)}{letter}{digits(chosen, 1)}",
            letter + other + digits(chosen, 3), chosen.choice("DF") + digits(chosen, 5), digits(chosen, 5) + "D",
        )
    )  # fmt: skip
    return chosen.choice((place + number, f"{place}·{number}", f"{place} {number}", (place + number).lower()))


def address(chosen: random.Random) -> str:
    city, district, street = chosen.choice(CITIES), chosen.choice(DISTRICTS), chosen.choice(STREETS)
    number, door = chosen.choice(NUMBERS), chosen.choice(DOORS)
    written = (
        city + district + street + number,
        city + district + street + number + chosen.choice(ESTATES) + door,
        f"{city} {district} {street}{number} {door}",
        street + number + door,
        street + number,
        district + chosen.choice(ESTATES) + chosen.choice(("3栋2单元501室", "5号楼1203", "2幢301室", "8座1201")),
    )
    return chosen.choice(written)
