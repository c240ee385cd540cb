"""PDF text layers: lines become paragraphs by their places, larger type becomes headings."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from cloud_core.knowledge.documents import Block, Document, Kind, Unreadable
from cloud_core.knowledge.folding import fold
from cloud_core.knowledge.ingest.formats.text import ITEM

ENDINGS = frozenset({".pdf"})

MOST_PAGES = 1_000
_HEADING_RATIO = 1.12
_LONGEST_HEADING = 120
_PARAGRAPH_GAP = 1.4
_SPARE_WIDTH = 0.12
_PASSWORD_ERROR = 4


@dataclass(frozen=True, slots=True)
class Line:
    """Points from the page's lower left corner; `size` is the type's, 0 where unknown."""

    text: str
    page: int
    size: float = 0.0
    top: float = 0.0
    left: float = 0.0
    right: float = 0.0


def parse(content: bytes) -> Document:
    import pypdfium2

    if b"%PDF-" not in content[:1024]:
        raise Unreadable("is not a PDF: wrong file name ending or damaged")
    try:
        pdf = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        encrypted = getattr(error, "err_code", None) == _PASSWORD_ERROR or "assword" in str(error)
        raise Unreadable("is encrypted: save it without a password" if encrypted else "is a damaged PDF") from None
    if len(pdf) > MOST_PAGES:
        raise Unreadable(f"has {len(pdf)} pages, more than {MOST_PAGES}: split it")
    lines, empty = _read(pdf)
    if not lines:
        raise Unreadable("has no text layer (a scan?): run text recognition first")
    remarks = (f"no text on page {', '.join(map(str, empty))}",) if empty else ()
    blocks = tuple(_blocks(_without_furniture(lines)))
    title = fold(pdf.get_metadata_value("Title") or "")
    headings = (block.text for block in blocks if block.kind is Kind.HEADING)
    return Document(title=title or next(headings, ""), blocks=blocks, remarks=remarks)


def _read(pdf: Any) -> tuple[list[Line], list[int]]:
    import pypdfium2

    lines: list[Line] = []
    empty: list[int] = []
    for number in range(len(pdf)):
        try:
            page = pdf[number]
            found = list(_lines(page.get_textpage(), number))
        except pypdfium2.PdfiumError:
            found = []
        lines.extend(found)
        if not found:
            empty.append(number + 1)
    return lines, empty


def _lines(textpage: Any, page: int) -> Iterator[Line]:
    text = textpage.get_text_range()
    placed = len(text) == textpage.count_chars()
    start = 0
    for piece in re.split(r"(\r\n|\r|\n)", text):
        if piece.strip():
            clean = piece.replace("\x02", "-").replace("\ufffe", "-")
            first = start + len(piece) - len(piece.lstrip())
            last = start + len(piece.rstrip()) - 1
            yield _placed(textpage, clean, page, first, last) if placed else Line(clean, page)
        start += len(piece)


def _placed(textpage: Any, text: str, page: int, first: int, last: int) -> Line:
    from pypdfium2 import raw

    left, _, _, top = textpage.get_charbox(first, loose=True)
    _, _, right, _ = textpage.get_charbox(last, loose=True)
    return Line(text, page, raw.FPDFText_GetFontSize(textpage.raw, first), top, left, right)


def _without_furniture(lines: list[Line]) -> list[Line]:
    """Drop page numbers, and what stands on most pages: running heads and feet."""
    pages = len({line.page for line in lines})
    seen = Counter(key for key in {(line.page, _digitless(line.text)) for line in lines})
    on_pages = Counter(text for _, text in seen)
    furniture = {text for text, count in on_pages.items() if pages >= 3 and count > pages / 2}
    kept = [line for line in lines if _digitless(line.text) not in furniture and not _is_page_number(line.text)]
    return kept or lines


def _digitless(text: str) -> str:
    return re.sub(r"\d+", "0", fold(text))


def _is_page_number(text: str) -> bool:
    return re.fullmatch(r"\W*(?:page|第)?\s*\d{1,4}\s*(?:页|(?:/|of)\s*\d{1,4})?\W*", text, re.IGNORECASE) is not None


def _blocks(lines: Sequence[Line]) -> Iterator[Block]:
    sizes = sorted(line.size for line in lines for _ in range(len(line.text)))
    body = sizes[len(sizes) // 2]
    larger = sorted({round(line.size) for line in lines if _is_heading(line, body)}, reverse=True)
    pitch = _pitch(lines)
    width = max(line.right for line in lines)
    paragraph: list[Line] = []
    group = 0
    for line in lines:
        if paragraph and _starts_block(paragraph[-1], line, body, pitch, width):
            yield _block(paragraph, body, larger, group)
            group += not (ITEM.match(line.text) and ITEM.match(paragraph[0].text))
            paragraph = []
        paragraph.append(line)
    if paragraph:
        yield _block(paragraph, body, larger, group)


def _is_heading(line: Line, body: float) -> bool:
    return bool(body) and line.size >= body * _HEADING_RATIO and len(line.text) <= _LONGEST_HEADING


def _pitch(lines: Sequence[Line]) -> float:
    steps = [above.top - below.top for above, below in zip(lines, lines[1:], strict=False) if above.page == below.page]
    return median([step for step in steps if step > 0] or [0.0])


def _starts_block(above: Line, line: Line, body: float, pitch: float, width: float) -> bool:
    if ITEM.match(line.text) or _is_heading(above, body) != _is_heading(line, body):
        return True
    if _is_heading(line, body):
        return abs(above.size - line.size) > 0.5 or above.page != line.page
    if above.page != line.page:
        return bool(re.search(r"[.。!！?？:：]\W*$", above.text))
    if pitch and above.top - line.top > pitch * _PARAGRAPH_GAP:
        return True
    return _had_room(above, line, width)


def _had_room(above: Line, line: Line, width: float) -> bool:
    """The break was meant if the next line's first word would have fitted above."""
    if not width:
        return False
    word = line.text.split(maxsplit=1)[0] if line.text[0].isascii() else line.text[0]
    per_character = (line.right - line.left) / max(len(line.text), 1)
    return above.right + per_character * (len(word) + 1) + width * _SPARE_WIDTH < width


def _block(lines: Sequence[Line], body: float, larger: Sequence[int], group: int) -> Block:
    text = "\n".join(line.text for line in lines)
    if _is_heading(lines[0], body):
        return Block(kind=Kind.HEADING, text=fold(text), level=larger.index(round(lines[0].size)) + 1)
    if item := ITEM.match(text):
        return Block(kind=Kind.ITEM, text=fold(text[item.end() :]) or fold(text), group=group)
    return Block(kind=Kind.PARAGRAPH, text=fold(text), group=group)
