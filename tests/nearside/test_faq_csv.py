from pathlib import Path

import pytest

from nearside.content import FaqEntry, load_all_faq, load_faq_table
from nearside.errors import ContentError

pytestmark = pytest.mark.unit

HEAD = "question,variants,answer,lang\n"


def table(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    (folder / "faq.csv").write_bytes(text.encode(encoding))
    return folder / "faq.csv"


def test_each_row_is_a_question_with_its_variants_and_its_answer(tmp_path: Path) -> None:
    (entry,) = load_faq_table(table(tmp_path, HEAD + 'How much is it?,"what does it cost | price",€5.,en\n'))
    assert entry.en and entry.zh is None
    assert (entry.en.question, entry.en.variants) == ("How much is it?", ("what does it cost", "price"))
    assert entry.en.answer == "€5."
    assert entry.id.startswith("how-much-is-it-")


def test_rows_of_one_id_are_one_entry_in_two_languages(tmp_path: Path) -> None:
    rows = "price,How much?,,5,en\nprice,多少钱？,几块钱|价格,五,zh\n"
    (entry,) = load_faq_table(table(tmp_path, "id," + HEAD + rows))
    assert entry.id == "price" and entry.en and entry.zh
    assert (entry.en.answer, entry.zh.answer, entry.zh.variants) == ("5", "五", ("几块钱", "价格"))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_what_spreadsheets_write_is_read(tmp_path: Path, delimiter: str, newline: str) -> None:
    """A mark at the beginning, their own delimiter and line ends, line breaks in a cell, empty rows."""
    rows = [["Question", "Variants", "Answer", "Lang"], ["How?", '"a\nb"', '"Say ""so"""', "EN"], ["", "", "", ""]]
    text = newline.join(delimiter.join(row) for row in rows) + newline
    (entry,) = load_faq_table(table(tmp_path, text, "utf-8-sig"))
    assert entry.en and (entry.en.variants, entry.en.answer) == (("a", "b"), 'Say "so"')


def test_a_chinese_question_has_an_id_that_stays(tmp_path: Path) -> None:
    (one,) = load_faq_table(table(tmp_path, HEAD + "多少钱？,,五,zh\n"))
    (other,) = load_faq_table(table(tmp_path, HEAD + "多少钱？,价格,六,zh\n"))
    assert one.id == other.id


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (HEAD + "a,,b,en\nc,,d,fr\n", 3, "lang: fr is no language — .* — write en or zh"),
        (HEAD + "a,,b\n", 2, "lang is missing"),
        (HEAD + '"a\nb\nc",,d,en\n,,x,en\n', 5, "question"),
        (HEAD + "a,,,en\n", 2, "answer"),
        (HEAD + f"{'x' * 501},,b,en\n", 2, "question"),
        (HEAD + "a,,b,en,c\n", 2, "more cells than columns"),
        (HEAD + "a,,b,en\nA,,b,en\na,,c,en\n", 4, "a second entry is called a-"),
        ("question,answer,lang\n", 1, "the column variants is missing"),
        ("question,variants,answr,lang\n", 1, "unknown column answr — .* — did you mean answer"),
        ("question,question,variants,answer,lang\n", 1, "a column stands there twice"),
        (HEAD + 'a,,"b,en\n', 2, "not CSV"),
        ("id," + HEAD + "Bad Id,a,,b,en\n", 2, "id"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, line: int, told: str) -> None:
    with pytest.raises(ContentError, match=told) as error:
        load_faq_table(table(tmp_path, text))
    assert error.value.where == f"{tmp_path / 'faq.csv'}:{line}"


def test_a_table_and_a_yaml_file_go_together_but_not_with_one_id(tmp_path: Path) -> None:
    (tmp_path / "faq.yaml").write_text("- id: price\n  en: {question: How much?, answer: '5'}\n")
    table(tmp_path, "id," + HEAD + "hours,When?,,Now,en\n")
    assert [entry.id for entry in load_all_faq(tmp_path)] == ["price", "hours"]
    table(tmp_path, "id," + HEAD + "price,When?,,Now,en\n")
    with pytest.raises(ContentError, match="a second entry is called price"):
        load_all_faq(tmp_path)


def test_an_empty_table_holds_nothing(tmp_path: Path) -> None:
    nothing: tuple[FaqEntry, ...] = ()
    assert load_faq_table(table(tmp_path, "")) == load_faq_table(tmp_path / "none.csv") == nothing
    assert load_faq_table(table(tmp_path, HEAD)) == nothing


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_spreadsheets_line_about_its_delimiter_is_heeded_and_counted(tmp_path: Path, delimiter: str) -> None:
    row = delimiter.join(["How?", "a", '"So, and so; thus."', "en"])
    text = f"sep={delimiter}\n" + HEAD.replace(",", delimiter) + row
    (entry,) = load_faq_table(table(tmp_path, text))
    assert entry.en and entry.en.answer == "So, and so; thus."
    with pytest.raises(ContentError, match=r"faq\.csv:4"):
        load_faq_table(table(tmp_path, text + "\n" + delimiter.join(["Why?", "", "So.", "xx"])))


def test_columns_that_were_emptied_at_the_right_are_none(tmp_path: Path) -> None:
    (entry,) = load_faq_table(table(tmp_path, "question,variants,answer,lang,,\nHow?,a,So.,en,,\n"))
    assert entry.en and entry.en.answer == "So."


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x0b", "\x0c", "\x85"])
def test_a_row_ends_at_a_line_end_and_nowhere_else(tmp_path: Path, odd: str) -> None:
    (entry,) = load_faq_table(table(tmp_path, f"{HEAD}How?,a,So{odd}so.,en\n"))
    assert entry.en and entry.en.answer == f"So{odd}so."


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "cp1252"])
def test_another_encoding_is_refused_with_the_way_out(tmp_path: Path, encoding: str) -> None:
    text = "¿Cuánto?,,5 €,en\n" if encoding == "cp1252" else "多少钱？,,五,zh\n"
    with pytest.raises(ContentError, match=r"not UTF-8 — .*faq\.csv:1 — .*CSV UTF-8"):
        load_faq_table(table(tmp_path, HEAD + text, encoding))
