import numpy as np
import pytest

from nearside.encoder import DIMENSIONS, FEATURES, Encoding, TextEncoder
from nearside.errors import ModelError
from nearside.probe import check_probe, probe

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder()


class Saturating(TextEncoder):
    """Every encoding is a little off: cosine 0.995."""

    def encode(self, text: str) -> Encoding:
        encoding = super().encode(text)
        return Encoding(_turned(encoding.vector), encoding.unknown_share, _turned(encoding.features))


def _turned(vector: np.ndarray) -> np.ndarray:
    aside = np.roll(vector, 1)
    aside -= vector * (aside @ vector)
    turned: np.ndarray = 0.995 * vector + 0.0999 * aside / np.linalg.norm(aside)
    return turned


def test_an_encoder_passes_its_own_probe(encoder: TextEncoder) -> None:
    stored = probe(encoder)
    assert stored.shape[1] == DIMENSIONS + FEATURES and stored.dtype == np.float32
    check_probe(encoder, stored)
    check_probe(TextEncoder(threads=2), stored)


def test_vectors_that_are_a_little_off_are_refused(encoder: TextEncoder) -> None:
    with pytest.raises(ModelError, match=r"other vectors here \(cosine 0\.995\d, at least 0\.999"):
        check_probe(Saturating(), probe(encoder))


@pytest.mark.parametrize("part", [slice(None, DIMENSIONS), slice(DIMENSIONS, None)])
def test_one_text_that_differs_is_enough(encoder: TextEncoder, part: slice) -> None:
    stored = probe(encoder)
    stored[3, part] = stored[4, part]
    with pytest.raises(ModelError, match="other vectors here"):
        check_probe(encoder, stored)


@pytest.mark.parametrize(
    "stored",
    [
        np.zeros((0, 0), dtype=np.float32),
        np.zeros((8, DIMENSIONS), dtype=np.float32),
        np.full((8, DIMENSIONS + FEATURES), np.nan, dtype=np.float32),
        np.zeros((8, DIMENSIONS + FEATURES), dtype=np.float32),
    ],
)
def test_what_is_no_probe_is_refused(encoder: TextEncoder, stored: np.ndarray) -> None:
    with pytest.raises(ModelError):
        check_probe(encoder, stored)
