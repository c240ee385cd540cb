import csv
import io
from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_core.knowledge.documents import Document, Kind, Unreadable
from cloud_core.knowledge.ingest.formats import separated, spreadsheet
from cloud_core.knowledge.ingest.number_formats import Value, shown
from cloud_core.knowledge.ingest.records import records_of
from cloud_core.knowledge.passages import TARGET, Piece, size, split
from tests.cloud_core.knowledge import files

pytestmark = pytest.mark.unit


def cut(content: bytes) -> list[tuple[str, str]]:
    return [(piece.heading, piece.text) for piece in split(separated.parse(content))]


def test_a_workbook_becomes_records_as_a_person_reads_them() -> None:
    document = spreadsheet.parse(files.workbook())
    assert document.remarks == ("the hidden sheet Internal is left out",)
    assert split(document) == [
        Piece(
            "Prices › Price list",
            "Category: Tents; Item: Skua 3; Price: 1,459.00 €; Discount: 15%; Since: 2026-03-01; Code: 007\n"
            "Category: Tents; Item: Skua 2; Price: 399.50 €; Discount: 0%; Since: 2026-03-01; Code: 008",
        ),
        Piece("问答 › 可以退货吗？", "三十天内可以。"),
        Piece("问答 › 怎么付款？", "微信或支付宝。\n备注：仅限门店"),
        Piece("Members", "Model: Skua; Price Members: 400; Price Others: 459"),
    ]


def test_an_old_workbook_and_an_open_document_are_read() -> None:
    assert split(spreadsheet.parse(files.old_workbook())) == [
        Piece("价格", "名称：帐篷；价格：459；颜色：红\n名称：炉子；价格：99；颜色：蓝")
    ]
    assert split(spreadsheet.parse(files.open_document_sheet())) == [
        Piece("Prices", "Item: Tent; Price: 459; Colour: red")
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"PK\x03\x04 broken", "not a spreadsheet"),
        (files.workbook()[:-400], "not a spreadsheet"),
        (files.word_file(), "not a spreadsheet"),
        (b"\xd0\xcf\x11\xe0" + b"\x00" * 600, "not a spreadsheet"),
        (files.zip_bomb(), "unpacks"),
    ],
)
def test_what_is_no_workbook_is_refused_with_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        spreadsheet.parse(content)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"Item;Price;Colour\nTent;12,50;red\n", "Item: Tent; Price: 12,50; Colour: red"),
        (b"Item\tPrice\tColour\nTent\t1,250\tred\n", "Item: Tent; Price: 1,250; Colour: red"),
        (b'Item,Note,Price\nTent,"green, or red",12\n', "Item: Tent; Note: green, or red; Price: 12"),
        (b"sep=|\nItem|Price|Colour\nTent|12|red\n", "Item: Tent; Price: 12; Colour: red"),
        ("名称,价格\n帐篷,￥459\n".encode("gb18030"), "名称：帐篷；价格：￥459"),
        ("名稱,價格\n帳篷與爐具的套裝,459\n".encode("big5"), "名稱：帳篷與爐具的套裝；價格：459"),
        ("Item\tPrice\tColour\nTent\t12\tred\n".encode("utf-16"), "Item: Tent; Price: 12; Colour: red"),
        (b"\xef\xbb\xbfItem,Price\r\nTent,12\r\n", "Item: Tent; Price: 12"),
        (b"Tent,12,red\nStove,4,blue\n", "Tent 12 red\nStove 4 blue"),
        (b"Opening hours,9 to 6\nAddress,Main Street 5\n", "Opening hours: 9 to 6\nAddress: Main Street 5"),
    ],
)
def test_separator_encoding_and_header_of_a_csv_are_found(content: bytes, text: str) -> None:
    assert cut(content) == [("", text)]


def test_captions_sections_and_remarks_of_a_sheet_are_kept_apart_from_its_records() -> None:
    rows = b"Price list,,\nItem,Price,Colour\nTents,,\nSkua,459,red\n,,\nAll prices include VAT.,,\n"
    assert cut(rows) == [("Price list › Tents", "Item: Skua; Price: 459; Colour: red\nAll prices include VAT.")]


