"""A text as detectors see it: plain digits, letters and signs, nothing invisible, and the way back to the original."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\u20e3\u0300-\u036f\U000e0000-\U000e007f]"
)
_SIGNS = str.maketrans(
    dict.fromkeys("‐‑‒–—―−﹣－➖ー", "-")
    | dict.fromkeys("＠﹫", "@")
    | dict.fromkeys("。．｡", ".")
    | dict.fromkeys("‘’‚‛`´", "'")
    | dict.fromkeys("·•・∙⋅", "·")
    | {"〇": "0", "、": ",", "№": "#"}
)


class _Folds:
    """A table for `str.translate` that is worked out as characters come up."""

    @staticmethod
    @lru_cache(maxsize=8192)
    def _plain(code: int) -> str:
        character = chr(code)
        signed = character.translate(_SIGNS)
        if signed != character:
            return signed
        if (digit := unicodedata.digit(character, None)) is not None:
            return str(digit)
        folded = unicodedata.normalize("NFKC", character)
        if unicodedata.category(character) == "Zs":
            return " "
        return folded if len(folded) == 1 and folded.isascii() else character

    def __getitem__(self, code: int) -> str:
        return self._plain(code)


_FOLDS = _Folds()


class Folded:
    """`text`, and through `place` where each of its characters stood in the original."""

    __slots__ = ("_places", "text")

    def __init__(self, original: str) -> None:
        self._places: Sequence[int] | None = None
        if original.isascii():
            self.text = original
            return
        if _INVISIBLE.search(original):
            places = [place for place, character in enumerate(original) if not _INVISIBLE.match(character)]
            self._places = [*places, len(original)]
            original = _INVISIBLE.sub("", original)
        self.text = original.translate(_FOLDS)

    def place(self, position: int) -> int:
        return position if self._places is None else self._places[position]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """In the original: from the first character to the last, without what is invisible behind it."""
        return self.place(start), self.place(end - 1) + 1
