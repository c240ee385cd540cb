"""The encoder's model as it ships, and what it was made from: fp32 in onnxruntime and in PyTorch, one thread each."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import onnxruntime

from benchmarks.machine import MIB, resident_bytes
from nearside.encoder import MODEL_DIR, Floats
from tests.servers import ROOT

FOLDER = ROOT / "build" / "encoder"
"""What build_encoder.py makes stays there for the next time."""
MODELS = ROOT / "packaging" / "models"
SHIPPED, FP32 = MODEL_DIR / "model.onnx", FOLDER / "fp32.onnx"
BUILD_S = 900.0

Pieces = Sequence[Sequence[int]]


def why_not_built() -> str:
    """Empty where the fp32 model and PyTorch's environment are there, made now if need be."""
    if FP32.exists() and (FOLDER / "env" / "bin" / "python").exists():
        return ""
    command = [sys.executable, str(MODELS / "build_encoder.py"), str(FOLDER), str(FOLDER / "artifact")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_S)
    except subprocess.TimeoutExpired:
        return f"build_encoder.py took more than {BUILD_S:.0f} s"
    lines = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
    return "" if done.returncode == 0 else f"build_encoder.py failed: {lines[-1][:100]}"


class InOnnxruntime:
    def __init__(self, model: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])

    def seconds(self, batch: Pieces) -> float:
        inputs = {"input_ids": np.array(batch, dtype=np.int64)}
        began = time.perf_counter()
        self._session.run(["vector"], inputs)
        return time.perf_counter() - began

    def features(self, batch: Pieces) -> Floats:
        found: Floats = self._session.run(["features"], {"input_ids": np.array(batch, dtype=np.int64)})[0]
        return found


class InPyTorch:
    """In a process of its own, for its environment is none of ours."""

    def __enter__(self) -> Self:
        command = [str(FOLDER / "env" / "bin" / "python"), str(MODELS / "time_torch.py")]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.mib = float(self._line()) / MIB
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _t: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def seconds(self, batch: Pieces) -> float:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(batch) + "\n")
        self._process.stdin.flush()
        return float(self._line())

    def _line(self) -> str:
        assert self._process.stdout
        if not (line := self._process.stdout.readline()):
            raise EOFError("PyTorch's process ended")
        return line


def session_mib(model: Path) -> float:
    """What a session of `model` holds, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.rivals", str(model)]
    return float(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def _held(model: Path) -> float:
    before = resident_bytes(os.getpid())
    session = InOnnxruntime(model)
    for length in (2, 12, 256):
        session.seconds([[101, *[1] * (length - 2), 102]])
    return (resident_bytes(os.getpid()) - before) / MIB


if __name__ == "__main__":
    print(_held(Path(sys.argv[1])))