def test_a_table_after_an_empty_row_has_its_own_header_or_the_one_above() -> None:
    first = [["Item", "Price"], ["Tent", "4"], ["", ""]]
    said = [block.text for block in records_of([*first, ["Stove", "5"], ["Pan", "6"]])]
    assert said == ["Item: Tent\nPrice: 4", "Item: Stove\nPrice: 5", "Item: Pan\nPrice: 6"]
    said = [block.text for block in records_of([*first, ["Size", "Height"], ["M", "54"]])]
    assert said == ["Item: Tent\nPrice: 4", "Size: M\nHeight: 54"]


def test_a_question_and_its_answer_stay_together() -> None:
    assert cut(b'Question,Answer,Topic\nIs it warm?,"Yes.\nVery.",Tents\n') == [
        ("Is it warm?", "Yes.\nVery.\nTopic: Tents")
    ]


def test_thousands_of_rows_become_passages_of_whole_records() -> None:
    rows = "".join(f"Tent {number},{number}.50 euros,a colour\n" for number in range(5_000))
    pieces = cut(f"Item,Price,Colour\n{rows}".encode())
    lines = [line for _, text in pieces for line in text.split("\n")]
    assert lines == [f"Item: Tent {number}; Price: {number}.50 euros; Colour: a colour" for number in range(5_000)]
    assert all(size(text) <= TARGET * 1.02 for _, text in pieces)


def test_a_long_record_has_a_line_per_column_and_repeats_its_name_when_cut() -> None:
    long = "This sentence only fills the cell up. " * 60
    pieces = cut(f"Item,Colour,Notes\nTent,red,{long}\nStove,blue,short\n".encode())
    assert len(pieces) > 2
    assert all(text.startswith("Item: Tent\n") for _, text in pieces[:-1])
    assert pieces[0][1].startswith("Item: Tent\nColour: red\nNotes: This sentence")
    assert pieces[-1][1].endswith("Item: Stove; Colour: blue; Notes: short")


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (12.0, "", "12"),
        (0.1 + 0.2, "", "0.3"),
        (1e15, "", "1000000000000000"),
        (0.00001, "", "0.00001"),
        (0.125, "0.0%", "12.5%"),
        (0.15, "0%", "15%"),
        (1234.5, "#,##0.00", "1,234.50"),
        (-3, "[$€-407] #,##0.00;[Red]-[$€-407] #,##0.00", "-€ 3.00"),
        (12, '"about "0" pieces"', "about 12 pieces"),
        (1.5, "0.##", "1.5"),
        (2, "0.##", "2"),
        (7, "00000", "00007"),
        (0.5, "# ?/?", "0.5"),
        (5, "@", "5"),
        (5, "0.00E+00", "5"),
        (True, "", "TRUE"),
        (datetime(2026, 3, 1), "", "2026-03-01"),
        (datetime(2026, 3, 1, 9, 30), "", "2026-03-01 09:30"),
        (date(2026, 3, 1), "", "2026-03-01"),
        (time(9, 5), "", "09:05"),
        (timedelta(hours=26, minutes=5), "", "26:05"),
        ("as written", "0%", "as written"),
    ],
)
def test_a_value_is_shown_as_the_sheet_shows_it(value: Value, code: str, text: str) -> None:
    assert shown(value, code) == text


@given(st.floats(), st.text(alphabet='0#?.,%;"€[]$-_*\\E/@ a', max_size=20))
def test_no_number_and_no_format_is_too_strange_to_show(value: float, code: str) -> None:
    assert shown(value, code)


CELL = st.text(alphabet="ab1, \"'\n。问", max_size=8).map(lambda text: f"x{text}")


@given(st.lists(st.lists(CELL, min_size=5, max_size=5), max_size=8))
def test_no_cell_of_a_csv_is_lost(rows: list[list[str]]) -> None:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([["Alpha", "Beta", "Gamma", "Delta", "Epsilon"], *rows])
    blocks = separated.parse(buffer.getvalue().encode()).blocks
    said = "".join("".join(block.text.split()) for block in blocks)
    for cell in (cell for row in rows for cell in row):
        assert "".join(cell.split()) in said


@given(st.lists(st.lists(st.sampled_from(["", "1", "a", "Q", "A", "Name", "x" * 70]), max_size=4), max_size=8))
def test_any_grid_becomes_blocks_with_text(rows: list[list[str]]) -> None:
    blocks = list(records_of(rows))
    assert all(block.text for block in blocks)
    assert not blocks or split(Document(blocks=tuple(blocks))) or all(block.kind is Kind.HEADING for block in blocks)
