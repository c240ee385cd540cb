"""Text to a 384-dimensional vector: all-MiniLM-L6-v2 in int8 (see models/minilm-l6-v2-int8/MODEL.md).

The model reads English; Chinese goes through the glossary first. The same text has the same encoding alone and in any
batch.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from nearside.errors import ModelError
from nearside.glossary import GLOSSARY_FILE, render
from nearside.lexical import has_cjk

MODEL_DIR = Path(__file__).resolve().parent / "models" / "minilm-l6-v2-int8"
DIMENSIONS = 384
FEATURES = 1536
MAX_PIECES = 256
BATCH = 16
_PIECES_AT_ONCE = 256  # a larger batch gains nothing more, and whoever waits behind it waits longer
# A word piece is rarely longer than 10 characters; the tokenizer is linear in its input, so cut before it.
_MAX_CHARACTERS = 8 * MAX_PIECES
_FILES = ("model.onnx", "tokenizer.json")
_UNKNOWN_ID = 100  # [UNK] in the model's vocabulary
_REINSTALL = "install the model folder again"

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Encoding:
    vector: Floats
    """(384,), L2-normalised."""
    unknown_share: float
    """Share of the text's word pieces and Chinese characters that the model cannot read, 0 to 1; 1.0 for none."""
    features: Floats
    """(1536,), L2-normalised: the means of the hidden states after layers 3, 4, 5 and 6; the last one is `vector`."""


class TextEncoder:
    """Thread-safe."""

    def __init__(self, model_dir: Path = MODEL_DIR, *, threads: int = 1) -> None:
        files = _verified_files(model_dir)
        try:
            self._tokenizer = Tokenizer.from_buffer(files["tokenizer.json"])
            self._session = onnxruntime.InferenceSession(
                files["model.onnx"], _session_options(threads), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # both libraries raise bare Exception subclasses of their own
            raise ModelError("the encoder cannot be loaded", where=str(model_dir), hint=_REINSTALL) from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_PIECES)
        self.fingerprint = _fingerprint(files["SHA256SUMS"])
        """Changes when the model does: vectors of different fingerprints cannot be compared."""
        self._vocabulary = self._tokenizer.get_vocab()

    def encode(self, text: str) -> Encoding:
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[Encoding]:
        """Faster than one by one where many texts are equally long."""
        return self.encode_many(texts)

    def encode_many(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> list[Encoding]:
        """`progress` is called now and then with the number done."""
        encodings: dict[int, Encoding] = {}
        for run in self.encode_in_runs(texts):
            encodings |= run
            if progress:
                progress(len(encodings))
        return [encodings[index] for index in range(len(texts))]

    def encode_in_runs(self, texts: Sequence[str]) -> Iterator[dict[int, Encoding]]:
        """Encodings by their text's index, as soon as they are there: equally long ones together, the first first."""
        read = [self._pieces(text) for text in texts]
        by_length: dict[int, list[int]] = {}
        for index, (pieces, _) in enumerate(read):
            by_length.setdefault(len(pieces), []).append(index)
        for length, indexes in by_length.items():
            size = max(1, min(BATCH, _PIECES_AT_ONCE // length))
            for start in range(0, len(indexes), size):
                run = indexes[start : start + size]
                found = self._run([read[index][0] for index in run])
                yield {
                    index: Encoding(vector, read[index][1], features)
                    for index, (vector, features) in zip(run, found, strict=True)
                }

    def is_word(self, word: str) -> bool:
        """Whether a lower-case English word is so common that the model has it whole."""
        return word in self._vocabulary

    def _pieces(self, text: str) -> tuple[list[int], float]:
        """The word pieces' numbers, with [CLS] and [SEP], and the share that is unknown."""
        readable, lost = _readable(text[:_MAX_CHARACTERS])
        pieces = self._tokenizer.encode(readable).ids
        total = len(pieces) - 2 + lost
        return pieces, (pieces.count(_UNKNOWN_ID) + lost) / total if total else 1.0

    def _run(self, pieces: Sequence[Sequence[int]]) -> list[tuple[Floats, Floats]]:
        """The vector and the features of each; copies, for a view would keep the whole batch."""
        outputs = self._session.run(["vector", "features"], {"input_ids": np.array(pieces, dtype=np.int64)})
        return [(_kept(vector), _kept(features)) for vector, features in zip(*outputs, strict=True)]


def _kept(row: Floats) -> Floats:
    copy = row.copy()
    copy.flags.writeable = False
    return copy


def _readable(text: str) -> tuple[str, int]:
    """The text as the model can read it, and how many Chinese characters were lost on the way."""
    if has_cjk(text):
        rendering = render(text)
        return rendering.text, rendering.unknown
    return text.encode("utf-8", "replace").decode("utf-8"), 0  # the tokenizer takes no lone surrogates


def _session_options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not _has_vnni():
        # Signed 8-bit weights saturate there; this makes such CPUs compute with unsigned ones, half as fast.
        options.add_session_config_entry("session.x64quantprecision", "1")
    return options


def _has_vnni() -> bool:
    try:
        return "vnni" in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False


def _verified_files(model_dir: Path) -> dict[str, bytes]:
    """The folder's files by name, each equal to its line in SHA256SUMS."""
    sums = _read(model_dir / "SHA256SUMS")
    files = {"SHA256SUMS": sums}
    lines = sums.decode("utf-8", "replace").splitlines()
    for name in _FILES:
        files[name] = _read(model_dir / name)
        if f"{hashlib.sha256(files[name]).hexdigest()}  {name}" not in lines:
            raise ModelError(f"{name} is not the file it should be", where=str(model_dir), hint=_REINSTALL)
    return files


def _fingerprint(sums: bytes) -> str:
    lines = sorted(line for line in sums.decode().splitlines() if line.endswith(_FILES))
    return hashlib.sha256("\n".join(lines).encode() + GLOSSARY_FILE.read_bytes()).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        what = f"cannot read {path.name}: {error.strerror}"
        raise ModelError(what, where=str(path.parent), hint=_REINSTALL) from error
