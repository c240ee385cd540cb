"""The text encoder against the bare session that it wraps, text by text in turn."""

import time
from collections.abc import Sequence

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from benchmarks.figures import Figure, Limit, Section, percentile
from benchmarks.questions import FaqQuestions
from benchmarks.stage import Stage
from nearside.encoder import MODEL_DIR, TextEncoder
from nearside.glossary import render
from nearside.lexical import has_cjk
from tests.servers import ROOT

TEXTS = 300
ROUNDS = 2


class BareSession:
    """The model on ready-made pieces: one thread, nothing else."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        model = str(MODEL_DIR / "model.onnx")
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(MODEL_DIR / "tokenizer.json"))
        self._tokenizer.no_padding()

    def pieces(self, text: str) -> np.ndarray:
        readable = render(text).text if has_cjk(text) else text
        return np.array([self._tokenizer.encode(readable).ids], dtype=np.int64)

    def run(self, pieces: np.ndarray) -> None:
        self._session.run(None, {"input_ids": pieces})


def measure(_stage: Stage) -> list[Section]:
    questions = FaqQuestions(ROOT / "demo" / "faq.yaml").probes(TEXTS)
    encoder, bare = TextEncoder(), BareSession()
    figures: list[Figure] = []
    for lang, texts in (
        ("English", [text for text in questions if not has_cjk(text)]),
        ("Chinese", [text for text in questions if has_cjk(text)]),
    ):
        pieces = [bare.pieces(text) for text in texts]
        ours, theirs = _timed(encoder, bare, texts, pieces)
        words = f"{lang}, {np.mean([one.shape[1] for one in pieces]):.0f} pieces"
        for share in (50, 99):
            limit = Limit("onnxruntime alone", percentile(theirs, share))
            figures.append(Figure(f"encode ({words}), p{share}", percentile(ours, share), "ms", (limit,)))
    return [Section("encoder, one thread", tuple(figures))]


def _timed(
    encoder: TextEncoder, bare: BareSession, texts: Sequence[str], pieces: Sequence[np.ndarray]
) -> tuple[list[float], list[float]]:
    ours, theirs = [], []
    for text, ready in list(zip(texts, pieces, strict=True)) * ROUNDS:
        began = time.perf_counter()
        bare.run(ready)
        between = time.perf_counter()
        encoder.encode(text)
        theirs.append(between - began)
        ours.append(time.perf_counter() - between)
    return ours, theirs


def bare_run_ms(texts: Sequence[str], most: int = TEXTS) -> float:
    """The median run of the model alone on these texts."""
    bare, took = BareSession(), []
    for pieces in [bare.pieces(text) for text in texts[:most]]:
        began = time.perf_counter()
        bare.run(pieces)
        took.append(time.perf_counter() - began)
    return percentile(took, 50)
