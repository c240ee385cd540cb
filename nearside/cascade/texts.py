"""Many strings as two arrays, and strings as numbers to look up."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray


def packed(texts: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """All bytes, and where each text ends."""
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
    return np.frombuffer(b"".join(encoded), dtype=np.uint8), ends


def unpacked(data: NDArray[np.uint8], ends: NDArray[np.int64]) -> list[str]:
    """Raises ValueError where the two do not belong together."""
    stored, places = data.tobytes(), [0, *ends.tolist()]
    if places != sorted(places) or places[-1] != len(stored):
        raise ValueError("texts and their ends differ")
    return [
        stored[start:stop].decode("utf-8", "surrogatepass") for start, stop in zip(places, places[1:], strict=False)
    ]


def key(text: str) -> int:
    """64 bits of a hash."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
