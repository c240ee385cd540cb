"""Values that have no telling shape, found by the words before or after them: "my passport number is …"."""

import re
from collections.abc import Callable

from edge_node.privacy.spans import Found

CODE = (
    r"(?:[A-Z]{1,4}[ \-./]{1,2})?(?=[A-Z]*\d)[0-9A-Z]{2,24}(?:[ \-./·]{1,2}(?=[A-Z]{0,4}\d)[0-9A-Z]{1,12}){0,6}"
    r"(?:[ \-](?-i:[A-HJ-Z])(?![\w']))?"
)
"""Letters and digits in groups; every group but a short first one and a last letter holds a digit."""
_WHOLE = "(?:(?<=[A-Za-z])(?![0-9A-Za-z])|(?<![A-Za-z]))"
"""A label in Latin letters is a whole word."""
_GLUE = (
    r"[^\w\n]{0,3}(?:(?:numbers?|no|nr|num|nummer|n[º°o]|número|numero|numéro|id|code|card|is|was|are|it'?s|ist"
    r"|lautet"
    r"|est|es|è|é|号码|号|是|为|は|番号|:|#)[^\w\n]{0,3}){0,4}"
)


def labelled(label: str, value: str = CODE) -> Callable[[str], Found]:
    """A search for `value` beside `label`, two patterns without regard to case; `label` is in small letters."""
    hint = re.compile(label)
    ahead = re.compile(rf"(?<![A-Za-z])(?:{label}){_WHOLE}{_GLUE}(?P<value>{value})(?![0-9A-Za-z])", re.IGNORECASE)
    behind = re.compile(
        rf"(?<![0-9A-Za-z])(?P<value>{value}),? (?:is|was) (?:my|his|her|our|the) (?:\w{{1,15}} ){{0,2}}(?:{label})",
        re.IGNORECASE,
    )

    def search(text: str) -> Found:
        if hint.search(text.lower()):
            for pattern in (ahead, behind):
                yield from (match.span("value") for match in pattern.finditer(text))

    return search


def digits_in(text: str) -> int:
    return sum(map(str.isdigit, text))
