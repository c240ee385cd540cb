"""Chinese in the English words that the text encoder knows.

The encoder reads English only. A few hundred words carry most of what customers write, so a word-by-word
rendering is enough to compare meanings; it is never shown to anybody.
"""

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
    unknown: int
    """How many Chinese characters the glossary does not know."""


def render(text: str) -> Rendering:
    """Other scripts pass through; of the Chinese, the longest words of the glossary are taken from the left."""
    parts: list[str] = []
    unknown = 0
    for run in runs(normalise(text)):
        if not has_cjk(run):
            parts.append(run)
            continue
        start = 0
        while start < len(run):
            word = _longest_word(run, start)
            unknown += not word
            start += len(word) or 1
            parts.append(_glossary().get(word, _NO_MEANING))
    return Rendering(" ".join(part for part in parts if part != _NO_MEANING), unknown)


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
