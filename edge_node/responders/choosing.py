"""Questions were offered; "the second one", "2", "both", "都不是": which of them is meant?"""

import re
from collections.abc import Sequence

from nearside.lexical import normalise

OFFERED = "- "
"""What a line with an offered question begins with."""
_MOST = 40
"""Characters of an answer that only points."""

_FIRST, _SECOND, _THIRD, _LAST = (
    r"1|one|first|1st|former|一|前者",
    r"2|two|second|2nd|二|两",
    r"3|three|third|3rd|三",
    r"last|latter|最后一|后者",
)
_NUMBERED = re.compile(
    r"(?:i (?:mean|meant|want) )?(?:(?:the|number|no\.?|option|#) ?)*(?:我?(?:想|要)?(?:选|问)?的?是?)?第?"
    rf"(?:(?P<first>{_FIRST})|(?P<second>{_SECOND})|(?P<third>{_THIRD})|(?P<last>{_LAST}))"
    r"(?: (?:one|question|option))?(?:个|项|条)?(?:问题)?(?:,? please)?吧?"
)
_ALL = re.compile(
    r"(?:i mean(?:t)? )?(?:both|all)(?: of (?:them|these|those))?(?:,? please)?|(?:[两二三]个)?都(?:是|要|想问|想知道)?"
)
_NONE = re.compile(r"no|nope|neither|none|(?:neither|none) of (?:them|these|those)|都不是|不是|两个都不是|没有")
_YES = re.compile(r"yes|yeah|yep|right|exactly|yes,? please|是|是的|对|对的|嗯")


def chosen(text: str, count: int) -> Sequence[int] | None:
    """Of `count` offered questions, from 0, those that `text` points at: none where it refuses them all.

    None where it does not point: then it is a question of its own.
    """
    said = normalise(text).strip(" .!?。！？,，")
    if not count or not said or len(said) > _MOST:
        return None
    if _NONE.fullmatch(said):
        return ()
    if _ALL.fullmatch(said) or (count == 1 and _YES.fullmatch(said)):
        return range(count)
    if (match := _NUMBERED.fullmatch(said)) is None:
        return None
    place = count - 1 if match["last"] else ("first", "second", "third").index(str(match.lastgroup))
    return (place,) if place < count else None


def may_point(text: str) -> bool:
    """Whether it is worth while to look at what was offered."""
    return chosen(text, 1) is not None or chosen(text, 3) is not None


def offered(text: str) -> list[str]:
    """The questions that a reply offers, in their order."""
    return [line.removeprefix(OFFERED) for line in text.splitlines() if line.startswith(OFFERED)]
