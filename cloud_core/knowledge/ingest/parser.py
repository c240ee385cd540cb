"""Files to documents, through a worker process that is replaced when it dies or is late."""

import os
import select
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import BaseModel, ValidationError

from cloud_core.knowledge.documents import Document, Unreadable
from cloud_core.knowledge.ingest.formats import readers
from cloud_core.knowledge.ingest.sources import Source, content_of
from cloud_core.knowledge.ingest.worker import LENGTH

MOST_CHARACTERS = 4_000_000
MOST_REPLY_BYTES = 128 * 2**20
_CHUNK = 1 << 16


class _Reply(BaseModel):
    document: Document | None = None
    reason: str = ""


class _Late(Exception):
    pass


class Parser:
    """A context manager; one file at a time."""

    def __init__(self, time_limit_s: float = 30.0) -> None:
        self._time_limit_s = time_limit_s
        self._worker: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def parse(self, path: Path) -> tuple[Document, bytes]:
        """The document and the file's content. Raises Unreadable."""
        check_ending(path.suffix.lower())
        content = content_of(path)
        return self.parse_content(content, path.suffix.lower()), content

    def read(self, source: Source) -> Document:
        """Raises Unreadable."""
        check_ending(source.ending)
        if source.reason:
            raise Unreadable(source.reason)
        return self.parse_content(source.content, source.ending, source.sidecar)

    def parse_content(self, content: bytes, ending: str, sidecar: bytes = b"") -> Document:
        """`sidecar`: what a `FILE.meta.yaml` says of it. Raises Unreadable."""
        try:
            answered = self._exchange(ending.encode(), sidecar, content)
        except _Late:
            self._stop()
            raise Unreadable(f"takes longer than {self._time_limit_s:g} s to read") from None
        except (OSError, EOFError):
            self._stop()
            raise Unreadable("cannot be read: the reader gave up on it") from None
        try:
            reply = _Reply.model_validate_json(answered)
        except ValidationError:
            raise Unreadable("cannot be read: the reader's result makes no sense") from None
        if reply.document is None:
            raise Unreadable(reply.reason)
        if sum(len(block.text) for block in reply.document.blocks) > MOST_CHARACTERS:
            raise Unreadable(f"has more than {MOST_CHARACTERS:,} characters of text: split it")
        return reply.document

    def _exchange(self, *frames: bytes) -> bytes:
        worker = self._started()
        ends_at = time.monotonic() + self._time_limit_s
        assert worker.stdin and worker.stdout
        message = b"".join(LENGTH.pack(len(frame)) + frame for frame in frames)
        _write(worker.stdin.fileno(), message, ends_at)
        length = LENGTH.unpack(_read(worker.stdout.fileno(), LENGTH.size, ends_at))[0]
        if length > MOST_REPLY_BYTES:
            raise EOFError
        return _read(worker.stdout.fileno(), length, ends_at)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._worker is None or self._worker.poll() is not None:
            self._stop()
            self._worker = subprocess.Popen(
                [sys.executable, "-P", "-m", "cloud_core.knowledge.ingest.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
            )
            assert self._worker.stdin
            os.set_blocking(self._worker.stdin.fileno(), False)
        return self._worker

    def _stop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()
            for pipe in (worker.stdin, worker.stdout):
                if pipe is not None:
                    pipe.close()
            worker.wait()


def check_ending(ending: str) -> None:
    """Raises Unreadable."""
    if ending not in readers():
        raise Unreadable(f"there is no reader for '{ending}'", hint=f"readable: {', '.join(sorted(readers()))}")


def _write(descriptor: int, content: bytes, ends_at: float) -> None:
    rest = memoryview(content)
    while rest:
        _wait(descriptor, ends_at, writing=True)
        rest = rest[os.write(descriptor, rest[:_CHUNK]) :]


def _read(descriptor: int, length: int, ends_at: float) -> bytes:
    content = bytearray()
    while len(content) < length:
        _wait(descriptor, ends_at, writing=False)
        piece = os.read(descriptor, min(_CHUNK, length - len(content)))
        if not piece:
            raise EOFError
        content += piece
    return bytes(content)


def _wait(descriptor: int, ends_at: float, *, writing: bool) -> None:
    left = ends_at - time.monotonic()
    watched = select.poll()  # unlike select, at home with descriptors above 1023
    watched.register(descriptor, select.POLLOUT if writing else select.POLLIN)
    if left <= 0 or not watched.poll(left * 1000):
        raise _Late
