from __future__ import annotations

import gzip

import pytest

from edge_node.web.widget import STATIC, chat_page, chat_page_policy, widget_etag, widget_source

pytestmark = pytest.mark.unit

FORBIDDEN = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", 'style="')

LARGEST_GZIPPED = 40 * 1024


def test_the_widget_stays_small() -> None:
    assert len(gzip.compress(widget_source())) <= LARGEST_GZIPPED


def test_every_part_is_in_the_one_script() -> None:
    source = widget_source().decode()
    for part in (STATIC / "widget").glob("*.js"):
        assert part.read_text(encoding="utf-8") in source


def test_no_part_parses_markup_or_evaluates_text() -> None:
    source = widget_source().decode()
    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        'style="',
    ):
        assert forbidden not in source


def test_the_etag_names_the_content() -> None:
    assert widget_etag() == widget_etag()
    assert widget_etag().startswith('"') and len(widget_etag()) == 34


def test_the_chat_page_escapes_what_it_is_given() -> None:
    page = chat_page(tenant_id="demo", name='<script>"&{{nonce}}', lang="zh", nonce="n0nce")
    assert '<script>"' not in page
    assert "&lt;script&gt;&quot;&amp;{{nonce}}" in page
    assert page.count("n0nce") == 1
    assert 'lang="zh"' in page and 'data-tenant="demo"' in page


def test_the_policy_allows_no_inline_script() -> None:
    policy = chat_page_policy("n0nce")
    assert "default-src 'none'" in policy and "script-src 'self';" in policy and "style-src 'nonce-n0nce'" in policy
    assert "unsafe" not in policy
