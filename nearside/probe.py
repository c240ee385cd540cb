"""What an encoder makes of a few fixed texts: whether what was learned from one encoder can be used with another.

A pack carries the rows of the encoder that it was trained with. The same model gives other vectors where a processor's
8-bit arithmetic saturates, and where it is another build.
"""

import numpy as np

from nearside.encoder import DIMENSIONS, FEATURES, Encoding, Floats, TextEncoder
from nearside.errors import ModelError

LEAST_COSINE = 0.999

_TEXTS = (
    "hello",
    "Where is my parcel?",
    "I was charged twice for one order and would like the second payment back, please.",
    "How do I reset the password of my account?",
    "The zip of the jacket broke after two weeks; can it be repaired under the warranty or do I get a new one?",
    "size 42, colour blue, order 10423",
    "退货怎么办",
    "Never again! Your courier left the box in the rain, nobody answers the phone, and I have waited for a month now.",
)


def probe(encoder: TextEncoder) -> Floats:
    """(texts, 384 + 1536): of each text the vector and the features."""
    return np.array([_row(encoding) for encoding in encoder.encode_batch(_TEXTS)], dtype=np.float32)


def check_probe(encoder: TextEncoder, stored: Floats) -> None:
    """Raises ModelError where `encoder` does not give what `stored` (see `probe`) holds, alone and in a batch."""
    shape = (len(_TEXTS), DIMENSIONS + FEATURES)
    if stored.shape != shape or not np.all(np.isfinite(stored)):
        raise ModelError("the probe vectors are not those of a text encoder", hint="build the pack again")
    alone = np.array([_row(encoder.encode(text)) for text in _TEXTS], dtype=np.float32)
    for found in (alone, probe(encoder)):
        if (lowest := _lowest_cosine(found, stored)) < LEAST_COSINE:
            raise ModelError(
                f"the text encoder gives other vectors here (cosine {lowest:.4f}, at least {LEAST_COSINE} is needed)",
                hint="build the pack with this release, or run it on a processor with the same 8-bit arithmetic",
            )


def _row(encoding: Encoding) -> Floats:
    return np.concatenate([encoding.vector, encoding.features])


def _lowest_cosine(one: Floats, other: Floats) -> float:
    """Of vectors and features each by themselves."""
    lowest = 1.0
    for part in (slice(None, DIMENSIONS), slice(DIMENSIONS, None)):
        lengths = np.linalg.norm(one[:, part], axis=1) * np.linalg.norm(other[:, part], axis=1)
        cosines = (one[:, part] * other[:, part]).sum(axis=1) / np.maximum(lengths, 1e-9)
        lowest = min(lowest, float(cosines.min()))
    return lowest
