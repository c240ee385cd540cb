"""Any sentence encoder in ONNX: a folder with `model.onnx` (or `onnx/model.onnx`) and `tokenizer.json`."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
from pydantic import Field
from tokenizers import Tokenizer

from cloud_core.knowledge.encoders.base import Floats, Prefixes, encoding, normalised, read_options, tells_chinese_apart
from nearside.encoder import Encoding
from nearside.errors import EngineError, ModelError, SettingsError

Pooling = Literal["mean", "cls"]

_BATCH = 16
_CHARACTERS_PER_PIECE = 8  # the tokenizer is linear in its input, so cut before it
_INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids"})
_SENTENCE_OUTPUTS = ("sentence_embedding", "sentence_embeddings", "embeddings", "vector")
_UNKNOWN_PIECES = ("[UNK]", "<unk>")
_PADDING_PIECES = ("[PAD]", "<pad>")


class Settings(Prefixes):
    folder: Path = Field(description="Where model.onnx and tokenizer.json are.")
    pooling: Pooling | None = Field(None, description="Goes before what the folder's 1_Pooling/config.json says.")
    most_pieces: int = Field(512, ge=16, le=8192, description="Longer texts are cut.")
    threads: int = Field(1, ge=1, le=64)
    reads_chinese: bool | None = Field(None, description="Without a word here, it is tried out.")


class Encoder:
    def __init__(self, options: Mapping[str, object]) -> None:
        settings = self._settings = read_options(Settings, options)
        model, tokenizer = _files(settings.folder)
        try:
            self._tokenizer = Tokenizer.from_file(str(tokenizer))
            self._session = onnxruntime.InferenceSession(
                str(model), _session_options(settings.threads), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # both libraries raise bare Exception subclasses of their own
            raise ModelError("the encoder cannot be loaded", where=str(settings.folder)) from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(settings.most_pieces)
        self._inputs = {one.name for one in self._session.get_inputs()}
        self._output, is_pooled = self._chosen_output()
        self._pooling = None if is_pooled else settings.pooling or _declared_pooling(settings.folder)
        self._unknown, self._padding = self._piece(_UNKNOWN_PIECES), self._piece(_PADDING_PIECES) or 0
        self.dimensions = self._checked()
        said = settings.reads_chinese
        self.reads_chinese = tells_chinese_apart(self.encode_many) if said is None else said
        self.fingerprint = self._fingerprint(model, tokenizer)

    def encode(self, text: str) -> Encoding:
        return self._encode([self._settings.query_prefix + text])[0]

    def encode_many(self, texts: Sequence[str]) -> list[Encoding]:
        """Texts of about one length go together, padded to the longest."""
        return self._encode([self._settings.passage_prefix + text for text in texts])

    def _encode(self, texts: Sequence[str]) -> list[Encoding]:
        most = self._settings.most_pieces * _CHARACTERS_PER_PIECE
        readable = [text[:most].encode("utf-8", "replace").decode() for text in texts]  # no lone surrogates
        read = self._tokenizer.encode_batch(readable)
        found: dict[int, Encoding] = {}
        for run in self._runs([len(one.ids) for one in read]):
            vectors = self._vectors([read[index].ids for index in run])
            for index, vector in zip(run, vectors, strict=True):
                found[index] = encoding(vector, self._unknown_share(read[index]))
        return [found[index] for index in range(len(texts))]

    def _runs(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Places of texts that go together: of about one length, of exactly one where the model cannot tell padding."""
        order = sorted(range(len(lengths)), key=lengths.__getitem__)
        exact = "attention_mask" not in self._inputs
        for _, group in groupby(order, key=lambda place: lengths[place] if exact else 0):
            places = list(group)
            yield from (places[start : start + _BATCH] for start in range(0, len(places), _BATCH))

    def _vectors(self, pieces: Sequence[Sequence[int]]) -> Floats:
        longest = max(1, max(map(len, pieces)))
        ids = np.full((len(pieces), longest), self._padding, dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, numbers in enumerate(pieces):
            ids[row, : len(numbers)] = numbers
            mask[row, : len(numbers)] = 1
        named = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        try:
            (output,) = self._session.run([self._output], {name: named[name] for name in self._inputs})
        except Exception as error:  # the library's own bare Exception subclasses
            raise EngineError("the encoder failed", where=str(self._settings.folder)) from error
        return normalised(_pooled(np.asarray(output, dtype=np.float32), mask, self._pooling))

    def _unknown_share(self, read: Any) -> float:
        own = [number for number, special in zip(read.ids, read.special_tokens_mask, strict=True) if not special]
        if not own:
            # some tokenizers count [UNK] among the special pieces
            own = [number for number in read.ids if number == self._unknown]
        return sum(number == self._unknown for number in read.ids) / len(own) if own else 1.0

    def _chosen_output(self) -> tuple[str, bool]:
        """The output to read, and whether it holds one vector per text already."""
        if unknown := self._inputs - _INPUTS:
            raise self._unfit(f"the model wants {', '.join(sorted(unknown))}")
        outputs = {one.name: one.shape for one in self._session.get_outputs()}
        for name in _SENTENCE_OUTPUTS:
            if name in outputs and len(outputs[name]) == 2:
                return name, True
        for name, shape in outputs.items():
            if len(shape) == 3:
                return name, False
        raise self._unfit("the model has no output of vectors")

    def _unfit(self, what: str) -> ModelError:
        return ModelError(what, where=str(self._settings.folder), hint="take an ONNX export of a sentence encoder")

    def _piece(self, names: Sequence[str]) -> int | None:
        return next((number for name in names if (number := self._tokenizer.token_to_id(name)) is not None), None)

    def _checked(self) -> int:
        """One text is encoded before anybody relies on it."""
        try:
            (vector,) = self._vectors([self._tokenizer.encode("A short test.").ids])
        except (EngineError, KeyError, ValueError, IndexError):
            raise self._unfit("the model and its tokenizer do not work together") from None
        return len(vector)

    def _fingerprint(self, model: Path, tokenizer: Path) -> str:
        digest = hashlib.sha256(tokenizer.read_bytes())
        for path in sorted(model.parent.glob(f"{model.name}*")):  # large models keep their weights beside the file
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        used = (self._output, self._pooling, self._settings.most_pieces, self._settings.passage_prefix)
        digest.update(json.dumps((*used, self._settings.query_prefix)).encode())
        return digest.hexdigest()


def _files(folder: Path) -> tuple[Path, Path]:
    for model in (folder / "model.onnx", folder / "onnx" / "model.onnx"):
        if model.is_file() and (folder / "tokenizer.json").is_file():
            return model, folder / "tokenizer.json"
    hint = "export the encoder to ONNX and name that folder"
    raise SettingsError("there is no model.onnx with a tokenizer.json", where=str(folder), hint=hint)


def _declared_pooling(folder: Path) -> Pooling:
    """Raises SettingsError."""
    path = folder / "1_Pooling" / "config.json"
    try:
        config = json.loads(path.read_bytes())
    except (OSError, ValueError):
        config = {}
    if isinstance(config, dict):
        if config.get("pooling_mode_cls_token"):
            return "cls"
        if config.get("pooling_mode_mean_tokens"):
            return "mean"
    hint = 'say pooling = "mean" or "cls", as the model\'s page has it'
    raise SettingsError("nothing says how the model's vectors are pooled", where=str(path), hint=hint)


def _pooled(output: Floats, mask: np.ndarray[Any, np.dtype[np.int64]], pooling: Pooling | None) -> Floats:
    """(n, d) from (n, d), or from (n, pieces, d) and the pieces' mask (n, pieces)."""
    if pooling is None:
        return output
    if pooling == "cls":
        return output[:, 0]
    weights = mask[:, :, None].astype(np.float32)
    mean: Floats = (output * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1.0)
    return mean


def _session_options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
