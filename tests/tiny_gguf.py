"""Makes a language model of a few hundred kilobytes: real architecture and tokenizer, weights set so that it is known
what it says.

`python -m tests.tiny_gguf FILE "You may return it within 30 days."` writes one.

The attention and feed-forward blocks add nothing to what passes through them, so that the next token depends on the
last one alone: after the chat template's `<|assistant|>` the pieces of `says` follow each other, then the end.
The vocabulary falls back to bytes, so that every text can be read.
"""

import struct
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float32]

WIDTH, HEADS, HIDDEN, CONTEXT = 128, 2, 32, 4096
CONTROL = ("<unk>", "<s>", "</s>", "<|system|>", "<|user|>", "<|end|>", "<|assistant|>")
BOS, EOS, ASSISTANT = 1, 2, 6
FIRST_BYTE = len(CONTROL)
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
ALIGNMENT = 32
UNSIGNED, INTEGER, REAL, BOOLEAN, STRING, ARRAY = 4, 5, 6, 7, 8, 9


def write(path: Path, says: str, *, prefers: int = 0, endless: bool = False, seed: int = 7) -> Path:
    """`prefers`: the digit it gives where a grammar leaves it nothing else. `endless`: it begins again at the end."""
    pieces = _pieces(says)
    tokens = [*CONTROL, *(f"<0x{byte:02X}>" for byte in range(256)), *(piece.replace(" ", "▁") for piece in pieces)]
    kinds = [2, 3, 3, 3, 3, 3, 3, *[6] * 256, *[1] * len(pieces)]
    first = FIRST_BYTE + 256
    chain = [ASSISTANT, *range(first, first + len(pieces)), first if endless else EOS]
    path.write_bytes(_file(_metadata(tokens, kinds), _tensors(len(tokens), chain, prefers, seed)))
    return path


def _pieces(text: str) -> list[str]:
    """Short parts of a text, no two the same: a token's name is its own."""
    found: list[str] = []
    rest = text
    while rest:
        part = next((rest[:size] for size in range(3, len(rest) + 3) if rest[:size] not in found), None)
        if part is None:
            return [*found[:-1], found[-1] + rest]
        found.append(part)
        rest = rest[len(part) :]
    return found


def _tensors(size: int, chain: Sequence[int], prefers: int, seed: int) -> dict[str, Weights]:
    """A token's successor has the token's own embedding as its row in the output."""
    chance = np.random.default_rng(seed)
    embedding = np.sign(chance.standard_normal((size, WIDTH))).astype(np.float32)
    output = np.zeros((size, WIDTH), dtype=np.float32)
    for token, after in zip(chain, chain[1:], strict=False):
        output[after] += embedding[token]
    output[FIRST_BYTE + ord(str(prefers))] += embedding[ASSISTANT] / 2
    whole = {"token_embd": embedding, "output_norm": np.ones(WIDTH, dtype=np.float32), "output": output}
    return {f"{name}.weight": value for name, value in (whole | _block(chance)).items()}


def _block(chance: np.random.Generator) -> dict[str, Weights]:
    def some(rows: int, columns: int) -> Weights:
        return (chance.standard_normal((rows, columns)) / 16).astype(np.float32)

    ones, nothing = np.ones(WIDTH, dtype=np.float32), np.zeros((WIDTH, WIDTH), dtype=np.float32)
    block: dict[str, Weights] = {
        "attn_norm": ones,
        "attn_q": some(WIDTH, WIDTH),
        "attn_k": some(WIDTH, WIDTH),
        "attn_v": some(WIDTH, WIDTH),
        "attn_output": nothing,
        "ffn_norm": ones,
        "ffn_gate": some(HIDDEN, WIDTH),
        "ffn_up": some(HIDDEN, WIDTH),
        "ffn_down": np.zeros((WIDTH, HIDDEN), dtype=np.float32),
    }
    return {f"blk.0.{name}": weights for name, weights in block.items()}


def _metadata(tokens: Sequence[str], kinds: Sequence[int]) -> dict[str, tuple[int, Any]]:
    return {
        "general.architecture": (STRING, "llama"),
        "general.name": (STRING, "tiny"),
        "general.license": (STRING, "apache-2.0"),
        "general.file_type": (UNSIGNED, 0),
        "llama.context_length": (UNSIGNED, CONTEXT),
        "llama.embedding_length": (UNSIGNED, WIDTH),
        "llama.block_count": (UNSIGNED, 1),
        "llama.feed_forward_length": (UNSIGNED, HIDDEN),
        "llama.rope.dimension_count": (UNSIGNED, WIDTH // HEADS),
        "llama.attention.head_count": (UNSIGNED, HEADS),
        "llama.attention.head_count_kv": (UNSIGNED, HEADS),
        "llama.attention.layer_norm_rms_epsilon": (REAL, 1e-5),
        "tokenizer.ggml.model": (STRING, "llama"),
        "tokenizer.ggml.tokens": (ARRAY, (STRING, tokens)),
        "tokenizer.ggml.scores": (ARRAY, (REAL, [0.0] * len(tokens))),
        "tokenizer.ggml.token_type": (ARRAY, (INTEGER, kinds)),
        "tokenizer.ggml.bos_token_id": (UNSIGNED, BOS),
        "tokenizer.ggml.eos_token_id": (UNSIGNED, EOS),
        "tokenizer.ggml.unknown_token_id": (UNSIGNED, 0),
        "tokenizer.ggml.add_bos_token": (BOOLEAN, True),
        "tokenizer.chat_template": (STRING, TEMPLATE),
    }


def _file(metadata: Mapping[str, tuple[int, Any]], tensors: Mapping[str, Weights]) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    head += b"".join(
        _text(key) + struct.pack("<I", kind) + _value(kind, value) for key, (kind, value) in metadata.items()
    )
    body = b""
    for name, weights in tensors.items():
        shape = weights.shape[::-1]
        head += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(body))
        body += _padded(weights.tobytes())
    return _padded(head) + body


def _value(kind: int, value: Any) -> bytes:
    if kind == STRING:
        return _text(value)
    if kind == ARRAY:
        inner, items = value
        return struct.pack("<IQ", inner, len(items)) + b"".join(_value(inner, item) for item in items)
    return struct.pack({UNSIGNED: "<I", INTEGER: "<i", REAL: "<f", BOOLEAN: "<?"}[kind], value)


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _padded(raw: bytes) -> bytes:
    return raw + bytes(-len(raw) % ALIGNMENT)


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2])
