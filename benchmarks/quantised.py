"""What int8 gives and costs: speed, memory and accuracy beside fp32, and whether a batch changes a vector."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from benchmarks.figures import Budget, Figure, Limit, Section, percentile
from benchmarks.questions import FaqQuestions
from benchmarks.rivals import FP32, SHIPPED, InOnnxruntime, InPyTorch, Pieces, session_mib, why_not_built
from benchmarks.stage import Stage
from nearside.encoder import MODEL_DIR, Floats, TextEncoder
from nearside.lexical import has_cjk
from tests.data_sets import FOLDER
from tests.servers import ROOT

BANKING = FOLDER / "banking77" / "train.jsonl"
TEXTS = 150
BATCHES = (4, 8, 16)
TRAINED, ASKED = 3_000, 2_000
SHARPNESS, RIDGE = 4.0, 0.3
THREE_TIMES = Budget("int8 takes at most a third", most=1 / 3)
HALF_A_POINT = Budget("at most 0.5 points lost", most=0.5)
THE_SAME = Budget("cosine at least 0.9999", least=0.9999)


def measure(_stage: Stage) -> list[Section]:
    sections = [_invariance()]
    if reason := why_not_built():
        return [*sections, Section("int8 beside fp32", (), (f"not measured: {reason}",))]
    return [*sections, _speed(), _memory(), _accuracy()]


def _invariance() -> Section:
    texts, encoder = _texts(), TextEncoder()
    together = encoder.encode_batch(texts)
    alone = [encoder.encode(text) for text in texts]
    pairs = [(one.features, other.features) for one, other in zip(alone, together, strict=True)]
    lowest = min(float(one @ other) for one, other in pairs)
    same = sum(np.array_equal(one, other) for one, other in pairs)
    figure = Figure("one text alone against in a batch, lowest cosine", lowest, "", budget=THE_SAME)
    return Section("the same text in a batch", (figure,), (f"{same} of {len(texts)} are equal bit for bit",))


def _speed() -> Section:
    ours, theirs = InOnnxruntime(SHIPPED), InOnnxruntime(FP32)
    figures, shares = [], []
    with InPyTorch() as torch:
        pieces = _pieces(_texts())
        for size in (1, *BATCHES):
            taken = [
                [runner.seconds(batch) / size for runner in (ours, theirs, torch)] for batch in _batches(pieces, size)
            ]
            ms = [percentile(column, 50) for column in zip(*taken, strict=True)]
            name = "one text" if size == 1 else f"a text of {size} equally long ones"
            limits = (Limit("fp32 in onnxruntime", ms[1]), Limit("fp32 in PyTorch", ms[2]))
            figures.append(Figure(f"{name}, p50", ms[0], "ms", limits))
            shares.append(Figure(f"{name}: int8's share of PyTorch's time", ms[0] / ms[2], "", budget=THREE_TIMES))
    notes = (f"{np.mean([len(one) for one in pieces]):.0f} word pieces in the mean; each on one thread, in turn",)
    return Section("int8 beside fp32: time", (*figures, *shares), notes)


def _memory() -> Section:
    with InPyTorch() as torch:
        limits = (Limit("fp32 in onnxruntime", session_mib(FP32)), Limit("fp32 in PyTorch", torch.mib))
    figure = Figure("a session holds", session_mib(SHIPPED), "MiB", limits)
    return Section(
        "int8 beside fp32: memory", (figure,), ("the libraries apart; of its weights PyTorch maps only what it reads",)
    )


def _accuracy() -> Section:
    title = "int8 beside fp32: accuracy"
    if not BANKING.exists():
        return Section(title, (), (f"not measured: no {BANKING}; set NEARSIDE_DATA to the folder of the data sets",))
    rows = [json.loads(line) for line in BANKING.read_text(encoding="utf-8").splitlines()]
    picked = np.random.default_rng(1).permutation(len(rows))[: TRAINED + ASKED]
    pieces = _pieces([rows[row]["text"] for row in picked])
    _, labels = np.unique([rows[row]["intent"] for row in picked], return_inverse=True)
    int8, fp32 = (100 * _share_right(_features(model, pieces), labels) for model in (SHIPPED, FP32))
    return Section(
        title,
        (
            Figure("right", int8, "%", (Limit("fp32", fp32),)),
            Figure("lost against fp32", max(fp32 - int8, 0.0), "points", budget=HALF_A_POINT),
        ),
        (f"BANKING77: kernel ridge regression on the features of {TRAINED} questions, asked {ASKED} others",),
    )


def _share_right(features: Floats, labels: NDArray[np.int64]) -> float:
    known, asked = features[:TRAINED], features[TRAINED:]
    kernel = np.exp(SHARPNESS * (known @ known.T - 1)) + RIDGE * np.eye(TRAINED, dtype=np.float32)
    weights = np.linalg.solve(kernel, np.eye(labels.max() + 1, dtype=np.float32)[labels[:TRAINED]])
    scores = np.exp(SHARPNESS * (asked @ known.T - 1)) @ weights
    return float(np.mean(scores.argmax(axis=1) == labels[TRAINED:]))


def _features(model: Path, pieces: Pieces) -> Floats:
    session = InOnnxruntime(model)
    found: dict[int, Floats] = {}
    for indexes in _equally_long(pieces, 16):
        found.update(zip(indexes, session.features([pieces[index] for index in indexes]), strict=True))
    return np.array([found[index] for index in range(len(pieces))])


def _batches(pieces: Pieces, size: int) -> Iterator[Pieces]:
    """Full ones only, filled by repeating where too few texts are that long: all sizes see the same lengths."""
    if size == 1:
        yield from ([one] for one in pieces)
        return
    for indexes in _equally_long(pieces, size):
        yield [pieces[indexes[place % len(indexes)]] for place in range(size)]


def _equally_long(pieces: Pieces, most: int) -> Iterator[list[int]]:
    by_length: dict[int, list[int]] = {}
    for index, one in enumerate(pieces):
        by_length.setdefault(len(one), []).append(index)
    for indexes in by_length.values():
        for start in range(0, len(indexes), most):
            yield indexes[start : start + most]


def _texts() -> list[str]:
    if not BANKING.exists():
        return [text for text in FaqQuestions(ROOT / "demo" / "faq.yaml").probes(TEXTS) if not has_cjk(text)]
    rows = BANKING.read_text(encoding="utf-8").splitlines()
    picked = np.random.default_rng(2).permutation(len(rows))[:TEXTS]
    return [json.loads(rows[row])["text"] for row in picked]


def _pieces(texts: Sequence[str]) -> list[list[int]]:
    tokenizer = Tokenizer.from_file(str(MODEL_DIR / "tokenizer.json"))
    tokenizer.no_padding()
    return [tokenizer.encode(text).ids for text in texts]
