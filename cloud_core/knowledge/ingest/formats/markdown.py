"""Markdown, with front matter (see `metadata`). Inline marks stay in the text: a quote is verbatim."""

import re
from collections.abc import Iterator

from cloud_core.knowledge.documents import Block, Document, Kind
from cloud_core.knowledge.folding import fold
from cloud_core.knowledge.ingest.decoding import decode
from cloud_core.knowledge.ingest.metadata import Metadata, described, from_yaml

ENDINGS = frozenset({".md", ".markdown"})

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*$\n?", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,4}[.)])[ \t]+(?=\S)")
_RULE = re.compile(r" {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$")
_UNDERLINE = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_TABLE_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_FENCE = re.compile(r"[ \t]*(?:```|~~~)")
_REFERENCE = re.compile(r" {0,3}\[[^\]]+\]:[ \t]*\S")
_QUOTE = re.compile(r"[ \t]{0,3}>[ \t]?")
_CELL_GAP = re.compile(r"(?<!\\)[ \t]*\|[ \t]*")


def parse(content: bytes) -> Document:
    text = decode(content)
    match = _FRONT_MATTER.match(text)
    metadata = from_yaml(match.group(1), "front matter") if match else Metadata()
    blocks = tuple(_Parser(_without_comments(text[match.end() :] if match else text)).blocks())
    headings = [block.text for block in blocks if block.kind is Kind.HEADING and block.level == 1]
    return described(Document(title=next(iter(headings), ""), blocks=blocks), metadata)


def _without_comments(text: str) -> str:
    kept, start = [], 0
    while (opened := text.find("<!--", start)) >= 0 and (closed := text.find("-->", opened)) >= 0:
        kept.append(text[start:opened])
        start = closed + 3
    return "".join((*kept, text[start:]))


class _Parser:
    def __init__(self, body: str) -> None:
        self._lines = [_QUOTE.sub("", line) for line in body.split("\n")]
        self._at = 0
        self._group = 0
        self._open: list[str] = []
        self._open_kind = Kind.PARAGRAPH

    def blocks(self) -> Iterator[Block]:
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if _FENCE.match(line):
                yield from self._fence()
            elif self._starts_table(line):
                yield from self._table()
            else:
                yield from self._line(line)
                self._at += 1
        yield from self._close()

    def _line(self, line: str) -> Iterator[Block]:
        heading, item = _HEADING.match(line), _ITEM.match(line)
        if not line.strip():
            yield from self._close()
        elif heading:
            yield from self._close()
            yield from self._heading(heading.group(2), len(heading.group(1)))
        elif self._open and self._open_kind is Kind.PARAGRAPH and _UNDERLINE.match(line):
            text, self._open = "\n".join(self._open), []
            yield from self._heading(text, 1 if "=" in line else 2)
        elif _RULE.match(line) or _REFERENCE.match(line):
            yield from self._close()
        elif item:
            yield from self._close(next_kind=Kind.ITEM)
            self._open, self._open_kind = [line[item.end() :]], Kind.ITEM
        else:
            self._open.append(line)

    def _heading(self, text: str, level: int) -> Iterator[Block]:
        self._group += 1
        if folded := fold(text):
            yield Block(kind=Kind.HEADING, text=folded, level=level)

    def _close(self, next_kind: Kind = Kind.PARAGRAPH) -> Iterator[Block]:
        text, kind = fold("\n".join(self._open)), self._open_kind
        self._open, self._open_kind = [], Kind.PARAGRAPH
        if kind is not Kind.ITEM or next_kind is not Kind.ITEM:
            self._group += not (kind is Kind.ITEM and self._next_is_item())
        if text:
            yield Block(kind=kind, text=text, group=self._group)

    def _next_is_item(self) -> bool:
        """A blank line between two items does not end their list."""
        rest = (line for line in self._lines[self._at + 1 : self._at + 4] if line.strip())
        return bool(_ITEM.match(next(rest, "")))

    def _fence(self) -> Iterator[Block]:
        yield from self._close()
        self._at += 1
        while self._at < len(self._lines) and not _FENCE.match(self._lines[self._at]):
            if text := fold(self._lines[self._at]):
                yield Block(kind=Kind.PARAGRAPH, text=text, group=self._group)
            self._at += 1
        self._at += 1

    def _starts_table(self, line: str) -> bool:
        following = self._lines[self._at + 1] if self._at + 1 < len(self._lines) else ""
        return "|" in line and "|" in following and bool(_TABLE_RULE.match(following))

    def _table(self) -> Iterator[Block]:
        yield from self._close()
        self._group += 1
        yield self._row(self._lines[self._at], header=True)
        self._at += 2
        while self._at < len(self._lines) and "|" in self._lines[self._at]:
            yield self._row(self._lines[self._at], header=False)
            self._at += 1
        self._group += 1

    def _row(self, line: str, *, header: bool) -> Block:
        inner = fold(line).removeprefix("|").removesuffix("|").strip()
        return Block(kind=Kind.ROW, text=_CELL_GAP.sub(_gap, inner), group=self._group, header=header)


def _gap(match: re.Match[str]) -> str:
    """Tabs only where the source has white space, so that folding them gives the source again."""
    before, after = match.group().split("|")
    return ("\t" if before else "") + "|" + ("\t" if after else "")
