"""What of web pages, slides and printed pages is read, and what is left out."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cloud_core.knowledge.documents import Unreadable
from cloud_core.knowledge.ingest.formats import html, pdf, pptx, readers
from cloud_core.knowledge.ingest.sources import ARCHIVE
from cloud_core.knowledge.passages import Piece, split
from tests.cloud_core.knowledge import files

pytestmark = pytest.mark.unit

SHOP = """<html lang="en"><head><title>Returns | Shop</title></head><body>
<a class="skip-link" href="#c">Skip to content</a>
<header class="site-header"><div>Larkspur</div><ul class="main-nav"><li><a href="/">Home</a></li></ul></header>
<div id="cookie-banner" role="region">We use cookies. <a href="/c">Settings</a></div>
<div class="breadcrumbs"><a href="/">Home</a> / <a href="/help">Help</a></div>
<div class="content menu"><h1>Returns</h1><p>Send items back within 60 days.</p>
<div class="menu-of-the-day"><p>Soup, then a <a href="/pie">pie</a> with cream and berries.</p></div>
<table><caption>Costs</caption><tr><th>Zone</th><th>Parcel</th><th>Cost</th></tr>
<tr><td rowspan="2">EU</td><td>small</td><td>4</td></tr><tr><td>large</td><td>9</td></tr></table></div>
<div class="newsletter"><p><a href="/n">Subscribe</a></p></div>
<footer><p>© Larkspur</p></footer></body></html>"""


def said(content: bytes) -> str:
    return "\n".join(block.text for block in html.parse(content).blocks)


def test_what_stands_around_a_page_is_left_out_though_no_part_is_named_the_main_one() -> None:
    assert [block.text for block in html.parse(SHOP.encode()).blocks] == [
        "Returns",
        "Send items back within 60 days.",
        "Soup, then a pie with cream and berries.",
        "Costs",
        "Zone\tParcel\tCost",
        "EU\tsmall\t4",
        "EU\tlarge\t9",
    ]


def test_a_page_about_cookies_is_no_cookie_banner() -> None:
    page = b'<body><div class="cookie-policy"><h1>Cookies</h1><p>We bake them daily.</p></div><p>Call us.</p></body>'
    assert "We bake them daily." in said(page)
    page = b'<body><div class="cookies"><p>We bake them daily, with butter.</p></div><p>Call us.</p></body>'
    assert "with butter" in said(page)


def test_a_page_whose_main_part_is_empty_is_read_as_a_whole() -> None:
    assert said(b"<body><main> </main><div><p>Text.</p></div></body>") == "Text."


@pytest.mark.parametrize("span", ["0", "-1", "99999999999", "x", "²", "100000"])
def test_a_span_that_makes_no_sense_costs_nothing(span: str) -> None:
    page = f'<table><tr><th>A<th>B</tr><tr><td rowspan="{span}" colspan="{span}">1<td>2</tr></table>'
    assert "A" in said(page.encode())


def test_slides_are_sections_with_lists_tables_and_notes() -> None:
    document = pptx.parse(files.slides())
    assert document.title == "Rental terms"
    assert document.remarks == ("hidden and left out: slide 3", "no text on slide 4")
    assert split(document) == [
        Piece("", "3 to 21 days\nA deposit of 50 euros\nMembers pay no deposit."),
        Piece("Prices", "Item\tPer day\nTent\t12 euros\nAsk at the desk."),
        Piece("", "Free delivery from 50 euros"),
    ]


@pytest.mark.parametrize("content", [files.word_file(), b"PK\x03\x04", files.slides()[:-300]])
def test_what_is_no_presentation_is_refused(content: bytes) -> None:
    with pytest.raises(Unreadable, match="PowerPoint"):
        pptx.parse(content)


def test_the_tables_of_a_pdf_are_rows_under_their_header() -> None:
    rows = ("Item", "Per day", "Deposit"), ("Tent", "12 euros", "50 euros"), ("Stove", "4 euros", "none")
    (piece,) = split(pdf.parse(files.pdf_table(*rows, ("", "and more", ""), below="That is all.")))
    assert piece.text.split("\n") == [
        "Item\tPer day\tDeposit",
        "Tent\t12 euros\t50 euros",
        "Stove\t4 euros and more\tnone",
        "That is all.",
    ]


def test_every_cell_of_the_demo_pdf_stands_in_its_column() -> None:
    path = Path(__file__).parents[3] / "demo" / "documents" / "stove-ember.en.pdf"
    rows = [block.text for block in pdf.parse(path.read_bytes()).blocks if block.kind == "row"]
    assert "Boil time, 1 litre at 20 °C\t3 minutes 40 seconds" in rows
    assert "Smell of gas\tO-ring missing or cracked\tClose the valve and replace the O-ring" in rows
    assert len(rows) == 12


def test_a_list_whose_marks_stand_apart_is_no_table() -> None:
    page = files.pdf_table(("1.", "Open the valve."), ("2.", "Light the gas."), ("3.", "Close the valve."))
    assert [(block.kind, block.text) for block in pdf.parse(page).blocks] == [
        ("item", "Open the valve."),
        ("item", "Light the gas."),
        ("item", "Close the valve."),
    ]


def test_heads_that_differ_on_left_and_right_pages_are_left_out_and_numbers_in_the_text_stay() -> None:
    heads = ("Larkspur manual", "Care of tents")
    pages = [
        "\n".join((heads[n % 2], f"Fact {name} stands here.", "second", "12", "fourth", "fifth", "sixth", f"- {n} -"))
        for n, name in enumerate("abcdefgh")
    ]
    found = " ".join(block.text for block in pdf.parse(files.pdf(*pages)).blocks)
    assert "Fact a" in found and "Fact h" in found and "12" in found
    assert "Larkspur" not in found and "Care of" not in found and "- 3" not in found


def test_a_scanned_page_is_reported_and_read_where_text_recognition_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scan = files.scanned_pdf()
    with pytest.raises(Unreadable, match="no text layer .a scan"):
        pdf.parse(scan)
    seen: list[NDArray[np.uint8]] = []

    def recognise(picture: NDArray[np.uint8]) -> list[str]:
        seen.append(picture)
        return ["Tents are rented out.", " "]

    monkeypatch.setattr(pdf, "recogniser", lambda: recognise)
    document = pdf.parse(scan)
    assert [block.text for block in document.blocks] == ["Tents are rented out."]
    assert document.remarks == ("text recognised on page 1",)
    assert seen[0].shape == (2200, 1700) and seen[0].dtype == np.uint8 and seen[0].min() < 10


def test_the_manual_names_every_ending_that_is_read() -> None:
    manual = (Path(__file__).parents[3] / "docs" / "core.md").read_text()
    for ending in (*readers(), ARCHIVE):
        assert f"`{ending}`" in manual
