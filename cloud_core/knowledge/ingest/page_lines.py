"""The lines of a PDF's pages with their places, without running heads and feet."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cloud_core.knowledge.folding import fold
from cloud_core.knowledge.ingest.recognition import DOTS_PER_INCH, MOST_PIXELS, Recogniser

_EDGE_LINES = 3
_ON_PAGES = 0.4  # of all pages: heads may differ on left and right ones
_PAGE_NUMBER = re.compile(r"\W*(?:page|第)?\s*\d{1,4}\s*(?:页|頁|(?:/|of)\s*\d{1,4})?\W*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Line:
    """Points from the page's lower left corner; `size` is the type's, 0 where unknown.

    `words`: (left, the gap before it as a multiple of the type's size, text) of each, where known.
    """

    text: str
    page: int
    size: float = 0.0
    top: float = 0.0
    left: float = 0.0
    right: float = 0.0
    words: tuple[tuple[float, float, str], ...] = ()


def lines_of(page: Any, number: int) -> Iterator[Line]:
    textpage = page.get_textpage()
    text = textpage.get_text_range()
    placed = len(text) == textpage.count_chars()
    start = 0
    for piece in re.split(r"(\r\n|\r|\n)", text):
        if piece.strip():
            clean = _without_marks(piece)
            first = start + len(piece) - len(piece.lstrip())
            yield _placed(textpage, clean.strip(), number, first) if placed else Line(clean, number)
        start += len(piece)


def _without_marks(text: str) -> str:
    return text.replace("\x02", "-").replace("\ufffe", "-")


def _placed(textpage: Any, text: str, page: int, first: int) -> Line:
    from pypdfium2 import raw

    left, _, _, top = textpage.get_charbox(first, loose=True)
    _, _, right, _ = textpage.get_charbox(first + len(text) - 1, loose=True)
    size = raw.FPDFText_GetFontSize(textpage.raw, first)
    words = tuple(_words(textpage, text, first, left, size)) if size else ()
    return Line(text, page, size, top, left, right, words)


def _words(textpage: Any, text: str, first: int, left: float, size: float) -> Iterator[tuple[float, float, str]]:
    start, gap = 0, 0.0
    for blank in re.finditer(r"\s+", text):
        yield left, gap, text[start : blank.start()]
        _, _, before, _ = textpage.get_charbox(first + blank.start() - 1, loose=True)
        left, _, _, _ = textpage.get_charbox(first + blank.end(), loose=True)
        start, gap = blank.end(), (left - before) / size
    yield left, gap, text[start:]


def recognised(page: Any, number: int, recognise: Recogniser) -> list[Line]:
    """What text recognition reads on a page without a text layer."""
    width, height = page.get_size()
    scale = min(DOTS_PER_INCH / 72, (MOST_PIXELS / max(width * height, 1)) ** 0.5)
    picture = page.render(scale=scale, grayscale=True).to_numpy()
    return [Line(text, number) for text in recognise(picture.reshape(picture.shape[:2])) if text.strip()]


def has_picture(page: Any) -> bool:
    from pypdfium2 import raw

    return next(iter(page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=2)), None) is not None


def without_furniture(lines: list[Line]) -> list[Line]:
    """Drop page numbers, and what stands at the edge of many pages: running heads and feet."""
    edges = _edges(lines)
    pages = len({line.page for line in lines})
    on_pages = Counter(text for _, text in {(lines[place].page, _digitless(lines[place].text)) for place in edges})
    furniture = {text for text, count in on_pages.items() if count >= 3 and count > pages * _ON_PAGES}
    dropped = {
        place
        for place in edges
        if _digitless(lines[place].text) in furniture or _PAGE_NUMBER.fullmatch(lines[place].text)
    }
    return [line for place, line in enumerate(lines) if place not in dropped] or lines


def _edges(lines: list[Line]) -> set[int]:
    """Places of the highest and lowest lines of each page."""
    by_page: dict[int, list[int]] = defaultdict(list)
    for place, line in enumerate(lines):
        by_page[line.page].append(place)
    edges: set[int] = set()
    for places in by_page.values():
        downwards = sorted(places, key=lambda place: -lines[place].top)
        edges.update(downwards[:_EDGE_LINES], downwards[-_EDGE_LINES:])
    return edges


def _digitless(text: str) -> str:
    return re.sub(r"\d+", "0", fold(text))
