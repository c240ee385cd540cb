"""PDF text layers: lines become paragraphs and table rows by their places, larger type becomes headings."""

import re
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from cloud_core.knowledge.documents import Block, Document, Kind, Unreadable
from cloud_core.knowledge.folding import fold
from cloud_core.knowledge.ingest.formats.text import ITEM
from cloud_core.knowledge.ingest.page_lines import Line, has_picture, lines_of, recognised, without_furniture
from cloud_core.knowledge.ingest.page_tables import tables_of
from cloud_core.knowledge.ingest.recognition import recogniser
from cloud_core.knowledge.ingest.tables import rows_of

ENDINGS = frozenset({".pdf"})

MOST_PAGES = 1_000
_HEADING_RATIO = 1.12
_LONGEST_HEADING = 120
_PARAGRAPH_GAP = 1.4
_SPARE_WIDTH = 0.12
_PASSWORD_ERROR = 4


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
    lines, remarks = _read(pdf)
    if not lines:
        raise Unreadable("has no text layer (a scan?): run text recognition first")
    blocks = tuple(_blocks(without_furniture(lines)))
    title = fold(pdf.get_metadata_value("Title") or "")
    headings = (block.text for block in blocks if block.kind is Kind.HEADING)
    return Document(title=title or next(headings, ""), blocks=blocks, remarks=remarks)


def _read(pdf: Any) -> tuple[list[Line], tuple[str, ...]]:
    import pypdfium2

    lines: list[Line] = []
    pages: dict[str, list[int]] = {"no text": [], "a scan without text": [], "text recognised": []}
    for number in range(len(pdf)):
        remark = ""
        try:
            found, remark = _page(pdf[number], number)
        except pypdfium2.PdfiumError:
            found, remark = [], "no text"
        lines.extend(found)
        if remark:
            pages[remark].append(number + 1)
    told = ((remark, ", ".join(map(str, numbers))) for remark, numbers in pages.items() if numbers)
    return lines, tuple(f"{remark} on page {numbers}" for remark, numbers in told)


def _page(page: Any, number: int) -> tuple[list[Line], str]:
    found = list(lines_of(page, number))
    if found:
        return found, ""
    if not has_picture(page):
        return [], "no text"
    recognise = recogniser()
    found = recognised(page, number, recognise) if recognise else []
    return found, "text recognised" if found else "a scan without text"


def _blocks(lines: Sequence[Line]) -> Iterator[Block]:
    sizes = sorted(line.size for line in lines for _ in range(len(line.text)))
    body = sizes[len(sizes) // 2]
    larger = sorted({round(line.size) for line in lines if _is_heading(line, body)}, reverse=True)
    start = group = 0
    for table in tables_of(lines):
        for block in _texts(lines[start : table.start], lines, body, larger):
            yield block.model_copy(update={"group": group + block.group})
        group += table.start - start + 1
        yield from rows_of(table.rows, group)
        start, group = table.end, group + 1
    for block in _texts(lines[start:], lines, body, larger):
        yield block.model_copy(update={"group": group + block.group})


def _texts(lines: Sequence[Line], everything: Sequence[Line], body: float, larger: Sequence[int]) -> Iterator[Block]:
    pitch = _pitch(everything)
    width = max(line.right for line in everything)
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
