"""all-MiniLM-L6-v2 as an ONNX graph, in fp32 or int8, of the operators that onnxruntime runs fastest.

Nothing in it depends on the other texts of a batch: an activation is quantised with a scale fixed beforehand, or with
one of its own row, never with one of the whole tensor. So a text has the same vector alone and in any batch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

Array = NDArray[Any]
Weights = Mapping[str, Array]

LAYERS, HEADS, WIDTH, MAX_PIECES = 6, 12, 384, 256
POOLED_LAYERS = (3, 4, 5, 6)
EPSILON = 1e-12
CONTRIB = "com.microsoft"
GELU_LOWEST = -0.17  # that function has no lower value


class Graph:
    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: dict[str, Array] = {}

    def constant(self, name: str, value: Any, dtype: Any = np.float32) -> str:
        self._constants[name] = np.asarray(value, dtype=dtype)
        return name

    def add(self, operator: str, *inputs: str, domain: str = "", output: str = "", **attributes: Any) -> str:
        """The name of the node's output."""
        output = output or f"{operator}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [output], output, domain=domain, **attributes))
        return output

    def model(self, outputs: Mapping[str, int]) -> ModelProto:
        """`outputs`: their widths by their names."""
        values = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["texts", width]) for name, width in outputs.items()
        ]
        pieces = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["texts", "pieces"])
        constants = [numpy_helper.from_array(value, name) for name, value in self._constants.items()]
        graph = helper.make_graph(self._nodes, "encoder", [pieces], values, constants)
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid(CONTRIB, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)


@dataclass(frozen=True)
class Entered:
    """An activation as the products take it. `row_scale`: each row was divided by its own."""

    value: str
    scale: str = ""
    zero: str = ""
    row_scale: str = ""


class Arithmetic(Protocol):
    def rows(self, graph: Graph, table: Array) -> str:
        """Those of `table` that input_ids name."""
        ...

    def enter(self, graph: Graph, name: str, value: str) -> Entered:
        """`name`: a layer's number and which of its activations it is, as in "0.context"."""
        ...

    def product(self, graph: Graph, name: str, entered: Entered, weight: Array, bias: Array, residual: str) -> str:
        """With `weight` (out, in), plus `bias`, plus `residual` unless it is empty."""
        ...


class Exact:
    """fp32. `tapped` are the tensors that int8 would quantise."""

    def __init__(self, smoothing: Weights) -> None:
        self._smoothing = smoothing
        self.tapped: dict[str, str] = {}

    def rows(self, graph: Graph, table: Array) -> str:
        return graph.add("Gather", graph.constant("words", table), "input_ids")

    def enter(self, graph: Graph, name: str, value: str) -> Entered:
        self.tapped[name] = _smoothed(graph, name, value, self._smoothing)
        return Entered(self.tapped[name])

    def product(self, graph: Graph, name: str, entered: Entered, weight: Array, bias: Array, residual: str) -> str:
        product = graph.add("MatMul", entered.value, graph.constant(f"{name}.weight", weight.T))
        biased = graph.add("Add", product, graph.constant(f"{name}.bias", bias))
        return graph.add("Sum", biased, residual) if residual else biased


class Int8:
    """A scale for each output of a weight. Activations: a fixed scale where `ranges` has one, else one for each row."""

    def __init__(self, smoothing: Weights, ranges: Mapping[str, tuple[float, float]]) -> None:
        self._smoothing, self._ranges = smoothing, ranges

    def rows(self, graph: Graph, table: Array) -> str:
        integers, scales = _rounded(table)
        found = graph.add("Gather", graph.constant("words", integers, np.int8), "input_ids")
        factors = graph.add("Gather", graph.constant("words.scale", scales[:, None]), "input_ids")
        return graph.add("Mul", graph.add("Cast", found, to=TensorProto.FLOAT), factors)

    def enter(self, graph: Graph, name: str, value: str) -> Entered:
        value, row_scale = _smoothed(graph, name, value, self._smoothing), ""
        if name in self._ranges:
            low, high = self._ranges[name]
        else:
            row_scale = _row_scale(graph, name, value)
            value = graph.add("Mul", value, graph.add("Reciprocal", row_scale))
            low, high = GELU_LOWEST if name.endswith("gelu") else -1.0, 1.0
        scale = (high - low) / 255
        scale_name = graph.constant(f"{name}.scale", scale)
        zero_name = graph.constant(f"{name}.zero", round(-low / scale), np.uint8)
        return Entered(graph.add("QuantizeLinear", value, scale_name, zero_name), scale_name, zero_name, row_scale)

    def product(self, graph: Graph, name: str, entered: Entered, weight: Array, bias: Array, residual: str) -> str:
        integers, scales = _rounded(weight)
        factors = (
            entered.value, graph.constant(f"{name}.weight", integers.T, np.int8),
            entered.scale, graph.constant(f"{name}.weight.scale", scales), entered.zero,
        )  # fmt: skip
        bias_name = graph.constant(f"{name}.bias", bias)
        if not entered.row_scale:
            product = graph.add("MatMulIntegerToFloat", *factors, "", bias_name, domain=CONTRIB)
            return graph.add("Sum", product, residual) if residual else product
        product = graph.add("MatMulIntegerToFloat", *factors, domain=CONTRIB)
        return graph.add("Sum", graph.add("Mul", product, entered.row_scale), bias_name, *filter(None, [residual]))


