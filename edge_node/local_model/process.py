"""The model's process, from outside: started, asked, told to stop, killed where it does not listen."""

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edge_node.local_model.frames import LINE_BYTES, Asked, Ready, asked_line, line
from nearside.errors import EngineError, ModelError

LOAD_S = 300.0
"""A large file on a slow disk."""
END_S = 2.0
INSTALL = "pip install 'nearside[llama]'"
Frame = Mapping[str, Any]


def must_be_installed() -> None:
    """Raises ModelError where llama.cpp is not there."""
    if find_spec("llama_cpp") is None:
        raise ModelError("llama.cpp is not installed here", hint=INSTALL)


def command(file: Path, threads: int) -> Sequence[str]:
    """Raises ModelError where llama.cpp is not there."""
    must_be_installed()
    return (sys.executable, "-P", "-m", "edge_node.local_model", str(file), str(threads))  # -P: nothing of this folder


class ModelProcess:
    """One request at a time. What it writes for a request that nobody reads any more is dropped."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._frames: asyncio.Queue[Frame | None] = asyncio.Queue()
        self._loaded: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._read())
        self._last_id = 0

    @classmethod
    async def start(cls, words: Sequence[str], owner: os.stat_result | None = None) -> "ModelProcess":
        """Root starts it as `owner`."""
        identity: dict[str, Any] = {}
        if owner is not None and os.geteuid() == 0 and owner.st_uid != 0:
            identity = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": ()}
        process = await asyncio.create_subprocess_exec(
            *words, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=LINE_BYTES, **identity
        )
        return cls(process)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ready(self) -> Ready:
        """Once the file is loaded. Raises ModelError where it cannot be."""
        try:
            async with asyncio.timeout(LOAD_S):
                return await asyncio.shield(self._loaded)
        except TimeoutError:
            raise ModelError(
                f"not loaded within {LOAD_S:.0f} s", hint="take a smaller model, or a faster disk"
            ) from None

    async def ended(self) -> int:
        """Its exit code, or minus the number of the signal, when it has ended."""
        return await self._process.wait()

    def ask(self, scope: str, system: str, user: str, tokens: int, time_s: float, choices: int = 0) -> int:
        """Begin a request; the last one must have ended. Its number. Raises EngineError."""
        self._last_id += 1
        self._send(asked_line(Asked(self._last_id, scope, system, user, tokens, time_s, choices)))
        return self._last_id

    async def answer(self, request_id: int) -> AsyncGenerator[Frame]:
        """What it says to a request, the frame with `end` last. Raises EngineError where the process ends first."""
        while (frame := await self._frames.get()) is not None:
            if frame.get("id") == request_id:
                yield frame
                if "end" in frame:
                    return
        self._frames.put_nowait(None)
        raise EngineError("the model's process ended in the middle of an answer")

    def cancel(self, request_id: int) -> None:
        with contextlib.suppress(EngineError):
            self._send(line({"cancel": request_id}))

    async def stop(self) -> None:
        """It ends with its pipe; killed where it does not."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(END_S):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()
        await self._reading

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    @property
    def has_ended(self) -> bool:
        return self._reading.done()

    def _send(self, raw: bytes) -> None:
        writer = self._process.stdin
        if self.has_ended or writer is None or writer.is_closing():
            raise EngineError("the model's process has ended")
        writer.write(raw)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError, TypeError, asyncio.InvalidStateError):  # no line of ours
            while raw := await self._process.stdout.readline():
                self._take(json.loads(raw))
        self.kill()
        if not self._loaded.done():
            self._loaded.set_exception(ModelError("the model's process ended while it loaded the file"))
            self._loaded.exception()  # nobody may wait for it any more
        self._frames.put_nowait(None)

    def _take(self, frame: Frame) -> None:
        if "ready" in frame:
            self._loaded.set_result(Ready(**frame["ready"]))
        elif "failed" in frame:
            self._loaded.set_exception(ModelError(frame["failed"]))
            self._loaded.exception()
        else:
            self._frames.put_nowait(frame)
