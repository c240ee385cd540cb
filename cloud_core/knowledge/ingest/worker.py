"""The process that reads files which may be hostile: bounded memory, no files of its own, killed when late.

Frames on both pipes are a 4-byte length and that many bytes. In: the file name's ending, the sidecar, the content.
Out: JSON, `{"document": …}` or `{"reason": …}`.
"""

import json
import os
import resource
import struct
import sys
from typing import BinaryIO

from cloud_core.knowledge.documents import Unreadable
from cloud_core.knowledge.ingest.decoding import decode
from cloud_core.knowledge.ingest.formats import readers
from cloud_core.knowledge.ingest.metadata import SIDECAR, described, from_yaml

LENGTH = struct.Struct(">I")
MOST_MEMORY_BYTES = 2**30
MOST_CPU_S = 60


def read_frame(stream: BinaryIO) -> bytes | None:
    head = stream.read(LENGTH.size)
    return stream.read(LENGTH.unpack(head)[0]) if len(head) == LENGTH.size else None


def write_frame(stream: BinaryIO, content: bytes) -> None:
    stream.write(LENGTH.pack(len(content)) + content)
    stream.flush()


def answer(ending: str, sidecar: bytes, content: bytes) -> bytes:
    try:
        metadata = from_yaml(decode(sidecar), SIDECAR, strict=True)
        document = described(readers()[ending](content), metadata)
    except Unreadable as error:
        return json.dumps({"reason": error.what}).encode()
    except MemoryError:
        return json.dumps({"reason": "needs too much memory to read"}).encode()
    except RecursionError:
        return json.dumps({"reason": "is nested too deeply to read"}).encode()
    except Exception as error:  # a reader's library met something nobody thought of: report the file, go on
        return json.dumps({"reason": f"cannot be read ({type(error).__name__})"}).encode()
    return b'{"document":' + document.model_dump_json().encode("utf-8", errors="replace") + b"}"


def limit(kind: int, most: int) -> None:
    """The soft limit: the hard one may already be lower, and only it cannot be raised again."""
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def main() -> None:
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not become a reply
    for kind, most in ((resource.RLIMIT_AS, MOST_MEMORY_BYTES), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        limit(kind, most)
    requests = sys.stdin.buffer
    while len(frames := [frame for _ in range(3) if (frame := read_frame(requests)) is not None]) == 3:
        ending, sidecar, content = frames
        used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        limit(resource.RLIMIT_CPU, int(used) + MOST_CPU_S)
        write_frame(replies, answer(ending.decode(), sidecar, content))


if __name__ == "__main__":
    main()
