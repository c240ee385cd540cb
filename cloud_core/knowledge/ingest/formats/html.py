"""HTML: the main text with headings, lists and tables; scripts, navigation and hidden parts left out."""

import re
from collections.abc import Iterator

from cloud_core.knowledge.documents import Block, Document, Kind
from cloud_core.knowledge.folding import fold
from cloud_core.knowledge.ingest.decoding import decode
from cloud_core.messages import Lang

ENDINGS = frozenset({".html", ".htm", ".xhtml"})

_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_\-]{2,20})", re.IGNORECASE)
_DROPPED = (
    "script, style, noscript, template, svg, math, iframe, object, embed, nav, footer, aside, form, button, select,"
    " [hidden], [aria-hidden=true], [role=navigation], [role=banner], [role=search]"
)
_BLOCKS = frozenset(
    "address article blockquote body caption center dd details div dl dt fieldset figcaption figure header hr html"
    " legend main ol p pre section summary table tbody td tfoot th thead tr ul".split()
)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


def parse(content: bytes) -> Document:
    from selectolax.lexbor import LexborHTMLParser

    declared = _CHARSET.search(content[:4096])
    tree = LexborHTMLParser(decode(content, declared.group(1).decode("ascii") if declared else None))
    for node in tree.css(_DROPPED):
        node.decompose()
    for node in tree.css("[style]"):
        if _HIDDEN.search(node.attributes.get("style") or ""):
            node.decompose()
    heading, named = tree.css_first("h1"), tree.css_first("title")
    title = next((text for node in (heading, named) if node and (text := fold(node.text()))), "")
    root = tree.css_first("main") or tree.css_first("article") or tree.body or tree.root
    blocks = tuple(_Walk().blocks(root)) if root else ()
    return Document(title=title, lang=_language(tree.css_first("html")), blocks=blocks)


def _language(node: object) -> Lang | None:
    declared = (getattr(node, "attributes", {}).get("lang") or "").lower()
    if declared.startswith("zh"):
        return "zh"
    return "en" if declared.startswith("en") else None


class _Walk:
    """Document order without recursion: hostile pages nest without end."""

    def __init__(self) -> None:
        self._inline: list[str] = []
        self._kind = Kind.PARAGRAPH
        self._level = 0
        self._group = 0

    def blocks(self, root: object) -> Iterator[Block]:
        stack: list[tuple[object, bool]] = [(root, True)]
        while stack:
            node, entering = stack.pop()
            tag = getattr(node, "tag", "")
            if tag == "-text":
                self._inline.append(node.text(deep=False))  # type: ignore[attr-defined]
            elif tag == "br":
                self._inline.append("\n")
            elif not entering:
                yield from self._leave(tag)
            elif tag == "table" and _is_data(node):
                yield from self._flush()
                yield from self._table(node)
            else:
                yield from self._enter(tag)
                stack.append((node, False))
                stack.extend((child, True) for child in reversed(list(node.iter(include_text=True))))  # type: ignore[attr-defined]
        yield from self._flush()

    def _enter(self, tag: str) -> Iterator[Block]:
        if tag in _HEADINGS:
            yield from self._flush()
            self._kind, self._level = Kind.HEADING, _HEADINGS[tag]
        elif tag == "li":
            yield from self._flush()
            self._kind = Kind.ITEM
        elif tag in _BLOCKS:
            yield from self._flush()
            self._group += tag in ("ul", "ol", "p", "table", "div")

    def _leave(self, tag: str) -> Iterator[Block]:
        if tag in _HEADINGS or tag == "li" or tag in _BLOCKS:
            yield from self._flush()
            self._group += tag in ("ul", "ol", "table")

    def _flush(self) -> Iterator[Block]:
        text, kind = fold("".join(self._inline)), self._kind
        self._inline, self._kind = [], Kind.PARAGRAPH
        if text:
            yield Block(kind=kind, text=text, level=self._level if kind is Kind.HEADING else 0, group=self._group)

    def _table(self, table: object) -> Iterator[Block]:
        self._group += 1
        for number, row in enumerate(table.css("tr")):  # type: ignore[attr-defined]
            cells = row.css("th, td")
            text = "\t".join(fold(cell.text(deep=True)) for cell in cells)
            if text.strip():
                header = number == 0 and (row.css_first("td") is None or len(cells) > 1)
                yield Block(kind=Kind.ROW, text=text, group=self._group, header=header)
        self._group += 1


_HEADINGS = {f"h{level}": level for level in range(1, 7)}


def _is_data(table: object) -> bool:
    """A table of data has several cells in a row and no table within; others only lay out the page."""
    css = table.css  # type: ignore[attr-defined]
    return len(css("table")) <= 1 and any(len(row.css("th, td")) > 1 for row in css("tr"))
