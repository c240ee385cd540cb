"""Passages to vectors, many at a time."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np

from cloud_core.knowledge.stores.base import Store, Unembedded, Vector
from nearside.encoder import Encoding

AT_ONCE = 256
"""Enough for full batches of texts of about one length, and not much to lose when the process is killed."""


class SentenceEncoder(Protocol):
    """Blocking, thread-safe. `fingerprint` changes when its vectors do."""

    @property
    def fingerprint(self) -> str: ...

    def encode(self, text: str) -> Encoding: ...

    def encode_many(self, texts: Sequence[str]) -> list[Encoding]: ...


def text_of(title: str, heading: str, text: str) -> str:
    """What is encoded of a passage."""
    return f"{title}. {heading}. {text}"


def vectors_of(encoder: SentenceEncoder, texts: Sequence[str]) -> list[Vector]:
    return [vector for run in _runs(texts) for vector in _encoded(encoder, run)]


def fill_in(store: Store, encoder: SentenceEncoder, progress: Callable[[int], None] | None = None) -> None:
    """Vectors for every passage, then they are searched. Killed meanwhile, a repeat goes on.

    `progress` is told how many were encoded so far; what it raises ends the work.
    """
    done = 0
    while not store.switch_encoder(encoder.fingerprint):
        done += embed(store, encoder, progress, done)


def embed(
    store: Store, encoder: SentenceEncoder, progress: Callable[[int], None] | None = None, before: int = 0
) -> int:
    """Vectors for every passage that has none of this encoder; how many. `before` were there already."""
    done = 0
    while waiting := store.without_vectors(encoder.fingerprint, AT_ONCE):
        vectors = _encoded(encoder, list(map(_text, waiting)))
        store.put_vectors(encoder.fingerprint, [(one.number, it) for one, it in zip(waiting, vectors, strict=True)])
        done += len(waiting)
        if progress:
            progress(before + done)
    return done


def _encoded(encoder: SentenceEncoder, texts: Sequence[str]) -> list[Vector]:
    return [Vector(one.vector.astype(np.float16), one.unknown_share) for one in encoder.encode_many(texts)]


def _runs(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    return (texts[start : start + AT_ONCE] for start in range(0, len(texts), AT_ONCE))


def _text(passage: Unembedded) -> str:
    return text_of(passage.title, passage.heading, passage.text)
