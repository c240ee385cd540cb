import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_core.knowledge.documents import Block, Document, Kind
from cloud_core.knowledge.ingest.formats import markdown
from cloud_core.knowledge.passages import LONGEST_LIST, TARGET, Piece, passage_ids, size, split

pytestmark = pytest.mark.unit


def cut(source: str) -> list[Piece]:
    return split(markdown.parse(source.encode()))


def test_each_section_is_a_passage_under_its_heading_path() -> None:
    pieces = cut("# Manual\n\nIntro.\n\n## Care\n\nWash it. Dry it.\n\n### Stains\n\nUse soap.\n\n## Parts\n\nA pole.")
    assert pieces == [
        Piece("", "Intro."),
        Piece("Care", "Wash it.\nDry it."),
        Piece("Care › Stains", "Use soap."),
        Piece("Parts", "A pole."),
    ]


def test_a_list_keeps_the_line_that_introduces_it() -> None:
    filler = "This sentence only fills the section up. " * 22
    pieces = cut(f"{filler}\n\nYou need:\n\n- a pole\n- a peg\n- a rope")
    assert pieces[-1].text.endswith("You need:\na pole\na peg\na rope")


def test_a_long_table_repeats_its_header() -> None:
    rows = "\n".join(
        f"| Part number {number} of the long table | {number} euros and some cents |" for number in range(60)
    )
    pieces = cut(f"| Part | Price |\n|---|---|\n{rows}")
    assert len(pieces) > 1
    assert all(piece.text.startswith("Part\t|\tPrice\n") for piece in pieces)
    assert sum(piece.text.count("\n") for piece in pieces) == 60


def test_passages_of_chinese_are_about_as_long_as_those_of_english() -> None:
    chinese = cut("这个句子一共有二十个汉字，正好用来填满段落。" * 60)
    assert all(250 <= len(piece.text) <= 420 for piece in chinese[:-1])


def test_a_line_without_end_is_cut_at_spaces() -> None:
    pieces = cut("word " * 5_000)
    assert all(size(piece.text) <= TARGET + 1 for piece in pieces)
    assert " ".join(piece.text for piece in pieces).split() == ["word"] * 5_000


def test_ids_follow_the_content_and_not_the_place() -> None:
    before = [Piece("Care", "Wash it."), Piece("Care", "Dry it."), Piece("Care", "Dry it.")]
    after = [Piece("New", "Hello."), *before]
    ids, later = passage_ids("a.md", "Manual", before), passage_ids("a.md", "Manual", after)
    assert later[1:] == ids
    assert len(set(later)) == 4
    assert all(one.startswith("a.md#") for one in later)


BLOCKS = st.builds(
    Block,
    kind=st.sampled_from(list(Kind)),
    text=st.text(alphabet="abc. 中文。:\t|", min_size=1, max_size=400).map(str.strip).filter(bool),
    level=st.integers(1, 3),
    group=st.integers(0, 3),
    header=st.booleans(),
)


@given(st.lists(BLOCKS, max_size=12))
def test_nothing_is_lost_and_no_passage_is_too_long(blocks: list[Block]) -> None:
    pieces = split(Document(title="T", blocks=tuple(blocks)))
    said = re.sub(r"\s", "", "".join(piece.text for piece in pieces))
    for block in blocks:
        if block.kind is not Kind.HEADING and size(block.text) < TARGET:
            assert re.sub(r"\s", "", block.text) in said
    assert all(size(piece.text) <= LONGEST_LIST + TARGET for piece in pieces)
