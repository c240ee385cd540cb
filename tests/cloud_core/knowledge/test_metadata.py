from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_core.knowledge.documents import Document, Unreadable
from cloud_core.knowledge.ingest.formats import html, markdown
from cloud_core.knowledge.ingest.metadata import Metadata, described, from_yaml

pytestmark = pytest.mark.unit

ALL = """title: Returns
lang: zh-CN
uri: https://shop.example/returns
tags: [returns, 退货]
audience: members
valid_from: 2026-01-01
valid_until: '2026-12-31'
"""


def test_every_field_is_read_from_front_matter() -> None:
    document = markdown.parse(f"---\n{ALL}author: somebody\n---\ntext".encode())
    assert (document.title, document.lang, document.uri) == ("Returns", "zh", "https://shop.example/returns")
    assert (document.tags, document.audience) == (("returns", "退货"), "members")
    assert (document.valid_from, document.valid_until) == (date(2026, 1, 1), date(2026, 12, 31))


def test_a_page_says_it_in_its_meta_tags() -> None:
    document = html.parse(
        b'<html lang="en"><head><link rel="canonical" href="https://shop.example/r"><title>Returns</title>'
        b'<meta name="nearside:tags" content="returns, refunds"><meta name="nearside:valid_until" content="2026-12-31">'
        b'<meta name="nearside:audience" content="members"><meta name="description" content="x"></head><p>Text.</p>'
    )
    assert (document.title, document.lang, document.uri) == ("Returns", "en", "https://shop.example/r")
    assert (document.tags, document.audience) == (("returns", "refunds"), "members")
    assert document.valid_until == date(2026, 12, 31)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("lang: klingon", "lang is en or zh"),
        ("valid_from: soon", "valid_from is a date like"),
        ("valid_until: 2026-02-30", "broken|valid_until is a date like"),
        ("tags: {a: b}", "tags is a list"),
        (f"tags: {'x' * 65}", "tags is a list"),
        (f"tags: {list(range(51))}", "tags is a list"),
        ("title: [a, b]", "title is a text"),
        (f"uri: {'x' * 2001}", "uri is a text"),
        ("valid_from: 2026-12-31\nvalid_until: 2026-01-01", "valid_until is before valid_from"),
        ("colour: red", "there is no colour .there are title, lang"),
        ("title: [", "one `name: value` per line"),
        ("- a", "one `name: value` per line"),
    ],
)
def test_a_wrong_field_is_named_with_what_it_should_be(line: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        from_yaml(line, "front matter", strict=True)


@pytest.mark.parametrize(
    "tags", ["tags: returns, refunds", "tags: 'returns，refunds；returns'", "tags:\n- returns\n- refunds"]
)
def test_tags_are_a_list_or_one_text(tags: str) -> None:
    assert from_yaml(tags, "front matter").tags == ("returns", "refunds")


def test_what_is_left_out_leaves_the_document_as_it_is() -> None:
    document = Document(title="Own", lang="en", tags=("own",))
    assert described(document, Metadata()) == document
    assert described(document, Metadata(title="Other")).tags == ("own",)
    assert from_yaml("title:\ntags:\nlang:\n", "front matter", strict=True) == Metadata()


@given(st.text(max_size=80))
def test_any_text_is_metadata_or_a_reason(source: str) -> None:
    try:
        from_yaml(source, "front matter", strict=True)
    except Unreadable as error:
        assert "front matter" in error.what
