import json
from pathlib import Path

import numpy as np
import pytest

from cloud_core.knowledge.encoders import kinds, make_encoder
from cloud_core.knowledge.encoders.onnx import Encoder
from nearside.encoder import MODEL_DIR, TextEncoder
from nearside.errors import ModelError, NearsideError, SettingsError
from tests.cloud_core.knowledge import tiny_encoder

pytestmark = pytest.mark.unit


def opened(folder: Path, **options: object) -> Encoder:
    return Encoder({"folder": folder, "reads_chinese": False, **options})


def test_every_encoder_of_the_folder_is_offered() -> None:
    assert kinds() == ["minilm", "onnx", "openai_compatible"]
    with pytest.raises(SettingsError, match="no encoder called"):
        make_encoder("other", {})


def test_the_shipped_encoder_is_the_one_that_packs_use(encoder: TextEncoder) -> None:
    made = make_encoder("minilm", {})
    assert (made.fingerprint, made.dimensions, made.reads_chinese) == (encoder.fingerprint, 384, False)
    assert np.array_equal(made.encode("a tent").vector, encoder.encode("a tent").vector)


def test_an_encoder_from_a_folder_gives_the_same_vectors_as_the_shipped_one(encoder: TextEncoder) -> None:
    texts = ["a tent", "How long can I send it back?", "a stove", "Yes."]
    made = opened(MODEL_DIR, most_pieces=256)
    for ours, theirs in zip(made.encode_many(texts), encoder.encode_many(texts), strict=True):
        assert np.allclose(ours.vector, theirs.vector, atol=1e-5)
        assert ours.unknown_share == theirs.unknown_share


def test_whether_an_encoder_reads_chinese_is_tried_out() -> None:
    assert Encoder({"folder": MODEL_DIR}).reads_chinese is False
    assert opened(MODEL_DIR, reads_chinese=True).reads_chinese is True


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_vectors_are_pooled_as_the_folder_or_the_setting_says(tmp_path: Path, pooling: str) -> None:
    declared = opened(tiny_encoder.make(tmp_path / "declared", pooling))
    said = opened(tiny_encoder.make(tmp_path / "silent", None), pooling=pooling)
    alone, other = declared.encode("tent").vector, declared.encode("red tent").vector
    assert np.allclose(alone, said.encode("tent").vector)
    assert np.allclose(alone, other) is (pooling == "cls")
    assert declared.dimensions == 4 and np.isclose(np.linalg.norm(alone), 1.0)


def test_padding_does_not_change_a_vector(tmp_path: Path) -> None:
    made = opened(tiny_encoder.make(tmp_path))
    texts = ["tent", "red tent", "a short red blue stove"] * 20
    together = made.encode_many(texts)
    for text, encoding in zip(texts, together, strict=True):
        assert np.allclose(encoding.vector, made.encode_many([text])[0].vector, atol=1e-6)


def test_what_the_encoder_does_not_know_is_told(tmp_path: Path) -> None:
    made = opened(tiny_encoder.make(tmp_path))
    shares = [one.unknown_share for one in made.encode_many(["red tent", "red yurt", "帐篷", "", "\ud800"])]
    assert shares == [0.0, 0.5, 0.0, 1.0, 1.0]


def test_questions_and_passages_may_have_a_prefix_each(tmp_path: Path) -> None:
    folder = tiny_encoder.make(tmp_path)
    plain, made = opened(folder), opened(folder, query_prefix="red ", passage_prefix="blue ")
    assert np.allclose(made.encode("tent").vector, plain.encode("red tent").vector)
    assert np.allclose(made.encode_many(["tent"])[0].vector, plain.encode("blue tent").vector)


def test_the_fingerprint_changes_with_all_that_changes_vectors(tmp_path: Path) -> None:
    folder = tiny_encoder.make(tmp_path)
    made = [opened(folder), opened(folder, pooling="cls"), opened(folder, most_pieces=64)]
    made.append(opened(folder, passage_prefix="a "))
    (folder / "model.onnx.data").write_bytes(b"weights")
    made.append(opened(folder))
    prints = {one.fingerprint for one in made}
    assert len(prints) == len(made)
    assert opened(folder, threads=2).fingerprint == made[-1].fingerprint


def test_a_folder_that_is_no_encoder_is_refused_at_opening(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no model.onnx with a tokenizer.json"):
        opened(tmp_path)
    with pytest.raises(SettingsError, match="nothing says how .* pooled"):
        opened(tiny_encoder.make(tmp_path / "silent", None))
    broken = tiny_encoder.make(tmp_path / "broken")
    (broken / "model.onnx").write_bytes(b"broken")
    with pytest.raises(ModelError, match="cannot be loaded"):
        opened(broken)
    other = tiny_encoder.make(tmp_path / "other")
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"] |= {word: 50 + number for number, word in enumerate(("a", "short", "test", "."))}
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ModelError, match="do not work together"):
        opened(other)


@pytest.mark.parametrize(
    "options", [{}, {"folder": "/x", "poling": "mean"}, {"folder": "/x", "pooling": "max"}, {"folder": 1}]
)
def test_wrong_options_are_named(options: dict[str, object]) -> None:
    with pytest.raises(NearsideError, match="encoder.options"):
        make_encoder("onnx", options)
