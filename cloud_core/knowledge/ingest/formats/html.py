"""HTML: the main text with headings, lists, tables, questions and answers; what stands on every page is left out."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cloud_core.knowledge.documents import QUESTION_LEVEL, Block, Document, Kind
from cloud_core.knowledge.folding import fold
from cloud_core.knowledge.ingest.decoding import decode
from cloud_core.knowledge.ingest.metadata import Metadata, described, metadata_of
from cloud_core.knowledge.ingest.page_furniture import Furniture
from cloud_core.knowledge.ingest.tables import rows_of
from cloud_core.messages import Lang

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

ENDINGS = frozenset({".html", ".htm", ".xhtml"})

_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_\-]{2,20})", re.IGNORECASE)
_OWN_META = "nearside:"
_BLOCKS = frozenset(
    "address article blockquote body caption center dd details div dl dt fieldset figcaption figure footer header hr"
    " html legend main ol p pre section summary table tbody td tfoot th thead tr ul".split()
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)} | {"summary": QUESTION_LEVEL}
_ENDS_ANSWER = Block(kind=Kind.HEADING, text="", level=QUESTION_LEVEL)
_QUESTION = ("?", "？")
_MOST_SPANNED = 100


def parse(content: bytes) -> Document:
    from selectolax.lexbor import LexborHTMLParser

    declared = _CHARSET.search(content[:4096])
    tree = LexborHTMLParser(decode(content, declared.group(1).decode("ascii") if declared else None))
    main = _main(tree)
    root = main or tree.body or tree.root
    heading, named = tree.css_first("h1"), tree.css_first("title")
    title = next((text for node in (heading, named) if node and (text := fold(node.text()))), "")
    blocks = tuple(_Walk(Furniture(tree, whole_page=main is None)).blocks(root)) if root else ()
    document = Document(title=title, lang=_language(tree.css_first("html")), uri=_canonical(tree), blocks=blocks)
    return described(document, _metadata(tree))


def _main(tree: "LexborHTMLParser") -> "LexborNode | None":
    articles = tree.css("article")
    found = tree.css_first("main") or tree.css_first("[role=main]") or (articles[0] if len(articles) == 1 else None)
    return found if found and found.text().strip() else None


def _language(node: "LexborNode | None") -> Lang | None:
    declared = ((node.attributes.get("lang") if node else None) or "").lower()
    if declared.startswith("zh"):
        return "zh"
    return "en" if declared.startswith("en") else None


def _canonical(tree: "LexborHTMLParser") -> str:
    link = tree.css_first("link[rel=canonical]")
    address = fold((link.attributes.get("href") if link else None) or "")
    return address if re.match(r"https?://[^\s]{1,1990}$", address) else ""


def _metadata(tree: "LexborHTMLParser") -> Metadata:
    """`<meta name="nearside:tags" content="…">` and the like."""
    values = {
        (node.attributes.get("name") or "").removeprefix(_OWN_META): node.attributes.get("content") or ""
        for node in tree.css(f'meta[name^="{_OWN_META}"]')
    }
    return metadata_of(values, f'<meta name="{_OWN_META}…">')


class _Walk:
    """Document order without recursion: hostile pages nest without end."""

    def __init__(self, furniture: Furniture) -> None:
        self._furniture = furniture
        self._inline: list[str] = []
        self._kind = Kind.PARAGRAPH
        self._level = 0
        self._group = self._items = 0
        self._term = ""

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
            elif not self._furniture.holds(node, in_heading=self._kind is Kind.HEADING):
                yield from self._enter(tag)
                stack.append((node, False))
                stack.extend((child, True) for child in reversed(list(node.iter(include_text=True))))
        yield from self._flush()

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
            self._group += tag in ("ul", "ol", "dl") or (tag in ("p", "div") and not self._items)

    def _leave(self, tag: str) -> Iterator[Block]:
        if tag == "dt":
            yield from self._close_term()
            return
        if tag in _HEADINGS or tag == "li" or tag in _BLOCKS:
            yield from self._flush()
            self._group += tag in ("ul", "ol", "dl")
        if tag in _HEADINGS or tag == "li":
            self._kind = Kind.PARAGRAPH
            self._items -= tag == "li"
        elif tag in ("details", "dl"):
            self._term = ""
            yield _ENDS_ANSWER

    def _close_term(self) -> Iterator[Block]:
        """A question heads its answer; other terms begin the line that explains them."""
        text = fold("".join(self._inline))
        if text.endswith(_QUESTION):
            self._inline = []
            yield Block(kind=Kind.HEADING, text=text, level=QUESTION_LEVEL)
        else:
            self._term = fold(f"{self._term} {text}")
            self._inline = []

    def _flush(self) -> Iterator[Block]:
        text, kind = fold("".join(self._inline)), self._kind
        self._inline = []
        if text and self._term and kind is not Kind.HEADING:
            text, kind, self._term = f"{self._term.rstrip(':： ')}: {text}", Kind.ITEM, ""
        if text:
            self._kind = Kind.PARAGRAPH
            yield Block(kind=kind, text=text, level=self._level if kind is Kind.HEADING else 0, group=self._group)

    def _table(self, table: "LexborNode") -> Iterator[Block]:
        self._group += 1
        caption = table.css_first("caption")
        if caption and (text := self._text(caption)):
            yield Block(kind=Kind.PARAGRAPH, text=text, group=self._group)
        rows = [row.css("th, td") for row in table.css("tr")]
        kinds = [{cell.tag for cell in cells} for cells in rows if cells]
        headed = True if kinds[0] == {"th"} else (False if any("th" in tags for tags in kinds) else None)
        yield from rows_of(self._grid(rows), self._group, headed=headed)
        self._group += 1

    def _grid(self, rows: "list[list[LexborNode]]") -> list[list[str]]:
        """A cell that spans rows has its text in each of them."""
        grid: list[list[str]] = []
        waiting: dict[int, tuple[int, str]] = {}
        for cells in rows:
            row: list[str] = []
            for cell in cells:
                _take(waiting, row)
                text, down = self._text(cell), _span(cell, "rowspan")
                across = _span(cell, "colspan")
                waiting |= {len(row) + place: (down - 1, text) for place in range(across) if down > 1}
                row.extend([text] + [""] * (across - 1))
            _take(waiting, row)
            grid.append(row)
        return grid

    def _text(self, cell: "LexborNode") -> str:
        found: list[str] = []
        stack = [cell]
        while stack:
            node = stack.pop()
            if node.tag == "-text":
                found.append(node.text(deep=False))
            elif not self._furniture.holds(node, in_heading=False):
                found.append(" " if node.tag in _BLOCKS or node.tag in ("br", "li") else "")
                stack.extend(reversed(list(node.iter(include_text=True))))
        return fold("".join(found))


def _take(waiting: dict[int, tuple[int, str]], row: list[str]) -> None:
    """Fill in what cells above reach down to here."""
    while (place := len(row)) in waiting:
        left, text = waiting.pop(place)
        row.append(text)
        if left > 1:
            waiting[place] = (left - 1, text)


def _span(cell: "LexborNode", name: str) -> int:
    said = cell.attributes.get(name) or ""
    return max(1, min(int(said), _MOST_SPANNED)) if said.isascii() and said.isdigit() and len(said) < 6 else 1


def _is_data(table: "LexborNode") -> bool:
    """A table of data has several cells in a row and no table within; others only lay out the page."""
    return len(table.css("table")) <= 1 and any(len(row.css("th, td")) > 1 for row in table.css("tr"))
