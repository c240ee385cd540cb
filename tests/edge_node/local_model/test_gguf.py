"""A file that an operator was given: whatever it holds, it is read in bounds and refused in one line."""

import io
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_node.local_model import gguf
from edge_node.local_model.gguf import read_header
from nearside.errors import ModelError
from tests import tiny_gguf

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return tiny_gguf.write(tmp_path_factory.mktemp("gguf") / "tiny.gguf", "Yes. It is so.").read_bytes()


def refusal(raw: bytes) -> str:
    with pytest.raises(ModelError) as raised:
        read_header(io.BytesIO(raw), len(raw), "the file")
    line = str(raised.value)
    assert "\n" not in line and line.isprintable() and "the file" in line and len(line) < 300
    return line


def test_a_model_says_what_it_is(whole: bytes) -> None:
    header = read_header(io.BytesIO(whole), len(whole), "the file")
    assert (header.architecture, header.licence, header.context) == ("llama", "apache-2.0", 4096)
    assert header.needed_bytes == len(whole)


def test_a_file_cut_off_is_noticed_wherever_it_was_cut(whole: bytes) -> None:
    for length in (*range(4, 3000, 97), len(whole) // 2, len(whole) - 32, len(whole) - 1):
        assert "cut off" in refusal(whole[:length]) or "damaged" in refusal(whole[:length])


def test_another_kind_of_file_is_no_model() -> None:
    for raw in (b"", b"GG", b"%PDF-1.7 and so on", bytes(1000), b"{}"):
        refusal(raw)
    assert "not a GGUF file" in refusal(b"GGML" + bytes(100))


@pytest.mark.parametrize(
    ("what", "raw"),
    [
        ("version", struct.pack("<4sIQQ", b"GGUF", 99, 1, 1)),
        ("tensors", struct.pack("<4sIQQ", b"GGUF", 3, 1 << 60, 1)),
        ("keys", struct.pack("<4sIQQ", b"GGUF", 3, 1, 1 << 60)),
        ("text", struct.pack("<4sIQQQ", b"GGUF", 3, 0, 1, 1 << 40)),
        ("list", struct.pack("<4sIQQQ1sIIQ", b"GGUF", 3, 0, 1, 1, b"a", 9, 8, 1 << 50)),
        ("lists in lists", struct.pack("<4sIQQQ1sI", b"GGUF", 3, 0, 1, 1, b"a", 9) + struct.pack("<IQ", 9, 1) * 500),
        ("kind", struct.pack("<4sIQQQ1sI", b"GGUF", 3, 0, 1, 1, b"a", 77)),
    ],
)
def test_a_description_that_claims_too_much_is_not_believed(what: str, raw: bytes) -> None:
    assert "GGUF" in refusal(raw + bytes(64))


def test_what_is_no_language_model_is_refused(whole: bytes) -> None:
    assert "architecture" in refusal(whole.replace(b"general.architecture", b"general.architectura"))
    assert "no language model" in refusal(whole.replace(b"llama.block_count", b"llama.block_kount"))


@given(st.binary(max_size=400))
def test_random_bytes_after_the_magic_end_in_a_refusal(raw: bytes) -> None:
    refusal(gguf.MAGIC + struct.pack("<I", 3) + raw)


@given(st.data())
def test_a_damaged_description_is_read_or_refused(whole: bytes, data: st.DataObject) -> None:
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(4, 3000))] = data.draw(st.integers(0, 255))
    try:
        header = read_header(io.BytesIO(bytes(damaged)), len(damaged), "the file")
    except ModelError as error:
        assert "\n" not in str(error)
    else:
        assert header.architecture.isprintable()


def test_the_tiny_model_is_small(tmp_path: Path) -> None:
    assert tiny_gguf.write(tmp_path / "tiny.gguf", "You may return it. " * 20).stat().st_size < 2_000_000
