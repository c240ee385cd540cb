"""HTML: the main text with headings, lists and tables; scripts, navigation and hidden parts left out."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cloud_core.knowledge.documents import Block, Document, Kind
from cloud_core.knowledge.folding import fold
from cloud_core.knowledge.ingest.decoding import decode
from cloud_core.knowledge.ingest.tables import rows_of
from cloud_core.messages import Lang

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

ENDINGS = frozenset({".html", ".htm", ".xhtml"})

_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_\-]{2,20})", re.IGNORECASE)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_SKIPPED = frozenset(
    "script style noscript template svg math iframe object embed nav button select textarea head title".split()
)
_SKIPPED_ROLES = frozenset({"navigation", "search"})
_AROUND = frozenset({"footer", "aside"})
_AROUND_ROLES = frozenset({"banner", "contentinfo"})
_BLOCKS = frozenset(
    "address article blockquote body caption center dd details div dl dt fieldset figcaption figure header hr html"
    " legend main ol p pre section summary table tbody td tfoot th thead tr ul".split()
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}


def parse(content: bytes) -> Document:
    from selectolax.lexbor import LexborHTMLParser

    declared = _CHARSET.search(content[:4096])
    tree = LexborHTMLParser(decode(content, declared.group(1).decode("ascii") if declared else None))
    articles = tree.css("article")
    main = tree.css_first("main") or (articles[0] if len(articles) == 1 else None)
    root = main or tree.body or tree.root
    heading, named = tree.css_first("h1"), tree.css_first("title")
    title = next((text for node in (heading, named) if node and (text := fold(node.text()))), "")
    blocks = tuple(_Walk(whole_page=main is None).blocks(root)) if root else ()
    return Document(title=title, lang=_language(tree.css_first("html")), blocks=blocks)


def _language(node: "LexborNode | None") -> Lang | None:
    declared = ((node.attributes.get("lang") if node else None) or "").lower()
    if declared.startswith("zh"):
        return "zh"
    return "en" if declared.startswith("en") else None


class _Walk:
    """Document order without recursion: hostile pages nest without end."""

    def __init__(self, *, whole_page: bool) -> None:
        self._skipped = _SKIPPED | (_AROUND if whole_page else frozenset())
        self._skipped_roles = _SKIPPED_ROLES | (_AROUND_ROLES if whole_page else frozenset())
        self._inline: list[str] = []
        self._kind = Kind.PARAGRAPH
        self._level = 0
        self._group = self._items = 0

    def blocks(self, root: "LexborNode") -> Iterator[Block]:
        stack = [(root, True)]
        while stack:
            node, entering = stack.pop()
            tag = node.tag or ""
            if tag == "-text":
                self._inline.append(node.text(deep=False))
            elif tag == "br":
                self._inline.append("\n")
            elif not entering:
                yield from self._leave(tag)
            elif tag == "table" and _is_data(node):
                yield from self._flush()
                yield from self._table(node)
            elif not self._skips(node):
                yield from self._enter(tag)
                stack.append((node, False))
                stack.extend((child, True) for child in reversed(list(node.iter(include_text=True))))
        yield from self._flush()

    def _skips(self, node: "LexborNode") -> bool:
        attributes = node.attributes
        return (
            node.tag in self._skipped
            or "hidden" in attributes
            or attributes.get("aria-hidden") == "true"
            or attributes.get("role") in self._skipped_roles
            or _HIDDEN.search(attributes.get("style") or "") is not None
        )

    def _enter(self, tag: str) -> Iterator[Block]:
        if tag in _HEADINGS:
            yield from self._flush()
            self._kind, self._level = Kind.HEADING, _HEADINGS[tag]
        elif tag == "li":
            yield from self._flush()
            self._kind = Kind.ITEM
            self._items += 1
        elif tag in _BLOCKS:
            yield from self._flush()
            self._group += tag in ("ul", "ol") or (tag in ("p", "div") and not self._items)

    def _leave(self, tag: str) -> Iterator[Block]:
        if tag in _HEADINGS or tag == "li" or tag in _BLOCKS:
            yield from self._flush()
            self._group += tag in ("ul", "ol")
        if tag in _HEADINGS or tag == "li":
            self._kind = Kind.PARAGRAPH
            self._items -= tag == "li"

    def _flush(self) -> Iterator[Block]:
        text, kind = fold("".join(self._inline)), self._kind
        self._inline = []
        if text:
            self._kind = Kind.PARAGRAPH
            yield Block(kind=kind, text=text, level=self._level if kind is Kind.HEADING else 0, group=self._group)

    def _table(self, table: "LexborNode") -> Iterator[Block]:
        self._group += 1
        rows = [row.css("th, td") for row in table.css("tr")]
        kinds = [{cell.tag for cell in cells} for cells in rows if cells]
        headed = True if kinds[0] == {"th"} else (False if any("th" in tags for tags in kinds) else None)
        yield from rows_of([[self._text(cell) for cell in cells] for cells in rows], self._group, headed=headed)
        self._group += 1

    def _text(self, cell: "LexborNode") -> str:
        found: list[str] = []
        stack = [cell]
        while stack:
            node = stack.pop()
            if node.tag == "-text":
                found.append(node.text(deep=False))
            elif not self._skips(node):
                found.append(" " if node.tag in _BLOCKS or node.tag in ("br", "li") else "")
                stack.extend(reversed(list(node.iter(include_text=True))))
        return fold("".join(found))


def _is_data(table: "LexborNode") -> bool:
    """A table of data has several cells in a row and no table within; others only lay out the page."""
    return len(table.css("table")) <= 1 and any(len(row.css("th, td")) > 1 for row in table.css("tr"))
