"""Words that mean the same: everyday ones of customer service, and those that a tenant adds."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from nearside.errors import ContentError
from nearside.lexical import content_words, stem, words

NAME = "synonyms"
"""Under it, a snapshot has the tenant's own."""
_COMMAS = re.compile("[,，、;；\t]")

_GROUPS = """
cost price fee charge rate expensive cheap
ship shipping deliver delivery dispatch post mail courier
parcel package shipment
return send-back
refund reimburse money-back repay
exchange swap replace
warranty guarantee
repair fix mend
wash clean launder cleaning
weight weigh heavy light gram kg
size fit dimension measurement
store shop branch outlet
open opening hour close
pay payment invoice
member membership loyalty
discount coupon voucher reduction promo
broken damage damaged defective faulty defect
cancel cancellation
address location
phone telephone call hotline
waterproof watertight rainproof
battery charge recharge power
kid child junior
long length duration last
wide width
tall height high
deep depth
hot temperature cold warm
buy purchase order
sell stock
bicycle bike
free gratis
fast quick express
abroad international overseas foreign
fault error malfunction
material fabric made
capacity volume litre liter
wet damp moist
gift present
lost lose missing
cook cooking
colour color
company business
friend someone another
amount sum
maximum max most
minimum min least
speed fast
smell odour odor
store shop
rent rental hire borrow
noise squeak sound
dry drying
start begin
end finish expire expiry
卖 出售 有售 销售 售 买 购买
价格 售价 多少钱 价钱 费用 收费 贵 钱 便宜 元
运费 邮费 快递费 配送费
配送 送货 发货 寄送 快递 送达 物流 邮寄 运送 到货 寄
包裹 快件
退货 退回 退换 退换货 退
退款 退钱
换货 更换 调换 换
保修 质保 保修期 质保期 保质
维修 修理 修补 修
清洗 洗涤 洗 机洗 清洁
重量 重 多重 克 千克 公斤
尺码 尺寸 大小 码数 号码
门店 店铺 实体店 分店 商店 店
营业 开门 关门 营业时间 几点
付款 支付 买单 付钱
会员 会籍
优惠 折扣 打折 优惠券
坏 损坏 破损 故障 破 坏掉
取消 撤销
地址 位置
电话 热线
防水 防雨
电池 电量 充电 续航
儿童 孩子 小孩 童装
时间 多久 多长时间 时长 期限
免费 包邮
国外 海外 国际 境外
材质 面料 材料
容量 体积 升
丢 丢失 遗失 弄丢 丢了
湿 潮湿 淋湿
扣钱 扣除 扣款 扣
做饭 烹饪 煮饭 烧饭
公司 企业
礼物 礼品
异味 臭味 味道 气味
租 租赁 租用 租借
折叠 收纳 打包
颜色 色
弄干 晾干 烘干
最多 最大 上限
最少 最低 至少 起
过期 到期 失效
长度 长
宽度 宽
高度 高
温度 度
"""


@dataclass(frozen=True, slots=True)
class Synonyms:
    """Words by what means the same, as `nearside.lexical` compares them; a phrase is one with spaces."""

    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def variants_of(self, word: str) -> tuple[str, ...]:
        """`word` is one, lower-case and, if English, stemmed."""
        own = self.groups.get(word, ())
        return tuple(dict.fromkeys((*own, *variants_of(word)))) if own else variants_of(word)

    def phrases_in(self, text: str) -> Iterator[str]:
        """What a phrase of the text may be called instead."""
        folded = f" {_compared(text)} "
        for member, others in self.groups.items():
            if " " in member and f" {member} " in folded:
                yield from others


NONE = Synonyms()


def read(text: str, where: str = "") -> Synonyms:
    """A tenant's own: a group per line, its words or phrases parted by commas; `#` starts a remark.

    Raises ContentError with the line.
    """
    groups: dict[str, dict[str, None]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        members = [_compared(part) for part in _COMMAS.split(line.split("#")[0]) if part.strip()]
        if len(members) == 1 or not all(members):
            hint = "write two or more words with commas between them"
            raise ContentError("not a group of synonyms", where=f"{where}:{number}", hint=hint)
        for member in members:
            groups.setdefault(member, {}).update(dict.fromkeys(other for other in members if other != member))
    return Synonyms({member: tuple(others) for member, others in groups.items()})


@cache
def _groups() -> dict[str, tuple[str, ...]]:
    members: dict[str, dict[str, None]] = {}
    for line in _GROUPS.strip().splitlines():
        group = [stem(word.replace("-", " ")) for word in line.split()]
        for word in group:
            members.setdefault(word, {}).update(dict.fromkeys(other for other in group if other != word))
    return {word: tuple(others) for word, others in members.items()}


def variants_of(word: str) -> tuple[str, ...]:
    """`word` as `nearside.lexical` compares it: lower-case, English ones stemmed."""
    return _groups().get(word, ())


def _compared(text: str) -> str:
    return " ".join(content_words(text) or words(text))
