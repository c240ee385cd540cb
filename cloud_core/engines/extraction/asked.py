"""A question taken apart: the words to find, and the shape of answer it wants."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cloud_core.engines.base import Term
from cloud_core.engines.extraction.expectations import Expectation, expected
from cloud_core.engines.extraction.models import Model, models_in, names_in
from cloud_core.engines.extraction.parts import parts_of
from nearside.lexical import content_words, has_cjk, normalise, stem, words

# asked for by the expectation, not to be found as words
_INTERROGATIVE = re.compile(
    r"long|often|soon|quickl|hot|cold|warm|几.*|多[久大高长宽远厚深少快重]|.+多少|多少.*|何时|钱"
)
_POINTING = re.compile(r"\b(?:it|its|they|them|(?:this|that) one)\b|^那|它|[这那][个款种]")
_SIZE = re.compile(r"(?<![\w-])(?:X{1,4}[SL]|[SML])(?![\w'’-])")
SIZE_WEIGHT = 3.0
_SHAPE_WEIGHT, _LIGHT_WEIGHT, _OTHER_PART_WEIGHT = 0.35, 0.3, 0.5
_SHAPE = frozenset(
    map(
        stem,
        "cost costs price priced prices charge pay fee much weigh weight heavy time take takes number many".split(),
    )
) | frozenset("价格 售价 费用 收费 价钱 多少钱 花 花费 付 重 重量 时间 时长 数量 个数".split())
_NUMERAL = re.compile(r"[一二两三四五六七八九十百千半]+[米个只双件天年月号斤]?")
_LIGHT = frozenset(
    "另外 以后 之后 以前 之前 是因为 因为 由于 还要 还能 还有 也能 最 别的 其他 用来 直接 马上 立刻 突然 总是 老是"
    " 经常 一直 有时 有时候 左右 大概 大约 到底 究竟 分别 一起 同时 觉得 感觉 变得 变成 起来 下来 出来 进去 回来 进来"
    " 一只 一双 一件 一套 一张 一次 一顶 一副 一支 一台 一瓶 一盒 一份 一点儿 一会儿 我家 你家 咱们 我的 你的 该 该用"
    " 多大 能用 可用 会不会 算是 属于 意思 意味 表示 代表 说明 东西 事情 单买 单独 另 单"
    " 碰到 遇到 遇上 碰上 等 别人 人家 换成".split()
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing that is asked.

    `shape`: words of it that only tell the shape of the answer. `models`: names with the number right after them.
    `names`: words written like a name. `about`: what other parts of the question name.
    `dangling`: it points at something ("how heavy is it?") that no earlier turn names.
    """

    text: str
    terms: tuple[Term, ...]
    sizes: tuple[str, ...]
    models: tuple[Model, ...]
    names: tuple[str, ...]
    expectation: Expectation | None
    dangling: bool
    shape: frozenset[str]
    about: str = ""

    @property
    def weight(self) -> float:
        return sum(weight for _, weight, _ in self.terms) + SIZE_WEIGHT * len(self.sizes)


def asked_in(text: str, weighed: Sequence[Term], earlier: str = "") -> list[Asked]:
    """What is asked, in order; a part takes from the others what it leaves out ("… and how long?").

    `earlier`: what the customer asked before, if words of it were carried over: "And the Drift?" asks the same.
    """
    terms = tuple(weighed) or tuple((word, 1.0, ()) for word in dict.fromkeys(content_words(text)))
    parts = parts_of(text)
    if len(parts) == 1:
        return [take_apart(text, terms, earlier=earlier)]
    return [_part(number, parts, terms) for number in range(len(parts))]


def _part(number: int, parts: Sequence[str], terms: Sequence[Term]) -> Asked:
    part, others = parts[number], [*parts[:number], *parts[number + 1 :]]
    weighed, about = _terms_of(part, others, terms)
    return replace(take_apart(part, weighed, ", ".join(parts)), about=about)


def take_apart(text: str, terms: Sequence[Term], whole: str = "", earlier: str = "") -> Asked:
    """`whole`: the question that it is a part of: what it names, all its parts are about."""
    expectation = expected(normalise(text))
    shape: frozenset[str] = frozenset()
    if expectation:
        terms = tuple(term for term in terms if not _INTERROGATIVE.fullmatch(term[0])) or terms
        shape = frozenset(term[0] for term in terms if term[0] in _SHAPE)
        shape = shape if len(shape) < len(terms) else frozenset()
    elif earlier and not _POINTING.search(normalise(text).removeprefix("那")):
        expectation = expected(normalise(earlier))
    weighed = tuple((word, weight * _factor(word, shape), variants) for word, weight, variants in terms)
    sizes = tuple(dict.fromkeys(_SIZE.findall(text)))
    dangling = len(terms) < 2 and _POINTING.search(normalise(text)) is not None
    return Asked(text, weighed, sizes, models_in(whole or text), names_in(text), expectation, dangling, shape)


def _factor(word: str, shape: frozenset[str]) -> float:
    if word in shape:
        return _SHAPE_WEIGHT
    return _LIGHT_WEIGHT if word in _LIGHT or _NUMERAL.fullmatch(word) else 1.0


def _terms_of(part: str, others: Sequence[str], terms: Sequence[Term]) -> tuple[list[Term], str]:
    """Its own, those of an earlier turn, and what the other parts name: fully where it names nothing itself."""
    own = [term for term in terms if _stands_in(term[0], part)]
    telling = [term for term in own if not _INTERROGATIVE.fullmatch(term[0]) and term[0] not in _SHAPE]
    leans = not telling or _POINTING.search(normalise(part)) is not None
    share = 1.0 if leans else _OTHER_PART_WEIGHT
    around = [term for term in terms if term not in own and any(_stands_in(term[0], other) for other in others)]
    named = [term for term in around if not _INTERROGATIVE.fullmatch(term[0]) and term[0] not in _SHAPE]
    earlier = [term for term in terms if term not in own and term not in around]
    carried = [(word, weight * share, variants) for word, weight, variants in named]
    return [*earlier, *own, *carried], " ".join(word for word, _, _ in named) if leans else ""


def _stands_in(word: str, text: str) -> bool:
    return word in normalise(text) if has_cjk(word) else word in words(text)
