"""Which numbers the int8 graph gets: smoothed weights, and the ranges of the activations with a fixed scale."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from encoder_graph import LAYERS, MAX_PIECES, Array, Exact, Int8, Weights, encoder
from onnx import ModelProto, TensorProto, helper
from tokenizers import Tokenizer

SMOOTHING = 0.7


def piece_ids(tokenizer_file: Path, sentences: Sequence[str]) -> list[Array]:
    """(1, pieces) for each sentence."""
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_PIECES)
    return [np.array([tokenizer.encode(sentence).ids], dtype=np.int64) for sentence in sentences]


def read_activations(model: ModelProto, tapped: Mapping[str, str], ids: Iterable[Array]) -> list[dict[str, Array]]:
    """For each text the tapped tensors, (pieces, width)."""
    probe = ModelProto.FromString(model.SerializeToString())
    probe.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in tapped.values())
    session = onnxruntime.InferenceSession(probe.SerializeToString())
    runs = (session.run(list(tapped.values()), {"input_ids": row}) for row in ids)
    return [dict(zip(tapped, (value[0] for value in run), strict=True)) for run in runs]


def smooth(weights: Weights, ids: Sequence[Array]) -> tuple[dict[str, Array], dict[str, Array]]:
    """Move outlier channels from the activations into the weights (SmoothQuant, arXiv 2211.10438); exact in fp32.

    The weights then, and the factors by which activations are to be multiplied. That of the attention's context
    goes into the weights that make it; the one after GELU is quantised row by row and needs none.
    """
    exact = Exact({})
    runs = read_activations(encoder(weights, exact), exact.tapped, ids)
    peaks = {name: np.max([np.abs(run[name]).max(axis=0) for run in runs], axis=0) for name in exact.tapped}
    smoothed, factors = dict(weights), {}
    for layer in range(LAYERS):
        of = f"encoder.layer.{layer}."
        heads = [f"{of}attention.self.{name}.weight" for name in ("query", "key", "value")]
        factors[f"{layer}.attention"] = 1 / scale_up(smoothed, heads, peaks[f"{layer}.attention"])
        factors[f"{layer}.feedforward"] = 1 / scale_up(
            smoothed, [f"{of}intermediate.dense.weight"], peaks[f"{layer}.feedforward"]
        )
        scale = scale_up(smoothed, [f"{of}attention.output.dense.weight"], peaks[f"{layer}.context"])
        smoothed[heads[2]] = smoothed[heads[2]] / scale[:, None]
        smoothed[f"{of}attention.self.value.bias"] = smoothed[f"{of}attention.self.value.bias"] / scale
    return smoothed, factors


def scale_up(weights: dict[str, Array], names: Sequence[str], peaks: Array) -> Array:
    """Multiplies the inputs of these weights (out, in), and says by how much."""
    weight_peaks = np.max([np.abs(weights[name]).max(axis=0) for name in names], axis=0)
    scale = np.maximum(peaks, 1e-3) ** SMOOTHING / np.maximum(weight_peaks, 1e-3) ** (1 - SMOOTHING)
    scale = (scale / math.exp(float(np.log(scale).mean()))).astype(np.float32)
    for name in names:
        weights[name] = weights[name] * scale
    return scale


def quantised(weights: Weights, ids: Sequence[Array]) -> ModelProto:
    """What follows a layer norm has a known size, so its scale is fixed; the rest is scaled row by row."""
    smoothed, factors = smooth(weights, ids)
    exact = Exact(factors)
    runs = read_activations(encoder(smoothed, exact), exact.tapped, ids)
    ranges = {
        name: (min(float(run[name].min()) for run in runs), max(float(run[name].max()) for run in runs))
        for name in factors
    }
    return encoder(smoothed, Int8(factors, ranges))
