"""Does a text mean something by itself, or only after what was said before?"""

import re
from collections.abc import Sequence

from nearside.lexical import content_words, has_cjk, is_stop_word, normalise

_FEW_WORDS = 3
_FOLLOW_UP = re.compile(
    r"(?:and|but|or|so|also|then|what about|how about|what if|is it|does it|can it|do they|are they|and for)\b"
    r"|那|还有|另外|如果|要是|它|这个|这款|那么"
)
_POINTING = re.compile(r"\b(?:it|its|they|them|that one|this one|those|these)\b|它|这个|这款|那款|这种|那种")


def telling_words(text: str) -> tuple[str, ...]:
    """Distinct content words. Segmentation also makes words of two stop words, such as 那有."""
    telling = (word for word in content_words(text) if not (has_cjk(word) and all(map(is_stop_word, word))))
    return tuple(dict.fromkeys(telling))


def is_follow_up(text: str, words: Sequence[str] | None = None) -> bool:
    """`words` are its telling ones, where they are known."""
    folded = normalise(text)
    words = telling_words(text) if words is None else words
    return len(words) < _FEW_WORDS or _FOLLOW_UP.match(folded) is not None or _POINTING.search(folded) is not None
