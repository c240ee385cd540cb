import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_core.knowledge.documents import Document, Kind, Unreadable
from cloud_core.knowledge.ingest.formats import docx, html, markdown, pdf, readers, text
from tests.cloud_core.knowledge import files

pytestmark = pytest.mark.unit

MARKDOWN = b"""---
title: Rental terms
lang: en
uri: https://shop.example/rental
---
# Rental terms

Tents can be **rented** for 3 to 21 days,
see [prices](prices.html).

## Prices

| Item | Per day |
|------|:-------:|
| Tent | \xe2\x82\xac12 |
|Stove|\xe2\x82\xac4|

Bring along:

- an identity card
- a deposit,
  in cash

1. Sign
2. Pay
<!-- not for customers -->
Late fees
---------
```
code 42
```
"""


def shown(document: Document) -> list[tuple[str, str]]:
    return [(block.kind.value, block.text) for block in document.blocks]


def test_every_format_of_the_folder_is_offered() -> None:
    assert {".md", ".html", ".txt", ".pdf", ".docx"} <= readers().keys()


def test_markdown_keeps_headings_lists_tables_and_front_matter() -> None:
    document = markdown.parse(MARKDOWN)
    assert (document.title, document.lang, document.uri) == ("Rental terms", "en", "https://shop.example/rental")
    assert shown(document) == [
        ("heading", "Rental terms"),
        ("paragraph", "Tents can be **rented** for 3 to 21 days, see [prices](prices.html)."),
        ("heading", "Prices"),
        ("row", "Item\t|\tPer day"),
        ("row", "Tent\t|\t€12"),
        ("row", "Stove|€4"),
        ("paragraph", "Bring along:"),
        ("item", "an identity card"),
        ("item", "a deposit, in cash"),
        ("item", "Sign"),
        ("item", "Pay"),
        ("heading", "Late fees"),
        ("paragraph", "code 42"),
    ]
    assert [block.header for block in document.blocks if block.kind is Kind.ROW] == [True, False, False]


@pytest.mark.parametrize("front", [b"title: [", b"lang: klingon", b"- a list", b"title: {a: b"])
def test_broken_front_matter_is_a_reason_not_a_crash(front: bytes) -> None:
    with pytest.raises(Unreadable, match="front matter"):
        markdown.parse(b"---\n" + front + b"\n---\ntext")


def test_html_gives_the_main_text_without_scripts_and_navigation() -> None:
    document = html.parse(
        """<html lang="zh-CN"><head><title>配送 - 商店</title><script>alert("偷")</script></head><body>
        <nav>首页 购物车</nav><main><h1>配送</h1><p>寄往海岛加收 11.50 欧元，
        需多三天。</p><p style="display:none">隐藏</p>
        <table><tr><th>地区</th><th>费用</th></tr><tr><td>海岛</td><td>11.50 欧元</td></tr></table>
        <ul><li>气罐<b>不能</b>空运</li><li>刀具<ul><li>须满 18 岁</li></ul></li></ul></main>
        <footer>版权</footer></body></html>""".encode()
    )
    assert (document.title, document.lang) == ("配送", "zh")
    assert shown(document) == [
        ("heading", "配送"),
        ("paragraph", "寄往海岛加收 11.50 欧元，需多三天。"),
        ("row", "地区\t费用"),
        ("row", "海岛\t11.50 欧元"),
        ("item", "气罐不能空运"),
        ("item", "刀具"),
        ("item", "须满 18 岁"),
    ]


def test_html_in_a_declared_legacy_encoding_is_read() -> None:
    page = '<meta charset="gbk"><p>可以退货。</p>'.encode("gbk")
    assert shown(html.parse(page)) == [("paragraph", "可以退货。")]


def test_html_that_nests_without_end_is_read_without_recursion() -> None:
    document = html.parse(b"<div>" * 20_000 + b"deep" + b"</div>" * 20_000)
    assert "deep" in "".join(block.text for block in document.blocks)


def test_a_layout_table_is_read_as_text() -> None:
    page = b"<table><tr><td><p>One.</p><table><tr><td>a</td><td>1</td></tr></table></td></tr></table>"
    assert shown(html.parse(page)) == [("paragraph", "One."), ("row", "a 1")]


def test_a_table_without_a_header_reads_as_lines_of_text() -> None:
    page = b"<table><tr><th>Weight</th><td>2 kg</td></tr><tr><th>Colour</th><td>red</td></tr></table>"
    assert shown(html.parse(page)) == [("row", "Weight 2 kg"), ("row", "Colour red")]
    page = b"<table><tr><td>Weight</td><td>2 kg</td></tr><tr><td>Colour</td><td>red</td></tr></table>"
    assert shown(html.parse(page)) == [("row", "Weight 2 kg"), ("row", "Colour red")]


def test_html_drops_what_nests_in_what_is_dropped() -> None:
    page = b"<nav><button>x<script>1</script></button></nav><p hidden>no<i hidden>no</i></p><p>yes</p>"
    assert shown(html.parse(page)) == [("paragraph", "yes")]


