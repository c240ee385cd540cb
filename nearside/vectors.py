"""The vectors of many fixed texts, kept in a file between starts."""

import hashlib
import os
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearside.encoder import DIMENSIONS, FEATURES, Encoding, TextEncoder

Floats = NDArray[np.float32]

_DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


def encode_cached(texts: Sequence[str], encoder: TextEncoder, cache: Path | None) -> list[Encoding]:
    """One encoding per text; only what `cache` lacks is computed. A damaged or foreign cache is replaced."""
    keys = [_key(text, encoder) for text in texts]
    known = _read(cache) if cache else {}
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    known |= zip(missing, encoder.encode_many(list(missing.values())), strict=True)
    wanted = {key: known[key] for key in keys}
    if cache and (missing or len(wanted) != len(known)):
        with suppress(OSError):  # a full or read-only disk costs the next start time, nothing else
            _write(cache, wanted)
    return [wanted[key] for key in keys]


def read_weights(file: Path, recipe: str) -> Floats | None:
    """What `write_weights` kept under the same recipe; None where there is nothing sound."""
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
            weights: Floats = stored["weights"]
            is_same = str(stored["recipe"]) == recipe
    except _DAMAGED:
        return None
    return weights if is_same and weights.dtype == np.float32 and weights.ndim == 2 else None


def write_weights(file: Path, recipe: str, weights: Floats) -> None:
    with suppress(OSError):  # as above
        _save(file, recipe=np.array(recipe), weights=weights)


def _key(text: str, encoder: TextEncoder) -> str:
    return hashlib.sha256(f"{encoder.fingerprint}\0{text}".encode("utf-8", "replace")).hexdigest()


def _read(cache: Path) -> dict[str, Encoding]:
    try:
        with cache.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            keys, vectors, unknown, features = (stored[name] for name in ("keys", "vectors", "unknown", "features"))
    except _DAMAGED:
        return {}
    if unknown.shape != (len(keys),) or not (
        _are_unit(vectors, (len(keys), DIMENSIONS), np.float32)
        and _are_unit(features, (len(keys), FEATURES), np.float16)
    ):
        return {}
    rows = zip(keys, vectors, unknown, features.astype(np.float32), strict=True)
    return {str(key): Encoding(vector, float(share), layers) for key, vector, share, layers in rows}


def _are_unit(rows: NDArray[Any], shape: tuple[int, int], dtype: type[np.floating[Any]]) -> bool:
    if rows.shape != shape or rows.dtype != dtype:
        return False
    lengths = np.linalg.norm(rows.astype(np.float32), axis=1)
    return bool(np.all(np.abs(lengths - 1) < 1e-3))


def _write(cache: Path, encodings: dict[str, Encoding]) -> None:
    """The features rounded to 16 bits: their cosine to the whole ones is 0.9999999."""
    found = encodings.values()
    _save(
        cache,
        keys=np.array(list(encodings), dtype="U64"),
        vectors=np.array([encoding.vector for encoding in found], dtype=np.float32).reshape(-1, DIMENSIONS),
        unknown=np.array([encoding.unknown_share for encoding in found]),
        features=np.array([encoding.features for encoding in found], dtype=np.float16).reshape(-1, FEATURES),
    )


def _save(path: Path, **arrays: NDArray[Any]) -> None:
    """Whole or not at all."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
