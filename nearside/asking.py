"""What somebody asks, without the words around it: greetings, "could you tell me", "想咨询一下", thanks."""

import re
from pathlib import Path

from nearside.lexical import content_words, has_cjk, normalise, runs

_PATTERNS_FILE = Path(__file__).resolve().parent / "asking.txt"
_ROUNDS = 6
_LONGEST = 400
"""Characters; a longer text is left as it is: its question is not all of it, and patterns take quadratic time."""
_EDGE = r"[\s,.:;!?~…\-\"'()]*"
_LONG_NUMBER = re.compile(r"\d{4,}")
_NUMBER = "#"
_PARTICLES = "吗呢呀啊吧嘛么啦哦的了"


def question_of(text: str) -> str:
    """`text` itself if there is nothing around the question, or hardly anything else in the text."""
    start = normalise(text)
    rest = _stripped(start, least=2)
    return text if rest == start else rest


def fingerprint(text: str) -> str:
    """The same for texts that differ in case, punctuation, order numbers, closing particles and what is around."""
    written = (_NUMBER if _LONG_NUMBER.fullmatch(run) else run for run in runs(_stripped(normalise(text), least=1)))
    return " ".join(written).rstrip(_PARTICLES)


def _stripped(rest: str, least: int) -> str:
    """`least` content words remain of what thanks or a greeting is cut from."""
    if len(rest) > _LONGEST:
        return rest
    lang = "zh" if has_cjk(rest) else "en"
    for _ in range(_ROUNDS):
        before = rest
        rest = _cut(rest, _GREETINGS[lang].match(rest), least)
        rest = _cut(rest, _LEADS[lang].match(rest), 1)
        rest = _cut(rest, _CLOSINGS[lang].search(rest), least)
        if rest == before:
            break
    return rest


def _cut(text: str, found: re.Match[str] | None, least: int) -> str:
    if found is None:
        return text
    rest = text[: found.start()] if found.start() else text[found.end() :]
    return rest if len(content_words(rest)) >= least else text


def _sections() -> dict[str, list[str]]:
    """The patterns of each section, names replaced."""
    names: dict[str, str] = {}
    sections: dict[str, list[str]] = {}
    patterns: list[str] = []
    for line in _PATTERNS_FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            patterns = sections.setdefault(line.strip("[]"), [])
        elif "names" in sections and len(sections) == 1:
            name, _, pattern = line.partition(" = ")
            names[f"<{name}>"] = pattern
        elif not line.startswith("#"):
            patterns.append(re.sub(r"<[a-z]+>", lambda found: names[found.group()], line))
    return sections


def _any_of(patterns: list[str]) -> str:
    return f"(?:{'|'.join(f'(?:{pattern})' for pattern in patterns)})"


def _compiled(section: str, shape: str) -> dict[str, re.Pattern[str]]:
    """By language; English words end where a word ends."""
    return {
        lang: re.compile(shape.format(patterns=_any_of(_SECTIONS[f"{section}.{lang}"]), gap=gap, edge=_EDGE))
        for lang, gap in (("en", r"\b"), ("zh", ""))
    }


_SECTIONS = _sections()
_GREETINGS = _compiled("greeting", "{edge}{patterns}{gap}{edge}")
_LEADS = _compiled("before", "{edge}{patterns}{gap}{edge}")
_CLOSINGS = _compiled("after", "{gap}{edge}{patterns}{edge}$")
