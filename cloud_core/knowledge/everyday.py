"""Words that questions are built with: that a document lacks them says little about whether it answers."""

from nearside.lexical import stem

_ENGLISH = """
use used using take put make find see think work consider recommend possible available offer sell stock buy order
bring keep look show tell explain allow happen send give spend reach run come start try check contact person
customer company product item article thing kind type sort way lot bit new good best big small own able different
several valid actually exactly currently still today always never often usually normally back first last want
need ask question answer information info detail details
"""
_CHINESE = """
使用 购买 买 卖 出售 有售 销售 找 算 装 放 拿 带 给 订 试 看看 选 选择 推荐 提供 支持 进行 处理 解决 发生 出现 属于
里面 外面 东西 产品 商品 公司 客户 顾客 情况 问题 方法 办法 原因 种类 类型 不同 区别 一次 一辆 一件 一双
一套 一只 一般 通常 平时 最近 打算 准备 希望 介绍 具体 详细 要求 必要 适合 你家 贵店 本店 我家 加 收 出 谁
干什么 干嘛 现货 方便
"""

EVERYDAY = frozenset(stem(word) for word in _ENGLISH.split()) | frozenset(_CHINESE.split())
