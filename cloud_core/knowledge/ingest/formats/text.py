"""Plain text: paragraphs at blank lines, items at bullets, short lines before a text as headings."""

import re

from cloud_core.knowledge.documents import Block, Document, Kind
from cloud_core.knowledge.folding import CJK, fold
from cloud_core.knowledge.ingest.decoding import decode

ENDINGS = frozenset({".txt", ".text"})

ITEM = re.compile(r"\s*(?:[-*•·▪◦‣]|\d{1,3}[.)、]|[(（]\d{1,3}[)）]|[a-zA-Z][)])\s*(?=\S)")
_UNDERLINE = re.compile(r"\s*([=~*_-])\1{2,}\s*$")
_CHAPTER = re.compile(rf"\s*(?:第?[一二三四五六七八九十百]+[章节、.．]|\d+(?:\.\d+)+\s|[#§])\s*(?=[\w{CJK}])")
_OPEN_END = re.compile(r"[.。!！?？,，;；:：]$")
_LONGEST_HEADING = 60
_LONGEST_CHINESE_HEADING = 24


def parse(content: bytes) -> Document:
    lines = decode(content).split("\n")
    blocks: list[Block] = []
    paragraph: list[str] = []
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if _UNDERLINE.match(line):
            continue
        if not paragraph and looks_like_heading(line) and (not following.strip() or _UNDERLINE.match(following)):
            blocks.append(Block(kind=Kind.HEADING, text=fold(line), level=2 if blocks else 1))
        elif line.strip():
            if ITEM.match(line) and len(ITEM.sub("", line, count=1)) > 1:
                _close(paragraph, blocks)
            paragraph.append(line)
        else:
            _close(paragraph, blocks)
    _close(paragraph, blocks)
    title = blocks[0].text if blocks and blocks[0].kind is Kind.HEADING else ""
    return Document(title=title, blocks=tuple(blocks))


def looks_like_heading(line: str) -> bool:
    text = line.strip()
    if not text or ITEM.match(line) and not _CHAPTER.match(line) or _OPEN_END.search(text):
        return False
    return len(text) <= (_LONGEST_HEADING if text.isascii() else _LONGEST_CHINESE_HEADING)


def _close(paragraph: list[str], blocks: list[Block]) -> None:
    if not paragraph:
        return
    item = ITEM.match(paragraph[0])
    text = fold("\n".join([paragraph[0][item.end() :], *paragraph[1:]] if item else paragraph))
    paragraph.clear()
    if text:
        group = len(blocks) if not item or not blocks or blocks[-1].kind is not Kind.ITEM else blocks[-1].group
        blocks.append(Block(kind=Kind.ITEM if item else Kind.PARAGRAPH, text=text, group=group))
