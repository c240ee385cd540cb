"""Chinese in the English words that the text encoder knows.

The encoder reads English only. A few hundred words carry most of what customers write, so a word-by-word
rendering is enough to compare meanings; it is never shown to anybody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nearside.lexical import has_cjk, normalise, runs

GLOSSARY_FILE = Path(__file__).resolve().parent / "glossary.txt"
_NO_MEANING = "-"
_LONGEST = 8


@dataclass(frozen=True, slots=True)
class Rendering:
    text: str
    """Only what could be rendered."""
    mixed: str
    """The same with the unknown Chinese left in its place."""
    unknown: int
    """How many Chinese characters the glossary does not know."""


def render(text: str) -> Rendering:
    """Other scripts pass through; of the Chinese, the longest words of the glossary are taken from the left."""
    parts: list[tuple[str, bool]] = []
    for run in runs(normalise(text)):
        parts += _render_chinese(run) if has_cjk(run) else [(run, True)]
    return Rendering(
        " ".join(part for part, known in parts if known),
        " ".join(part for part, _ in parts),
        sum(len(part) for part, known in parts if not known),
    )


def entries() -> Mapping[str, str]:
    """English by Chinese word."""
    return _glossary()


def _render_chinese(run: str) -> list[tuple[str, bool]]:
    """(English, True) for what the glossary knows, (Chinese, False) for each stretch that it does not."""
    parts: list[tuple[str, bool]] = []
    start = unread = 0
    while start < len(run):
        word = _longest_word(run, start)
        if word and unread < start:
            parts.append((run[unread:start], False))
        start += len(word) or 1
        if word:
            unread = start
            parts.append((_glossary()[word], True))
    if unread < start:
        parts.append((run[unread:], False))
    return [part for part in parts if part[0] != _NO_MEANING]


def _longest_word(run: str, start: int) -> str:
    for stop in range(min(start + _LONGEST, len(run)), start, -1):
        if run[start:stop] in _glossary():
            return run[start:stop]
    return ""


@cache
def _glossary() -> dict[str, str]:
    """English by Chinese word; of a word that stands in two lines the first counts."""
    entries: dict[str, str] = {}
    for line in GLOSSARY_FILE.read_text(encoding="utf-8").splitlines():
        english, separator, chinese = line.partition(":")
        if separator and not line.startswith("#"):
            for word in chinese.split():
                entries.setdefault(word, english)
    return entries
