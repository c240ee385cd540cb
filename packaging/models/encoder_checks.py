"""What a built encoder has to show before it is shipped. Raises SystemExit where it does not."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from encoder_graph import POOLED_LAYERS, WIDTH, Array
from transformers import AutoModel

MIN_COSINE = 0.99
MIN_COSINE_IN_BATCH = 0.99999


def run_all(model: Path, ids: Sequence[Array]) -> list[Array]:
    session = onnxruntime.InferenceSession(model)
    return [session.run(["features"], {"input_ids": row})[0] for row in ids]


def cosines(fp32: Path, int8: Path, ids: Sequence[Array]) -> tuple[float, float]:
    """The lowest and the mean cosine of the vectors: they are the features' last part."""
    pairs = [
        (one[0, -WIDTH:], two[0, -WIDTH:]) for one, two in zip(run_all(fp32, ids), run_all(int8, ids), strict=True)
    ]
    values = [float(np.dot(one, two) / np.linalg.norm(one) / np.linalg.norm(two)) for one, two in pairs]
    lowest, mean = min(values), sum(values) / len(values)
    if lowest < MIN_COSINE:
        raise SystemExit(f"lowest cosine {lowest:.4f} is under {MIN_COSINE}: not shipped")
    return lowest, mean


def check_batches(int8: Path, ids: Sequence[Array]) -> None:
    """Each text alone against the same text in one batch with all others of its length."""
    batches: dict[int, list[Array]] = {}
    for row in ids:
        batches.setdefault(row.shape[1], []).append(row)
    for rows in batches.values():
        (together,) = run_all(int8, [np.concatenate(rows)])
        alone = np.concatenate(run_all(int8, rows))
        if float((together * alone).sum(axis=1).min()) < MIN_COSINE_IN_BATCH:
            raise SystemExit("a text has another vector in a batch: not shipped")


def check_fp32(source: Path, exported: Path, fp32: Path, ids: Sequence[Array]) -> None:
    """Our graph against torch in every pooled layer, and against the export."""
    reference, session = AutoModel.from_pretrained(source).eval(), onnxruntime.InferenceSession(exported)
    for row, found in zip(ids, run_all(fp32, ids), strict=True):
        with torch.no_grad():
            states = reference(input_ids=torch.from_numpy(row), output_hidden_states=True).hidden_states
        means = [states[layer].mean(1)[0].numpy() for layer in POOLED_LAYERS]
        filled = {"input_ids": row, "attention_mask": np.ones_like(row), "token_type_ids": np.zeros_like(row)}
        named = {value.name: filled[value.name] for value in session.get_inputs()}
        means.append(session.run(None, named)[0][0].mean(axis=0))
        parts = [*found[0].reshape(len(POOLED_LAYERS), WIDTH), found[0, -WIDTH:]]
        for mean, part in zip(means, parts, strict=True):
            if float(mean @ part) / float(np.linalg.norm(mean) * np.linalg.norm(part)) < 0.99999:
                raise SystemExit("our graph does not agree with torch or with the export: not shipped")
