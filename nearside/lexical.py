"""English and Chinese text as words: one way for the FAQ, the rules and full-text search."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal

import rjieba

# Han with its extensions and compatibility forms, kana, hangul.
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_CJK_CHARACTER = re.compile(f"[{_CJK}]")
_CJK_RUN = re.compile(f"[{_CJK}]+")
_RUN = re.compile(rf"[{_CJK}]+|\d+(?:[.,:]\d+)*(?![^\W_])|(?:(?![{_CJK}])[^\W_])+")
_SPACE = re.compile(r"\s+")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0]"
)
_PUNCTUATION = str.maketrans(
    {"。": ".", "、": ",", "·": " ", "・": " "}
    | dict.fromkeys("「」『』“”„《》〈〉", '"')
    | dict.fromkeys("‘’‚‛`´", "'")
    | dict.fromkeys("–—‒―−", "-")
    | {"【": "[", "】": "]", "〔": "[", "〕": "]"}
)
_FOLD_LIMIT = 4

_IRREGULAR = {
    "bought": "buy", "broke": "break", "broken": "break", "colour": "color", "cheaper": "cheap",
    "cheapest": "cheap", "forgot": "forget", "forgotten": "forget", "grey": "gray", "kids": "child",
    "children": "child", "kid": "child", "longer": "long", "lost": "lose", "made": "make", "paid": "pay",
    "people": "person", "sent": "send", "sold": "sell", "spoke": "speak", "took": "take", "torn": "tear",
    "women": "woman", "wore": "wear", "worn": "wear", "men": "man",
}  # fmt: skip
_STOP_EN = frozenset(
    """a about after all also am an and any anybody anyone anything are as at be because been before
    being both but by can cannot could d did didn do does doesn doing don done down each either else
    for from get gets getting give go going gonna got had has hasn have haven having he hello help her
    here hers hey hi him his how i if in into is isn it its just kindly know let like ll m many may me
    mean might mine more most much must my need no not now of off ok okay on one only onto or other
    our ours out over please quite re really s say shall she should so some somebody someone something
    still such sure t tell than thank thanks that the their theirs them then there these they thing
    things this those though through to too u under until up upon us ve very via want was wasn way we
    well were weren what when where whether which while who whom whose why will with within without
    won wonder wondering would wouldn yes yet you your yours""".split()
)
_STOP_ZH = frozenset(
    """的 了 吗 呢 吧 啊 呀 哦 嗯 嘛 么 我 你 您 他 她 它 我们 你们 您们 他们 她们 咱们 俺 大家 自己 是
    有 在 和 与 跟 及 或 或者 就 都 也 还 还是 要 想 请 请问 问 问问 问一下 一下 一个 个 这 那 这个
    那个 这些 那些 这里 那里 这边 那边 可以 可不可以 能 能不能 能否 是否 是不是 会 会不会 有没有 没有
    有无 怎么 怎么样 怎样 如何 咋 咋办 怎么办 什么 啥 哪 哪个 哪些 哪里 哪儿 哪种 谁 为什么 为何 多少
    几 几个 多 很 太 非常 比较 不 没 别 把 被 给 让 对 对于 关于 从 到 向 往 为 以 而 但 但是 如果
    要是 的话 因为 所以 然后 那么 只 才 又 再 已 已经 正在 着 过 得 地 之 其 等 等等 上 下 里 中 时
    时候 现在 目前 今天 需要 应该 应当 必须 好 好的 行 谢谢 多谢 感谢 你好 您好 麻烦 帮 帮忙 告诉 知道
    想要 想问 了解 一些 一点 有点 些 种 样 做 弄 办 去 来 用 说 看 呗 嘞 哈 喽 噢 哪位 亲 一般""".split()
)
_WORD = 24  # characters; the same words are asked for again and again, and short texts are cheap to keep
_VOWEL = re.compile("[aeiouy]")


def normalise(text: str) -> str:
    """NFKC and casefold, CJK punctuation as ASCII, invisible and bidi characters gone, white space single."""
    return _normalise_word(text) if len(text) <= _WORD else _normalise(text)


@lru_cache(maxsize=8192)
def _normalise_word(word: str) -> str:
    return _normalise(word)


def _normalise(text: str) -> str:
    if text.isascii() and text.isprintable():
        return " ".join(text.lower().replace("`", "'").split())
    text = text.encode("utf-8", "ignore").decode("utf-8")
    for _ in range(_FOLD_LIMIT):  # folding can create what folds again; two rounds settle almost everything
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
        folded = _INVISIBLE.sub("", folded).translate(_PUNCTUATION)
        folded = _SPACE.sub(" ", folded).strip()
        if not folded.isprintable():
            folded = _SPACE.sub(" ", "".join(c if c.isprintable() else " " for c in folded)).strip()
        if folded == text:
            break
        text = folded
    return text


def has_cjk(text: str) -> bool:
    return _CJK_CHARACTER.search(text) is not None


def language_of(text: str) -> Literal["zh", "en"]:
    """One Chinese character counts as much as one word in another script: product names do not tip it."""
    runs = _RUN.findall(normalise(text))
    characters = sum(len(run) for run in runs if _CJK_RUN.fullmatch(run))
    others = sum(1 for run in runs if run[0].isalpha() and not _CJK_RUN.fullmatch(run))
    return "zh" if characters > others else "en"


@lru_cache(maxsize=16384)
def stem(word: str) -> str:
    """Light suffix stripping for one lower-case English word; the result need not be a word."""
    word = _IRREGULAR.get(word, word)
    if len(word) <= 3 or not word.isascii() or not word.isalpha():
        return word
    word = _without_inflection(_without_plural(word))
    for suffix, shortest in (("ation", 5), ("ment", 3), ("able", 4), ("ly", 4)):
        if word.endswith(suffix) and len(word) - len(suffix) >= shortest:
            word = word[: -len(suffix)]
            break
    word = word[:-1] if word.endswith("e") and len(word) > 3 else word
    word = word[:-1] if len(word) > 3 and word[-1] == word[-2] else word
    return word[:-1] if word.endswith("y") and len(word) > 5 else word


def _without_plural(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if word.endswith(("sses", "xes", "ches", "shes", "zes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _without_inflection(word: str) -> str:
    if word.endswith("ied") and len(word) > 4:
        return f"{word[:-3]}y"
    for suffix in ("ing", "ed"):
        rest = word[: -len(suffix)]
        if word.endswith(suffix) and len(rest) >= 3 and _VOWEL.search(rest) and not word.endswith("eed"):
            return rest
    return word


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """(word as written, word as compared)."""
    for run in _RUN.findall(normalise(text).replace("e-mail", "email")):
        if _CJK_RUN.fullmatch(run):
            yield from ((word, word) for word in rjieba.cut(run))
        else:
            yield run, stem(run)


def runs(text: str) -> list[str]:
    """The unbroken stretches of Chinese characters, digits or letters in a normalised text."""
    return _RUN.findall(text)


def words(text: str) -> list[str]:
    """Stemmed English words, numbers and segmented Chinese words in order, stop words too."""
    return [compared for _, compared in _tokens(text)]


def content_words(text: str) -> list[str]:
    """`words` without the stop words of both languages."""
    return [compared for written, compared in _tokens(text) if not is_stop_word(written)]


def is_stop_word(word: str) -> bool:
    """`word` as written, lower-case."""
    return word in _STOP_EN or word in _STOP_ZH


def search_terms(text: str) -> list[str]:
    """Terms for full-text search, the same for documents and queries: content words and Chinese bigrams.

    A two-character Chinese word comes twice, as word and as bigram: real words then outweigh chance pairs.
    """
    return content_words(text) + [
        pair
        for run in _CJK_RUN.findall(normalise(text))
        for pair in _grams(run, 2)
        if not (is_stop_word(pair) or all(is_stop_word(character) for character in pair))
    ]


def char_ngrams(text: str, sizes: Sequence[int] = (2, 3, 4)) -> list[str]:
    """N-grams of each word, never across words; words in an alphabet are padded and have none under 3."""
    grams = []
    for run in _RUN.findall(normalise(text)):
        if _CJK_RUN.fullmatch(run):
            grams += [gram for size in sizes for gram in _grams(run, size)]
        else:
            grams += [gram for size in sizes if size > 2 for gram in _grams(f" {run} ", size)]
    return grams


def _grams(run: str, size: int) -> list[str]:
    return [run[start : start + size] for start in range(len(run) - size + 1)]
