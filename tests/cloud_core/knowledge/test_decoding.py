import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_core.knowledge.documents import Unreadable
from cloud_core.knowledge.ingest.decoding import decode

pytestmark = pytest.mark.unit

SIMPLIFIED = "退货政策：商品签收后三十天内可以退货，运费由顾客承担。请保留发票和原包装。"
TRADITIONAL = "退貨政策：商品簽收後三十天內可以退貨，運費由顧客承擔。請保留發票和原包裝。"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (SIMPLIFIED, "utf-8"),
        (SIMPLIFIED, "utf-8-sig"),
        (SIMPLIFIED, "gb18030"),
        (TRADITIONAL, "big5"),
        (SIMPLIFIED + "\nTel 12345 67890\n", "utf-16"),
        (SIMPLIFIED + "\nTel 12345 67890\n", "utf-16-le"),
        (SIMPLIFIED + "\nTel 12345 67890\n", "utf-16-be"),
        (SIMPLIFIED, "utf-32"),
        ("The café's crème brûlée costs £4.", "cp1252"),
    ],
)
def test_the_encoding_is_found(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


def test_a_declared_encoding_is_tried_first() -> None:
    assert decode("é".encode("latin-1"), "latin-1") == "é"
    assert decode("退货".encode(), "no-such-encoding") == "退货"


@pytest.mark.parametrize(
    "content", [b"%PDF-1.7 x", b"PK\x03\x04rest", b"\x7fELF\x02", bytes(range(256)) + b"\x00" * 500]
)
def test_what_is_no_text_is_refused_with_a_reason(content: bytes) -> None:
    with pytest.raises(Unreadable, match="is a"):
        decode(content)


def test_a_stray_nul_is_dropped_and_line_ends_are_one_kind() -> None:
    assert decode(b"one\r\ntwo\rthree\x00" + b" four" * 40).startswith("one\ntwo\nthree four")


@given(st.binary(max_size=400), st.sampled_from([b"", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF32_BE]))
def test_any_bytes_become_text_or_a_refusal(content: bytes, mark: bytes) -> None:
    try:
        text = decode(mark + content)
    except Unreadable:
        return
    assert "\x00" not in text and "\r" not in text
