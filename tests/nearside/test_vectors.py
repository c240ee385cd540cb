from pathlib import Path

import numpy as np
import pytest

from nearside.encoder import FEATURES, TextEncoder
from nearside.vectors import encode_cached

pytestmark = pytest.mark.unit

TEXTS = ["Where is my parcel?", "怎么退货？", "", "Where is my parcel?"]


def test_what_the_cache_gives_back_is_what_went_in(tmp_path: Path) -> None:
    encoder, cache = TextEncoder(), tmp_path / "vectors.npz"
    fresh = encode_cached(TEXTS, encoder, cache)
    kept = encode_cached(TEXTS, encoder, cache)
    for before, after in zip(fresh, kept, strict=True):
        assert np.array_equal(before.vector, after.vector) and before.unknown_share == after.unknown_share
        assert after.features.shape == (FEATURES,) and after.features.dtype == np.float32
        assert before.features @ after.features == pytest.approx(1, abs=1e-4)
    assert kept is not fresh and len(kept) == len(TEXTS)


def test_no_texts_need_no_cache(tmp_path: Path) -> None:
    assert encode_cached([], TextEncoder(), tmp_path / "vectors.npz") == []
    assert not (tmp_path / "vectors.npz").exists()
