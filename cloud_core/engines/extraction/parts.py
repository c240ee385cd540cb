"""A question that asks two things, taken apart: "What does it cost, and how long does it take?"."""

import re

from nearside.lexical import content_words, has_cjk

_MOST = 3
_SUBJECT = r"(?:i|you|we|he|she|it|they|there|the|an?|this|that|these|those|my|your|our|any)\b"
_ASKS = rf"""(?:(?:until|by|since|for|from|in|at|on|with)\s+)?(?:how|what|when|where|which|who|whom|whose|why)\b
    | (?:is|are|was|were|do|does|did|can|could|may|will|would|must|should|has|have)\s+{_SUBJECT}"""
_BEFORE_NEXT = re.compile(
    rf"""(?:[?!;。？！；]\ ?|,?\ (?:and|but|also|plus)\ (?:also\ )?|,\ )(?={_ASKS})""", re.IGNORECASE | re.VERBOSE
)
_OPENS = re.compile(rf"(?:^|,\s+|\.\s+)(?:and\s+|so\s+)?(?:{_ASKS}) | \b(?:how|what)\b", re.IGNORECASE | re.VERBOSE)
_BEFORE_NEXT_ZH = re.compile(r"[?!;。？！；，,]+\s*|以及|还有")
_ASKS_ZH = re.compile(
    r"吗|么|多少|多[久长大高宽厚深远重]|几|什么|怎[么样]|如何|哪|谁|何时|是否|(能|会|可以|要|有|是|用)(?:不|没)\1|可不可以|呢"
)


def parts_of(text: str) -> list[str]:
    """In order; the text alone where it asks one thing. Statements around a question stay with it."""
    chinese = has_cjk(text)
    text = " ".join(text.split())
    pieces = [piece for piece in (_BEFORE_NEXT_ZH if chinese else _BEFORE_NEXT).split(text) if piece and piece.strip()]
    asks = _ASKS_ZH if chinese else _OPENS
    parts: list[str] = []
    lead = ""
    for piece in pieces:
        if asks.search(piece):
            parts.append(f"{lead}{piece.strip()}")
            lead = ""
        elif parts:
            parts[-1] = f"{parts[-1]}, {piece.strip()}"
        else:
            lead = f"{lead}{piece.strip()}, "
    return parts if 1 < len(parts) <= _MOST and any(map(content_words, parts)) else [text]
