"""Documents cut into passages along their headings, questions, lists and tables."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from cloud_core.knowledge.documents import Block, Document, Kind
from cloud_core.knowledge.folding import CJK
from cloud_core.knowledge.questions import headed
from cloud_core.knowledge.sentences import sentences

REVISION = 2  # raise it when the same file would be cut differently: unchanged files are then read again
TARGET = 160.0
LONGEST_LIST = 260.0
_LONGEST_ITEM = 45.0
_CHARACTERS_PER_WORD = 6.0
_CHINESE_PER_WORD = 2.2
_HEADING_JOINT = " › "
_CHINESE = re.compile(f"[{CJK}]")


@dataclass(frozen=True, slots=True)
class Piece:
    """`text`: one sentence, list item or table row per line."""

    heading: str
    text: str


def split(document: Document) -> list[Piece]:
    pieces: list[Piece] = []
    for heading, blocks in _sections(document):
        pieces.extend(Piece(heading, text) for text in _pack(blocks))
    return pieces


def passage_ids(document_id: str, title: str, pieces: Sequence[Piece]) -> list[str]:
    """The same text under the same heading keeps its id whatever happens around it."""
    seen: dict[str, int] = {}
    ids: list[str] = []
    for piece in pieces:
        digest = hashlib.sha256("\0".join((title, piece.heading, piece.text)).encode()).hexdigest()[:12]
        seen[digest] = seen.get(digest, 0) + 1
        ids.append(f"{document_id}#{digest}" + (f"-{seen[digest]}" if seen[digest] > 1 else ""))
    return ids


def size(text: str) -> float:
    """About how many English words long; a Chinese character is a good half of one."""
    chinese = len(_CHINESE.findall(text))
    return chinese / _CHINESE_PER_WORD + (len(text) - chinese) / _CHARACTERS_PER_WORD


def _sections(document: Document) -> Iterator[tuple[str, list[Block]]]:
    path: dict[int, str] = {}
    blocks: list[Block] = []
    for block in headed(document.blocks):
        if block.kind is not Kind.HEADING:
            blocks.append(block)
            continue
        yield _heading(path, document.title), blocks
        blocks = []
        path = {level: text for level, text in path.items() if level < block.level}
        if block.text:
            path[block.level] = block.text
    yield _heading(path, document.title), blocks


def _heading(path: dict[int, str], title: str) -> str:
    return _HEADING_JOINT.join(text for _, text in sorted(path.items()) if text != title)


def _pack(blocks: Sequence[Block]) -> Iterator[str]:
    lines: list[str] = []
    for group in _groups(blocks):
        if lines and _size(lines) + _size(group.lines) > TARGET:
            yield "\n".join(lines)
            lines = []
        if _size(group.lines) <= (LONGEST_LIST if group.whole else TARGET):
            lines = lines + list(group.lines)
            continue
        *full, rest = _cut(group)
        yield from ("\n".join(part) for part in full)
        lines = rest
    if lines:
        yield "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Group:
    """Lines that belong together; `head` is repeated when they do not fit one passage."""

    lines: tuple[str, ...]
    head: tuple[str, ...] = ()
    whole: bool = False


def _groups(blocks: Sequence[Block]) -> Iterator[_Group]:
    lead: tuple[str, ...] = ()
    for (kind, _), run in groupby(blocks, key=lambda block: (block.kind, block.group)):
        members = list(run)
        if kind is Kind.PARAGRAPH:
            if lead:
                yield _Group(lead)
            lines = tuple(line for block in members for line in _sentence_lines(block.text))
            is_lead = bool(lines) and lines[-1].endswith((":", "："))
            lead = lines if is_lead else ()
            if lines and not is_lead:
                yield _Group(lines)
            continue
        if kind is Kind.RECORD:
            yield from _records(lead, members)
            lead = ()
            continue
        lines = tuple(line for block in members for line in _lines(block))
        head = lines[:1] if kind is Kind.ROW and members[0].header else ()
        yield _Group(lead + lines, lead[-1:] + head, whole=True)
        lead = ()
    if lead:
        yield _Group(lead)


def _records(lead: tuple[str, ...], records: Sequence[Block]) -> Iterator[_Group]:
    """Each stays in one passage: short ones as a line, of long ones each part repeats the first line, their name."""
    for block in records:
        said = block.text.split("\n")
        joint = "；" if _CHINESE.search(said[0]) else "; "
        if size(block.text) <= _LONGEST_ITEM:
            yield _Group((*lead, joint.join(said)), whole=True)
        else:
            lines = tuple(line for cell in said for line in _sentence_lines(cell))
            yield _Group((*lead, *lines), lines[:1], whole=True)
        lead = ()


def _lines(block: Block) -> list[str]:
    if block.kind is Kind.ROW or size(block.text) <= _LONGEST_ITEM:
        return list(_short_enough(block.text))
    return _sentence_lines(block.text)


def _sentence_lines(text: str) -> list[str]:
    return [part for sentence in sentences(text) for part in _short_enough(sentence)]


def _short_enough(line: str) -> Iterator[str]:
    """Text without an end in sight is cut at a space, if there is one, lest one line become a passage of megabytes."""
    most = int(TARGET * (_CHINESE_PER_WORD if _CHINESE.search(line) else _CHARACTERS_PER_WORD))
    start = 0
    while len(line) - start > most:
        half, end = start + most // 2, start + most
        at = max(line.rfind(" ", half, end), line.rfind("\t", half, end))
        at = at if at > 0 else end
        yield line[start:at].strip()
        start = at
    if rest := line[start:].strip():
        yield rest


def _cut(group: _Group) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    filled = 0.0
    for line in group.lines:
        if parts[-1] and filled + size(line) > TARGET:
            parts.append(list(group.head))
            filled = _size(group.head)
        parts[-1].append(line)
        filled += size(line)
    return parts


def _size(lines: Sequence[str]) -> float:
    return sum(map(size, lines))
