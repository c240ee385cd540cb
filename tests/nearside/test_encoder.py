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

from nearside.encoder import BATCH, DIMENSIONS, FEATURES, MAX_PIECES, MODEL_DIR, TextEncoder
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


def test_the_features_are_four_layers_of_the_same_weight_and_the_last_one_is_the_vector(encoder: TextEncoder) -> None:
    encoding = encoder.encode("How do I return an item?")
    layers = encoding.features.reshape(4, DIMENSIONS)
    assert encoding.features.shape == (FEATURES,) and encoding.features.dtype == np.float32
    assert np.linalg.norm(layers, axis=1) == pytest.approx([0.5] * 4, abs=1e-5)
    assert np.allclose(layers[-1] * 2, encoding.vector, atol=1e-6)
    assert np.all((layers[:-1] @ encoding.vector) * 2 < 0.95), "the layers differ"


MIXED = [
    "hi",
    "Do you ship to Norway?",
    "Is there a shop near Oslo?",
    "退货怎么办",
    "",
    "a much longer text about something else entirely, with commas, and with more to say than the others",
    "word " * 400,
    "🎉 ñandú \ud800",
]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from(MIXED) | st.text(max_size=40), min_size=1, max_size=3 * BATCH))
def test_a_text_has_the_same_encoding_alone_and_in_any_batch(encoder: TextEncoder, texts: list[str]) -> None:
    for text, together in zip(texts, encoder.encode_batch(texts), strict=True):
        alone = encoder.encode(text)
        assert together.unknown_share == alone.unknown_share
        assert together.vector @ alone.vector >= 0.9999 and together.features @ alone.features >= 0.9999


def test_equally_long_texts_come_together_and_the_first_ones_first(encoder: TextEncoder) -> None:
    texts = ["one two three", "four", *["a b c"] * BATCH, "five", "word " * MAX_PIECES, "word " * MAX_PIECES]
    runs = [list(run) for run in encoder.encode_in_runs(texts)]
    assert runs[0] == [0, *range(2, BATCH + 1)] and runs[1] == [BATCH + 1] and runs[2] == [1, BATCH + 2]
    assert runs[3:] == [[BATCH + 3], [BATCH + 4]], "long texts would keep everybody else waiting"


def test_the_same_text_gives_the_same_vector_in_another_session_and_with_more_threads(encoder: TextEncoder) -> None:
    text = "Do you ship to Norway?"
    for other in (TextEncoder(), TextEncoder(threads=2)):
        assert np.array_equal(other.encode(text).features, encoder.encode(text).features)


def test_no_texts_give_no_encodings(encoder: TextEncoder) -> None:
    assert encoder.encode_batch([]) == []


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
    encoder.encode_many(["a", "b c", "d"] * BATCH, seen.append)
    assert seen == sorted(set(seen)) and len(seen) >= 3 and seen[-1] == 3 * BATCH


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
