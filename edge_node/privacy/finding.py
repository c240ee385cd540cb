"""What is personal in a text: all detectors together, as spans in order."""

from collections.abc import Iterable, Iterator, Sequence

from edge_node.privacy.detectors import DETECTORS
from edge_node.privacy.folding import Folded
from edge_node.privacy.spans import Finder, Span


def find(text: str, finders: Sequence[Finder] = DETECTORS) -> list[Span]:
    """Sorted and disjoint. What an earlier finder has taken stays its own; a later one gets what is left around it."""
    folded = Folded(text)
    digits = sum(map(str.isdigit, folded.text))
    taken = bytearray(len(text))
    spans: list[Span] = []
    for finder in finders:
        if digits >= finder.digits:
            for found in _joined(finder.find(folded.text)):
                for start, end in _free(*folded.span(*found), taken):
                    if any(map(str.isalnum, text[start:end])):
                        spans.append(Span(start, end, finder.kind))
                        taken[start:end] = b"\1" * (end - start)
    return sorted(spans, key=_start)


def with_more(spans: Iterable[Span], more: Iterable[Span]) -> list[Span]:
    """`spans`, and of `more` what lies beside them; sorted."""
    found = list(spans)
    for span in more:
        start = span.start
        for taken in sorted((one for one in found if one.start < span.end and start < one.end), key=_start):
            if start < taken.start:
                found.append(Span(start, taken.start, span.kind))
            start = taken.end
        if start < span.end:
            found.append(Span(start, span.end, span.kind))
    return sorted(found, key=_start)


def _start(span: Span) -> int:
    return span.start


def _joined(found: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Finds that overlap become one."""
    start = end = -1
    for next_start, next_end in sorted(found):
        if next_start >= end:
            if end > start:
                yield start, end
            start, end = next_start, next_end
        else:
            end = max(end, next_end)
    if end > start:
        yield start, end


def _free(start: int, end: int, taken: bytearray) -> Iterator[tuple[int, int]]:
    """The pieces between `start` and `end` that nobody has taken."""
    while start < end:
        stop = taken.find(1, start, end)
        if stop == -1:
            stop = end
        if stop > start:
            yield start, stop
        start = taken.find(0, stop, end)
        if start == -1:
            return
