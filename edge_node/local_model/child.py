"""The model's process: reads requests, writes what the model says, ends with its pipe.

It is the first that the system may kill when memory is short, and the last that gets the processor.
"""

import codecs
import contextlib
import json
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from edge_node.local_model.engine import Engine
from edge_node.local_model.frames import Asked, End, Ready, line
from nearside.errors import NearsideError
from nearside.logs import failure

NICENESS = 10
KILL_FIRST = "1000"
BAD_FILE = 3
"""The exit code of a process whose model does not load."""

Tell = Callable[[Mapping[str, Any]], None]


def serve(file: Path, threads: int, requests: BinaryIO, answers: BinaryIO) -> int:
    """Until `requests` ends; an exit code where the file is no model."""
    _step_back()
    inbox = _Inbox(requests)

    def tell(message: Mapping[str, Any]) -> None:
        answers.write(line(message))
        answers.flush()

    started = time.monotonic()
    try:
        engine = Engine.load(file, threads)
    except NearsideError as error:
        tell({"failed": error.what})
        return BAD_FILE
    except Exception as error:
        tell({"failed": f"llama.cpp failed ({type(error).__name__})"})
        return BAD_FILE
    ready = Ready(engine.context, round(time.monotonic() - started, 3), engine.description)
    tell({"ready": asdict(ready)})
    while True:
        _answer(engine, inbox.next(), inbox, tell)


def _answer(engine: Engine, asked: Asked, inbox: "_Inbox", tell: Tell) -> None:
    try:
        end = _write(engine, asked, inbox, tell)
    except Exception as error:  # the worker's loop: a request that breaks is no reason not to take the next one
        tell({"id": asked.id, "end": "broken", "error": failure(error)})
    else:
        tell({"id": asked.id, "end": end})
    inbox.forget(asked.id)


def _write(engine: Engine, asked: Asked, inbox: "_Inbox", tell: Tell) -> End:
    ends_at = time.monotonic() + asked.time_s
    prompt = engine.read(asked.system, asked.user)
    if len(prompt) + asked.tokens > engine.context:
        return "too_long"

    def stop() -> bool:
        return inbox.is_cancelled(asked.id) or time.monotonic() > ends_at

    decoder, written = codecs.getincrementaldecoder("utf-8")("replace"), 0
    for piece in engine.write(prompt, asked.tokens, asked.scope, stop, _grammar(asked.choices)):
        written += 1
        if text := decoder.decode(piece):
            tell({"id": asked.id, "text": text})
    if inbox.is_cancelled(asked.id):
        return "cancelled"
    if time.monotonic() > ends_at:
        return "time"
    return "length" if written == asked.tokens else "stop"


def _grammar(choices: int) -> str:
    return "root ::= " + " | ".join(f'"{choice}"' for choice in range(choices + 1)) if choices else ""


class _Inbox:
    """Requests in their order, read on a thread of its own, so that a cancellation is heard at once."""

    def __init__(self, requests: BinaryIO) -> None:
        self._waiting: queue.SimpleQueue[Asked] = queue.SimpleQueue()
        self._cancelled: set[int] = set()
        self._requests = requests
        threading.Thread(target=self._read, daemon=True).start()

    def next(self) -> Asked:
        return self._waiting.get()

    def is_cancelled(self, request_id: int) -> bool:
        return request_id in self._cancelled

    def forget(self, request_id: int) -> None:
        self._cancelled.discard(request_id)

    def _read(self) -> None:
        try:
            for raw in self._requests:
                message = json.loads(raw)
                if "cancel" in message:
                    self._cancelled.add(message["cancel"])
                else:
                    self._waiting.put(Asked(**message))
        finally:
            os._exit(0)  # the edge has gone, or wants no more: nothing here needs an orderly end


def _step_back() -> None:
    os.nice(NICENESS)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(KILL_FIRST)
