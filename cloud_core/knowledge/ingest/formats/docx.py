"""Word: paragraphs and tables in document order, headings and lists by their styles."""

import io
import re
from collections.abc import Iterator
from typing import Any

from cloud_core.knowledge.documents import Block, Document, Kind, Unreadable
from cloud_core.knowledge.folding import fold
from cloud_core.knowledge.ingest.archives import BROKEN, check_office
from cloud_core.knowledge.ingest.tables import rows_of

ENDINGS = frozenset({".docx"})

_LEVEL = re.compile(r"(?:heading|标题)\s*(\d)", re.IGNORECASE)


def parse(content: bytes) -> Document:
    import docx
    from docx.opc.exceptions import OpcError

    check_office(content, "a Word", ".docx")
    try:
        document = docx.Document(io.BytesIO(content))
        blocks = tuple(_blocks(document))
        title = fold(document.core_properties.title or "")
    except (*BROKEN, OpcError, KeyError, SyntaxError, TypeError, AttributeError):
        raise Unreadable("is a damaged Word file, or another Office format with a .docx ending") from None
    headings = (block.text for block in blocks if block.kind is Kind.HEADING)
    return Document(title=title or next(headings, ""), blocks=blocks)


def _blocks(document: Any) -> Iterator[Block]:
    group, previous = 0, Kind.PARAGRAPH
    for part in document.iter_inner_content():
        if hasattr(part, "rows"):
            group += 1
            yield from rows_of(list(_rows(part)), group)
            previous = Kind.ROW
            continue
        text = fold(part.text)
        if not text:
            continue
        kind, level = _kind(part)
        group += kind is not previous or kind is not Kind.ITEM
        previous = kind
        yield Block(kind=kind, text=text, level=level, group=group)


def _kind(paragraph: Any) -> tuple[Kind, int]:
    style = (paragraph.style.name if paragraph.style is not None else "") or ""
    if level := _LEVEL.match(style):
        return Kind.HEADING, int(level.group(1))
    if style.lower() in ("title", "标题"):
        return Kind.HEADING, 1
    properties = paragraph._p.pPr
    numbered = properties is not None and properties.numPr is not None
    return (Kind.ITEM, 0) if numbered or style.lower().startswith("list") else (Kind.PARAGRAPH, 0)


def _rows(table: Any) -> Iterator[list[str]]:
    for row in table.rows:
        cells: list[Any] = []
        for cell in row.cells:  # a merged cell comes once per column it spans
            if not cells or cell._tc is not cells[-1]._tc:
                cells.append(cell)
        yield [fold(cell.text) for cell in cells]
