import io

import pytest
from docx import Document as word_document
from hypothesis import given
from hypothesis import strategies as st

from cloud_core.knowledge.documents import Block, Kind
from cloud_core.knowledge.ingest.formats import docx, html, markdown, text
from cloud_core.knowledge.passages import split
from cloud_core.knowledge.questions import headed

pytestmark = pytest.mark.unit

ANSWERED = [("Can I return it?", "Yes, you can."), ("Who pays?", "You do.")]


def cut(source: str) -> list[tuple[str, str]]:
    return [(piece.heading, piece.text) for piece in split(markdown.parse(source.encode()))]


@pytest.mark.parametrize(
    "source",
    [
        "Q: Can I return it?\nA: Yes, you can.\n\nQ: Who pays?\nA: You do.\n",
        "Q1. Can I return it?\n\nA1. Yes, you can.\n\nQ2. Who pays?\n\nA2. You do.\n",
        "**Can I return it?**\n\nYes, you can.\n\n**Who pays?**\nYou do.\n",
        "**Q: Can I return it?**\n\n**A:** Yes, you can.\n\n**Q: Who pays?**\n\n**A:** You do.\n",
        "Question: Can I return it?\n\nAnswer: Yes, you can.\n\nQuestion: Who pays?\n\nAnswer: You do.\n",
    ],
)
def test_a_marked_question_heads_its_answer(source: str) -> None:
    assert cut(source) == ANSWERED


def test_chinese_questions_are_known_by_their_marks() -> None:
    source = "问：可以退货吗？\n答：可以。\n\n问题2：怎么付款？\n\n答案：微信。\n\n問：在哪裡？\n\n答：在杭州。\n"
    assert cut(source) == [("可以退货吗？", "可以。"), ("怎么付款？", "微信。"), ("在哪裡？", "在杭州。")]


def test_plain_questions_count_only_where_there_are_several() -> None:
    pairs = ("Is it warm?", "Very."), ("Is it light?", "It is."), ("Is it dry?", "Always.")
    assert cut("\n\n".join(part for pair in pairs for part in pair)) == list(pairs)
    assert cut("Who would sleep in the rain?\n\nNobody. So buy a tent.") == [
        ("", "Who would sleep in the rain?\nNobody.\nSo buy a tent.")
    ]


def test_a_list_of_questions_without_answers_stays_a_list() -> None:
    source = "Ask yourself:\n\n- Is it warm?\n- Is it light?\n- Is it dry?\n- Is it mine?\n"
    assert cut(source) == [("", "Ask yourself:\nIs it warm?\nIs it light?\nIs it dry?\nIs it mine?")]


def test_a_long_answer_keeps_its_question_in_every_passage() -> None:
    answer = "This sentence only makes the answer longer. " * 60
    pieces = cut(f"# Help\n\nQ: Can I return it?\n\nA: {answer}")
    assert len(pieces) > 1
    assert {heading for heading, _ in pieces} == {"Can I return it?"}


def test_details_definition_lists_and_accordions_of_a_page_head_their_answers() -> None:
    page = b"""<body><main><h1>Help</h1><details><summary>Worn shoes?</summary><p>No.</p><ul><li>Clean</li></ul>
        </details>
        <p>Between.</p><h2><button aria-controls="p1">How long?</button></h2><div id="p1" hidden>Ten days.</div>
        <h2>Terms</h2><dl><dt>Window</dt><dd>60 days</dd><dt>Is it free?</dt><dd>For members.</dd></dl></main>"""
    assert [(piece.heading, piece.text) for piece in split(html.parse(page))] == [
        ("Worn shoes?", "No.\nClean"),
        ("", "Between."),
        ("How long?", "Ten days."),
        ("Terms", "Window: 60 days"),
        ("Terms › Is it free?", "For members."),
    ]


def test_questions_are_found_in_other_formats_too() -> None:
    lines = ["Q: Can I return it?", "A: Yes, you can.", "Q: Who pays?", "A: You do."]
    plain = "\n".join((*lines[:2], "", *lines[2:])).encode()
    for document in (text.parse(plain), docx.parse(document_of(*lines))):
        assert [(piece.heading, piece.text) for piece in split(document)] == ANSWERED


def document_of(*paragraphs: str) -> bytes:
    document = word_document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


@given(
    st.lists(
        st.builds(
            Block,
            kind=st.sampled_from(list(Kind)),
            text=st.text(alphabet="QA:?？. *答问1b", min_size=1, max_size=40).map(str.strip).filter(bool),
        ),
        max_size=8,
    )
)
def test_marks_are_all_that_is_taken_away(blocks: list[Block]) -> None:
    before = "".join(block.text for block in blocks)
    after = "".join(block.text for block in headed(blocks))
    assert before.count("b") == after.count("b")
    assert len(after) <= len(before)