def test_plain_text_finds_headings_items_and_paragraphs() -> None:
    document = text.parse(
        b"Rental terms\n============\n\nTents are\nrented out.\n\n- a card\n- a deposit\n\nLate fees\n\nPay more.\n"
    )
    assert document.title == "Rental terms"
    assert shown(document) == [
        ("heading", "Rental terms"),
        ("paragraph", "Tents are rented out."),
        ("item", "a card"),
        ("item", "a deposit"),
        ("heading", "Late fees"),
        ("paragraph", "Pay more."),
    ]


def test_word_keeps_headings_lists_and_tables_in_order() -> None:
    document = docx.parse(files.word_file())
    assert shown(document) == [
        ("heading", "Rental terms"),
        ("paragraph", "Tents can be rented for 3 to 21 days."),
        ("heading", "Prices"),
        ("row", "Item\tPer day"),
        ("row", "Tent\t€12"),
        ("row", "Stove\t€4"),
        ("heading", "Bring along"),
        ("item", "an identity card"),
        ("item", "a deposit of €50"),
    ]


def test_pdf_lines_become_headings_and_paragraphs() -> None:
    wide = "Tents can be rented for three to twenty-one days in every store that has a workshop,"
    document = pdf.parse(files.pdf(f"# Rental terms\n{wide}\nand longer on request.\n# Prices\nA tent costs 12 euros."))
    assert document.title == "Rental terms"
    assert shown(document) == [
        ("heading", "Rental terms"),
        ("paragraph", f"{wide} and longer on request."),
        ("heading", "Prices"),
        ("paragraph", "A tent costs 12 euros."),
    ]


def test_running_heads_and_page_numbers_of_a_pdf_are_left_out() -> None:
    pages = [f"Larkspur manual\nFact number {name} stands here.\n{number}" for number, name in enumerate("abcd")]
    found = " ".join(block.text for block in pdf.parse(files.pdf(*pages)).blocks)
    assert "Fact number a" in found and "Fact number d" in found
    assert "Larkspur manual" not in found and " 3" not in found


def test_a_page_without_text_is_remarked() -> None:
    assert pdf.parse(files.pdf("Some text.", "")).remarks == ("no text on page 2",)


@pytest.mark.parametrize(
    ("parse", "content", "reason"),
    [
        (pdf.parse, files.pdf("Some text.")[:200], "damaged"),
        (pdf.parse, b"# not a pdf", "not a PDF"),
        (pdf.parse, files.pdf(""), "no text layer"),
        (pdf.parse, files.encrypted_pdf(), "encrypted"),
        (docx.parse, b"PK\x03\x04 broken", "not a Word file"),
        (docx.parse, files.pdf("Some text."), "not a Word file"),
        (docx.parse, b"\xd0\xcf\x11\xe0" + b"\x00" * 600, "encrypted"),
        (docx.parse, files.zip_bomb(), "unpacks"),
        (docx.parse, files.word_file()[:-400], "Word file"),
        (text.parse, files.pdf("Some text."), "is a PDF"),
        (markdown.parse, files.word_file(), "zip or Office"),
    ],
)
def test_a_hostile_file_is_refused_with_a_reason(
    parse: Callable[[bytes], Document], content: bytes, reason: str
) -> None:
    with pytest.raises(Unreadable, match=reason):
        parse(content)


def test_the_demo_pdf_and_docx_hold_their_facts() -> None:
    documents = Path(__file__).parents[3] / "demo" / "documents"
    for name, parse in (("*.pdf", pdf.parse), ("*.docx", docx.parse)):
        for path in documents.glob(name):
            document = parse(path.read_bytes())
            assert document.title
            assert {Kind.HEADING, Kind.PARAGRAPH} <= {block.kind for block in document.blocks}


PLAIN = st.text(alphabet="ab #-*|=1.。中 文\n\t_`[]()!:", max_size=300)


@given(PLAIN)
def test_markdown_blocks_are_verbatim(source: str) -> None:
    squeezed = re.sub(r"\s+", "", source)
    for block in markdown.parse(f"x\n\n{source}".encode()).blocks:
        assert re.sub(r"\s+", "", block.text) in f"x{squeezed}"


@given(PLAIN)
def test_text_blocks_are_verbatim_and_complete(source: str) -> None:
    squeezed = re.sub(r"\s+", "", source)
    for block in text.parse(source.encode()).blocks:
        assert re.sub(r"\s+", "", block.text) in squeezed


@given(st.sampled_from([".md", ".html", ".txt", ".docx", ".pdf"]), st.binary(max_size=300))
def test_any_bytes_become_a_document_or_a_refusal(ending: str, content: bytes) -> None:
    try:
        readers()[ending](content)
    except Unreadable as error:
        assert error.what


@given(st.text(alphabet=st.sampled_from("<>/=\"' abdivlitrhp中&;#1"), max_size=200))
def test_any_tag_soup_becomes_a_document(soup: str) -> None:
    html.parse(f"<body>{soup}".encode())


@given(st.integers(0, 3000), st.integers(0, 255))
def test_a_pdf_with_a_wrong_byte_becomes_a_document_or_a_refusal(place: int, value: int) -> None:
    content = bytearray(files.pdf("# Title\nSome text here.", "More."))
    content[place % len(content)] = value
    try:
        pdf.parse(bytes(content))
    except Unreadable as error:
        assert error.what
