"""What the passages are about, learned from which words stand together in them (latent semantic analysis)."""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud_core.knowledge.index.postings import Postings, Segment, joined
from cloud_core.knowledge.index.snapshot import Catalogue
from nearside.errors import StorageError
from nearside.lexical import content_words, has_cjk

NAME = "topics"
TOPICS = 200
LEAST_PASSAGES = 300
MOST_PASSAGES = 200_000
_MOST_FITTED = 20_000
_LEAST_HOLDERS = 2
_COMMON_SHARE = 0.3
_ROUNDS = 4
_SPARE = 10
_LEAST_LENGTH = 1e-7
_FORMAT = 1
_HEAD = struct.Struct("<BIIII")  # format, topics, words, passages, crc32
_STEPS = 127.0

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Topics:
    """`words`: places in `directions` (m, k). `numbers` (n,) grow; `passages` (n, k): unit vectors, in 127ths."""

    words: dict[str, int]
    directions: Floats
    numbers: NDArray[np.int64]
    passages: NDArray[np.int8]

    def vector(self, words: Sequence[str]) -> Floats | None:
        """(k,), length 1; None if no word is known."""
        known = [self.words[word] for word in words if word in self.words]
        vector: Floats = self.directions[known].sum(axis=0)
        length = float(np.linalg.norm(vector))
        return vector / np.float32(length) if length > 0 else None

    def cosines(self, vector: Floats, numbers: NDArray[np.int64]) -> Floats:
        """(m,): how near each passage is; 0 for one that was not there when this was learned."""
        places = np.minimum(np.searchsorted(self.numbers, numbers), len(self.numbers) - 1)
        cosines = self.passages[places].astype(np.float32) @ vector / np.float32(_STEPS)
        return np.where(self.numbers[places] == numbers, cosines, np.float32(0))


