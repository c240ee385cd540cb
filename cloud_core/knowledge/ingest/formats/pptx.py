"""PowerPoint: a heading per slide, then its text, lists, tables and the speaker's notes."""

import io
from collections.abc import Iterator
from typing import Any

from cloud_core.knowledge.documents import Block, Document, Kind, Unreadable
from cloud_core.knowledge.folding import fold
from cloud_core.knowledge.ingest.archives import BROKEN, check_office
from cloud_core.knowledge.ingest.tables import rows_of

ENDINGS = frozenset({".pptx"})

_DEEPEST = 8
_MOST_SHAPES = 2_000
_FURNITURE = frozenset({"DATE", "FOOTER", "SLIDE_NUMBER", "HEADER"})


def parse(content: bytes) -> Document:
    from pptx import Presentation
    from pptx.exc import PythonPptxError

    check_office(content, "a PowerPoint", ".pptx")
    try:
        presentation = Presentation(io.BytesIO(content))
        title = fold(presentation.core_properties.title or "")
        blocks, remarks = _slides(presentation)
    except (*BROKEN, PythonPptxError, KeyError, SyntaxError, TypeError, AttributeError):
        raise Unreadable("is a damaged PowerPoint file, or another Office format with a .pptx ending") from None
    headings = (block.text for block in blocks if block.kind is Kind.HEADING and block.text)
    title = next(headings, "") if title in ("", "PowerPoint Presentation") else title
    return Document(title=title, blocks=tuple(blocks), remarks=remarks)


def _slides(presentation: Any) -> tuple[list[Block], tuple[str, ...]]:
    blocks: list[Block] = []
    hidden: list[int] = []
    empty: list[int] = []
    for number, slide in enumerate(presentation.slides, start=1):
        if slide._element.get("show") == "0":
            hidden.append(number)
            continue
        found = list(_slide(slide, len(blocks)))
        blocks.extend(found)
        if not any(block.text for block in found):
            empty.append(number)
    told = (("hidden and left out: slide", hidden), ("no text on slide", empty))
    return blocks, tuple(f"{what} {', '.join(map(str, numbers))}" for what, numbers in told if numbers)


def _slide(slide: Any, group: int) -> Iterator[Block]:
    title = slide.shapes.title
    heading = fold(title.text_frame.text) if title is not None else ""
    below = list(_below(slide, title, group))
    yield Block(kind=Kind.HEADING, text=heading if below else "", level=1)
    if heading and not below:  # a slide that is all title says it as its text
        yield Block(kind=Kind.PARAGRAPH, text=heading, group=group)
    yield from below


def _below(slide: Any, title: Any, group: int) -> Iterator[Block]:
    for shape in _shapes(slide.shapes, 0):
        group += 1
        if getattr(shape, "has_table", False):
            yield from rows_of(list(_rows(shape.table)), group)
        elif shape.has_text_frame and not _is(shape, title) and not _is_furniture(shape):
            yield from _paragraphs(shape, group)
    if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) is not None:
        for paragraph in frame.paragraphs:
            if text := fold(paragraph.text):
                yield Block(kind=Kind.PARAGRAPH, text=text, group=group + 1)


def _shapes(shapes: Any, depth: int) -> Iterator[Any]:
    for number, shape in enumerate(shapes):
        if number >= _MOST_SHAPES:
            raise Unreadable(f"has a slide of more than {_MOST_SHAPES} shapes")
        if hasattr(shape, "shapes") and depth < _DEEPEST:
            yield from _shapes(shape.shapes, depth + 1)
        else:
            yield shape


def _is(shape: Any, other: Any) -> bool:
    return other is not None and shape._element is other._element


def _is_furniture(shape: Any) -> bool:
    return shape.is_placeholder and getattr(shape.placeholder_format.type, "name", "") in _FURNITURE


def _paragraphs(shape: Any, group: int) -> Iterator[Block]:
    """Several paragraphs in one shape are a list, as slides have it."""
    texts = [text for paragraph in shape.text_frame.paragraphs if (text := fold(paragraph.text))]
    kind = Kind.ITEM if len(texts) > 1 else Kind.PARAGRAPH
    for text in texts:
        yield Block(kind=kind, text=text, group=group)


def _rows(table: Any) -> Iterator[list[str]]:
    for row in table.rows:
        yield [fold(cell.text) for cell in row.cells if not cell.is_spanned]
