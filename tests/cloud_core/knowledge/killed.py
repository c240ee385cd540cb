"""Work on a knowledge base in a process that is killed at a random moment."""

import hashlib
import multiprocessing
import random
import time
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path

import numpy as np

from cloud_core.knowledge import adding
from cloud_core.knowledge.base import KnowledgeBase
from cloud_core.knowledge.stores import pieces
from cloud_core.knowledge.stores.sqlite import segments
from nearside.encoder import Encoding
from tests.cloud_core.knowledge.sqlite_file import open_store


class QuickEncoder:
    """The same text, the same vector; what is alike is not near."""

    fingerprint = "quick"

    def encode(self, text: str) -> Encoding:
        return self.encode_many([text])[0]

    def encode_many(self, texts: Sequence[str]) -> list[Encoding]:
        return [Encoding(vector, 0.0, vector) for vector in map(_vector, texts)]


def _vector(text: str) -> np.ndarray:
    values = np.random.default_rng(list(hashlib.sha256(text.encode()).digest())).standard_normal(384)
    return (values / np.linalg.norm(values)).astype(np.float32)


def opened(path: Path) -> KnowledgeBase:
    return KnowledgeBase(open_store(path), QuickEncoder())


def add(path: Path, folder: Path) -> None:
    """A document after the other."""
    vars(adding)["AT_ONCE"] = 1
    opened(path).add(folder)


def publish(path: Path) -> None:
    """In many small steps, as with a knowledge base that is large."""
    vars(segments)["AT_ONCE"], vars(pieces)["MOST_SMALL"] = 40, 2
    opened(path).publish()


def context() -> ForkServerContext:
    """Processes from one that never had a database open: SQLite does not stand a fork."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload([__name__])
    return made


def seconds(made: ForkServerContext, work: Callable[..., None], *arguments: Path) -> float:
    """Undisturbed."""
    first = made.Process(target=time.sleep, args=(0,))  # starts the server that the others come from
    first.start()
    first.join()
    process = made.Process(target=work, args=arguments)
    began = time.monotonic()
    process.start()
    process.join()
    assert process.exitcode == 0
    return time.monotonic() - began


def killed(
    made: ForkServerContext, within_s: float, look: Callable[[], None], work: Callable[..., None], *arguments: Path
) -> bool:
    """`look` is called all the time until then. False where the work had ended before."""
    process = made.Process(target=work, args=arguments)
    process.start()
    ends_at = time.monotonic() + random.uniform(0.0, within_s)
    while time.monotonic() < ends_at:
        look()
    process.kill()
    process.join()
    assert process.exitcode in (0, -9)
    return process.exitcode != 0
