"""White space: the only thing about a document's text that we change."""

import re

CJK = "\u2e80-\u303f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
_WRAP_IN_CJK = re.compile(rf"(?<=[{CJK}])[ \t]*[\r\n]+[ \t]*(?=[{CJK}])")
_WRAP_AFTER_HYPHEN = re.compile(r"(?<=[^\W\d_]-)[\r\n]+(?=[^\W\d_])")
_SPACE = re.compile(r"[\s\x00-\x1f\x7f\u00ad\u200b\ufeff]+")


def fold(text: str) -> str:
    """One line: a wrap between Chinese characters vanishes, every other run of white space is one space."""
    unwrapped = _WRAP_AFTER_HYPHEN.sub("", _WRAP_IN_CJK.sub("", text.strip()))
    return _SPACE.sub(" ", unwrapped).strip()
