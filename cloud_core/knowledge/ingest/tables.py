"""Tables as lines: rows under a header have their cells parted by tabs, others read as one line of text."""

import re
from collections.abc import Iterator, Sequence

from cloud_core.knowledge.documents import Block, Kind

_DIGIT = re.compile(r"\d")


def rows_of(table: Sequence[Sequence[str]], group: int, *, headed: bool | None = None) -> Iterator[Block]:
    """`headed` None: not marked in the file; a first row without figures then names the columns."""
    rows = [cells for cells in table if any(cells)]
    if headed is None:
        headed = len(rows) > 1 and len(rows[0]) > 1 and not any(map(_DIGIT.search, rows[0]))
    for number, cells in enumerate(rows):
        text = "\t".join(cells) if headed else " ".join(filter(None, cells))
        yield Block(kind=Kind.ROW, text=text, group=group, header=headed and number == 0)
