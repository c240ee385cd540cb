"""Questions that stand before their answers become headings, so that no answer loses its question."""

import re
from collections.abc import Iterator, Sequence

from cloud_core.knowledge.documents import QUESTION_LEVEL, Block, Kind

_LONGEST = 160
_FEWEST_BARE = 3  # fewer questions without a mark are rhetorical
_MARKED = re.compile(
    r"\W{0,3}(?:Q\d{0,3}|Question(?: ?\d{1,3})?|[问問][题題]? ?\d{0,3})\W{0,3}?[.:：、)]\W{0,3}(?=\w)", re.IGNORECASE
)
_ANSWER = re.compile(r"\W{0,3}(?:A\d{0,3}|Answer(?: ?\d{1,3})?|答案?复? ?\d{0,3})[.:：、)]\W{0,3}(?=\w)", re.IGNORECASE)
_ANSWER_WITHIN = re.compile(rf"(?<=[?？.。!！*_\s])\s*{_ANSWER.pattern}", re.IGNORECASE)
_BOLD = re.compile(r"(?:\*\*|__)([^*_]{2,160}[?？])(?:\*\*|__)[:：]?\s*")
_BARE = re.compile(r"[^?？。!！\n]{3,159}[?？]")


def headed(blocks: Sequence[Block]) -> Iterator[Block]:
    """The same blocks, except that `Q:`, `**bold?**` and runs of plain questions are headings of their answers."""
    bare = _bare(blocks)
    answers = False
    for place, block in enumerate(blocks):
        found = _split(block) if block.kind in (Kind.PARAGRAPH, Kind.ITEM) else None
        if place in bare:
            found = (block.text, "")
        if found and (found[1] or _is_answer(blocks, place + 1)):
            yield Block(kind=Kind.HEADING, text=found[0], level=QUESTION_LEVEL)
            if found[1]:
                yield block.model_copy(update={"text": found[1], "kind": Kind.PARAGRAPH})
        elif answers and (mark := _ANSWER.match(block.text)):
            yield block.model_copy(update={"text": block.text[mark.end() :]})
        else:
            yield block
        answers = found is not None and not found[1]


def _split(block: Block) -> tuple[str, str] | None:
    """(question, answer in the same block, or "")."""
    if bold := _BOLD.match(block.text):
        question, rest = _MARKED.sub("", bold.group(1), count=1), block.text[bold.end() :]
        mark = _ANSWER.match(rest)
        return question, rest[mark.end() :] if mark else rest
    marked = _MARKED.match(block.text)
    if marked is None:
        return None
    rest = block.text[marked.end() :]
    answer = _ANSWER_WITHIN.search(rest, 1)
    question = (rest[: answer.start()] if answer else rest).strip().rstrip("*_").rstrip()
    return (question, rest[answer.end() :] if answer else "") if 0 < len(question) <= _LONGEST else None


def _is_answer(blocks: Sequence[Block], place: int) -> bool:
    if place >= len(blocks) or blocks[place].kind is Kind.HEADING:
        return False
    return not _BARE.fullmatch(blocks[place].text) and _MARKED.match(blocks[place].text) is None


def _bare(blocks: Sequence[Block]) -> frozenset[int]:
    """Places of plain questions with an answer below, if there are several."""
    places = [
        place
        for place, block in enumerate(blocks)
        if block.kind in (Kind.PARAGRAPH, Kind.ITEM)
        and _BARE.fullmatch(block.text)
        and _MARKED.match(block.text) is None
        and _is_answer(blocks, place + 1)
    ]
    return frozenset(places if len(places) >= _FEWEST_BARE else ())