def learn(segments: Sequence[Segment], keep: NDArray[np.int64]) -> bytes | None:
    """Of the passages in `keep` (n,), which grow; None where they are too few or too many to learn from."""
    if not LEAST_PASSAGES <= len(keep) <= MOST_PASSAGES:
        return None
    words, idf, matrix = _matrix(segments, keep)
    if len(words) <= 2 * TOPICS:
        return None
    directions = _directions(matrix[:: -(-len(keep) // _MOST_FITTED)])
    passages = _unit(matrix @ directions)
    return _packed(words, directions * idf[:, None], keep, passages)


def read(blob: bytes) -> Topics:
    """Raises StorageError on bytes that `learn` did not make."""
    try:
        version, topics, words, passages, checksum = _HEAD.unpack_from(blob)
        body = memoryview(blob)[_HEAD.size :]
        if version != _FORMAT or zlib.crc32(body) != checksum:
            raise ValueError
        directions = np.frombuffer(body, np.float16, words * topics)
        numbers = np.frombuffer(body, np.int64, passages, directions.nbytes)
        steps = np.frombuffer(body, np.int8, passages * topics, directions.nbytes + numbers.nbytes)
        names = bytes(body[directions.nbytes + numbers.nbytes + steps.nbytes :]).decode().split("\n")
    except (struct.error, ValueError):
        raise StorageError("what search learned is damaged", hint="publish the knowledge base again") from None
    places = {name: place for place, name in enumerate(names)}
    return Topics(
        places, directions.reshape(words, topics).astype(np.float32), numbers, steps.reshape(passages, topics)
    )


def topics_of(catalogue: Catalogue, blob: bytes | None) -> Topics | None:
    """What `learn` made, read once as long as it is the same object."""
    if blob is None:
        return None
    known = catalogue.memo.get(NAME)
    if known is None or known[0] is not blob:
        known = catalogue.memo[NAME] = (blob, read(blob))
    topics = known[1]
    assert isinstance(topics, Topics)
    return topics


def _matrix(segments: Sequence[Segment], keep: NDArray[np.int64]) -> tuple[list[str], Floats, Any]:
    """Words (m,), their inverse document frequencies (m,), and the sparse tf-idf matrix (n, m) with unit rows."""
    from scipy import sparse

    words: list[str] = []
    idf, rows, columns, values = [], [], [], []
    for word, holders, often in _telling(segments, keep):
        idf.append(np.log(len(keep) / len(holders)))
        rows.append(holders)
        columns.append(np.full(len(holders), len(words)))
        values.append((1 + np.log(often)) * idf[-1])
        words.append(word)
    if not words:
        return [], np.zeros(0, dtype=np.float32), None
    where = np.concatenate(rows), np.concatenate(columns)
    matrix = sparse.csr_matrix((np.concatenate(values), where), (len(keep), len(words)), dtype=np.float32)
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    shrink = sparse.diags((1 / np.maximum(lengths, 1e-6)).astype(np.float32))
    return words, np.array(idf, dtype=np.float32), shrink @ matrix


def _telling(segments: Sequence[Segment], keep: NDArray[np.int64]) -> Iterator[tuple[str, NDArray[np.int64], Floats]]:
    """Words that stand in some passages and not in too many: (word, rows of `keep`, how often it stands in each)."""
    for word in dict.fromkeys(word for segment in segments for word in segment.postings):
        postings = joined([segment.postings[word] for segment in segments if word in segment.postings])
        if len(postings.numbers) < _LEAST_HOLDERS:
            continue
        rows, often = np.searchsorted(keep, postings.numbers), _often(word, postings)
        held = (np.append(keep, -1)[rows] == postings.numbers) & (often > 0)
        if _LEAST_HOLDERS <= np.count_nonzero(held) <= _COMMON_SHARE * len(keep) and _is_word(word):
            yield word, rows[held], often[held]


def _often(word: str, postings: Postings) -> Floats:
    """A Chinese word of two characters is counted twice, as word and as pair; a chance pair once."""
    twice = len(word) == 2 and has_cjk(word)
    counts = postings.counts // 2 if twice else postings.counts
    often: Floats = counts.sum(axis=1, dtype=np.float32)
    return often


def _is_word(term: str) -> bool:
    """Not a chance pair of Chinese characters."""
    return not has_cjk(term) or content_words(term) == [term]


def _directions(matrix: Any) -> Floats:
    """(m, k): the right singular vectors of the largest singular values, by random projection; always the same."""
    start = np.random.default_rng(0).standard_normal((matrix.shape[1], TOPICS + _SPARE), dtype=np.float32)
    basis = start
    for _ in range(_ROUNDS):
        basis = _orthonormal(_orthonormal(matrix.T @ (matrix @ basis)))
    _, _, rotation = np.linalg.svd(matrix @ basis, full_matrices=False)
    directions: Floats = (basis @ rotation.T)[:, :TOPICS].astype(np.float32)
    return directions


def _orthonormal(columns: Floats) -> Floats:
    """The same space, by the columns' products (k, k): for many rows much faster than QR, and exact when repeated.

    Directions that the columns hardly have become 0.
    """
    lengths, axes = np.linalg.eigh((columns.T @ columns).astype(np.float64))
    there = lengths > _LEAST_LENGTH * lengths[-1]
    turned = np.where(there, axes / np.sqrt(np.where(there, lengths, 1.0)), 0.0)
    basis: Floats = columns @ turned.astype(np.float32)
    return basis


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Floats = (vectors / np.maximum(lengths, 1e-6)).astype(np.float32)
    return unit


def _packed(words: Sequence[str], directions: Floats, numbers: NDArray[np.int64], passages: Floats) -> bytes:
    steps = np.round(passages * np.float32(_STEPS)).astype(np.int8)
    arrays = directions.astype(np.float16).tobytes() + numbers.astype(np.int64).tobytes() + steps.tobytes()
    body = arrays + "\n".join(words).encode()
    return _HEAD.pack(_FORMAT, TOPICS, len(words), len(numbers), zlib.crc32(body)) + body