def encoder(weights: Weights, arithmetic: Arithmetic) -> ModelProto:
    """Input `input_ids` (texts, pieces): texts of equal length, so that there is nothing to mask.

    Outputs `vector` (texts, 384) and `features` (texts, 1536), each of length one.
    """
    graph = Graph()
    hidden = _embedded(graph, weights, arithmetic)
    states = [hidden]
    for layer in range(LAYERS):
        states.append(_layer(graph, weights, arithmetic, layer, states[-1]))
    ones = graph.add("Concat", graph.constant("one", [1], np.int64), _pieces(graph), axis=0)
    ones = graph.add("ConstantOfShape", ones, value=helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0]))
    pooled = [_pooled(graph, states[layer], ones) for layer in POOLED_LAYERS]
    graph.add("Identity", pooled[-1], output="vector")
    share = graph.constant("share", len(pooled) ** -0.5)
    graph.add("Mul", graph.add("Concat", *pooled, axis=1), share, output="features")
    return graph.model({"vector": WIDTH, "features": len(pooled) * WIDTH})


def _embedded(graph: Graph, weights: Weights, arithmetic: Arithmetic) -> str:
    rows = arithmetic.rows(graph, weights["embeddings.word_embeddings.weight"])
    places = weights["embeddings.position_embeddings.weight"][:MAX_PIECES]
    places = graph.constant("places", places + weights["embeddings.token_type_embeddings.weight"][0])
    start = graph.constant("start", [0], np.int64)
    rows = graph.add("Add", rows, graph.add("Slice", places, start, _pieces(graph), start))
    return _normalised(graph, weights, "embeddings.LayerNorm", rows)


def _layer(graph: Graph, weights: Weights, arithmetic: Arithmetic, number: int, hidden: str) -> str:
    def product(name: str, entered: Entered, residual: str = "") -> str:
        weight, bias = (weights[f"encoder.layer.{number}.{name}.{part}"] for part in ("weight", "bias"))
        return arithmetic.product(graph, f"{number}.{name}", entered, weight, bias, residual)

    entered = arithmetic.enter(graph, f"{number}.attention", hidden)
    heads = [product(f"attention.self.{name}", entered) for name in ("query", "key", "value")]
    context = graph.add("MultiHeadAttention", *heads, domain=CONTRIB, num_heads=HEADS)
    context = product("attention.output.dense", arithmetic.enter(graph, f"{number}.context", context), hidden)
    context = _normalised(graph, weights, f"encoder.layer.{number}.attention.output.LayerNorm", context)
    inner = product("intermediate.dense", arithmetic.enter(graph, f"{number}.feedforward", context))
    inner = graph.add("Gelu", inner, domain=CONTRIB)
    inner = product("output.dense", arithmetic.enter(graph, f"{number}.gelu", inner), context)
    return _normalised(graph, weights, f"encoder.layer.{number}.output.LayerNorm", inner)


def _normalised(graph: Graph, weights: Weights, name: str, value: str) -> str:
    """After a `Sum`: onnxruntime would fuse an `Add` into SkipLayerNormalization, which takes eight times as long."""
    gain, shift = (graph.constant(f"{name}.{part}", weights[f"{name}.{part}"]) for part in ("weight", "bias"))
    return graph.add("LayerNormalization", value, gain, shift, axis=-1, epsilon=EPSILON)


def _pooled(graph: Graph, hidden: str, ones: str) -> str:
    """The mean's direction. By a product with ones: ReduceMean adds up in another order when there are more texts."""
    total = graph.add("Squeeze", graph.add("MatMul", ones, hidden), graph.constant("one", [1], np.int64))
    return graph.add("LpNormalization", total, axis=1, p=2)


def _pieces(graph: Graph) -> str:
    return graph.add("Shape", "input_ids", start=1, end=2)


def _row_scale(graph: Graph, name: str, value: str) -> str:
    least = 1.0 if name.endswith("gelu") else 1e-6
    peaks = value if name.endswith("gelu") else graph.add("Abs", value)
    peaks = graph.add("ReduceMax", peaks, graph.constant("last_axis", [-1], np.int64))
    return graph.add("Max", peaks, graph.constant(f"{name}.least", least))


def _smoothed(graph: Graph, name: str, value: str, smoothing: Weights) -> str:
    return graph.add("Mul", value, graph.constant(f"{name}.smooth", smoothing[name])) if name in smoothing else value


def _rounded(weight: Array) -> tuple[Array, Array]:
    """Symmetric int8, and a scale for each row."""
    scales = np.maximum(np.abs(weight).max(axis=1), 1e-9) / 127
    return np.clip(np.round(weight / scales[:, None]), -127, 127), scales
