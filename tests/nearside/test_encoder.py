import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nearside.encoder import DIMENSIONS, MODEL_DIR, TextEncoder
from nearside.errors import ModelError

pytestmark = pytest.mark.unit

any_text = st.text(st.characters(exclude_categories=[]), max_size=300)


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder()


def likeness(encoder: TextEncoder, one: str, other: str) -> float:
    return float(encoder.encode(one).vector @ encoder.encode(other).vector)


def test_its_library_reports_to_nobody_and_keeps_nothing_in_the_users_folder(tmp_path: Path) -> None:
    suppressing = ("CI", "ORT_", "XDG_", "GITHUB_", "TF_BUILD")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(suppressing)}
    code = "from nearside.encoder import TextEncoder; TextEncoder().encode('hello')"
    done = subprocess.run([sys.executable, "-c", code], env=plain | {"HOME": str(tmp_path)}, capture_output=True)
    assert (done.returncode, done.stderr, list(tmp_path.iterdir())) == (0, b"", [])


def test_an_altered_model_is_refused_by_name(tmp_path: Path) -> None:
    shutil.copytree(MODEL_DIR, tmp_path / "model")
    model = tmp_path / "model" / "model.onnx"
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)
    with pytest.raises(ModelError, match="model.onnx is not the file it should be"):
        TextEncoder(tmp_path / "model")


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "SHA256SUMS"])
def test_a_missing_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    shutil.copytree(MODEL_DIR, tmp_path / "model")
    (tmp_path / "model" / name).unlink()
    with pytest.raises(ModelError, match=f"cannot read {name}"):
        TextEncoder(tmp_path / "model")


def test_vectors_have_384_dimensions_and_length_one(encoder: TextEncoder) -> None:
    vector = encoder.encode("How do I return an item?").vector
    assert vector.shape == (DIMENSIONS,) and vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_a_paraphrase_is_nearer_than_another_question(encoder: TextEncoder) -> None:
    question = "How long do I have to return something?"
    assert likeness(encoder, question, "What is the return period?") > 0.6
    assert likeness(encoder, question, "Where are your stores?") < 0.3


def test_chinese_is_near_to_its_english_meaning(encoder: TextEncoder) -> None:
    assert likeness(encoder, "运费多少钱？", "How much does shipping cost?") > 0.8
    assert likeness(encoder, "退款多久到账", "how long does a refund take") > 0.6
    assert likeness(encoder, "退货怎么办", "营业时间") < 0.5


def test_unknown_share_tells_what_the_model_can_read(encoder: TextEncoder) -> None:
    assert encoder.encode("How do I return an item?").unknown_share == 0
    assert encoder.encode("怎么退货？").unknown_share == 0
    assert encoder.encode("床前明月光疑是地霜举头望明").unknown_share > 0.5
    assert encoder.encode("").unknown_share == 1


def test_the_same_text_gives_the_same_vector_alone_repeated_and_among_others(encoder: TextEncoder) -> None:
    text = "Do you ship to Norway?"
    alone = encoder.encode(text).vector
    many = encoder.encode_many(["a much longer text about something else entirely, with commas", text, "hi", text])
    for encoding in (encoder.encode(text), many[1], many[3], TextEncoder().encode(text)):
        assert np.array_equal(encoding.vector, alone)


def test_threads_share_one_encoder(encoder: TextEncoder) -> None:
    texts = [f"question number {number} about the parcel" for number in range(12)]
    expected = [encoder.encode(text).vector for text in texts]
    results: dict[int, list[np.ndarray]] = {}

    def run(name: int) -> None:
        results[name] = [encoder.encode(text).vector for text in texts]

    threads = [threading.Thread(target=run, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(results[name], expected) for name in range(4))


def test_progress_counts_the_texts(encoder: TextEncoder) -> None:
    seen: list[int] = []
    encoder.encode_many(["a", "b", "c"], seen.append)
    assert seen == [1, 2, 3]


@settings(max_examples=60, deadline=None)
@given(any_text)
@example("")
@example("\0")
@example("\ud800 lone \udfff surrogates")
@example("🎉👩‍👩‍👧‍👦" * 50)
@example("a" * 100_000)
@example("退货" * 50_000)
@example("word " * 20_000)
def test_no_text_breaks_the_encoder(encoder: TextEncoder, text: str) -> None:
    encoding = encoder.encode(text)
    assert np.all(np.isfinite(encoding.vector))
    assert 0 <= encoding.unknown_share <= 1
