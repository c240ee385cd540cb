"""Models for tests, and the edge's way to talk to them."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from edge_node.local_model.client import LocalModel
from edge_node.local_model.frames import Budget, Prompt
from edge_node.local_model.process import ModelProcess, command
from edge_node.turns.fair import Fair
from nearside.errors import ModelError
from tests.edge_node.stage import until

PROMPT = Prompt("Answer.", "Hello, 你好!")
BUDGET = Budget(20.0, 64)


class Reported:
    """What an operator would see."""

    def __init__(self) -> None:
        self.ok = False
        self.details: list[str] = []

    def __call__(self, ok: bool, detail: str) -> None:
        self.ok = ok
        self.details.append(detail)


class Shelf:
    """Names the active file, as long as there is one; starts it, or `program` in its place."""

    def __init__(self, file: Path | None, program: Sequence[str] = ()) -> None:
        self.file, self.program = file, program
        self.started: list[ModelProcess] = []

    def active(self) -> Path:
        if self.file is None:
            raise ModelError("no model is installed")
        return self.file

    async def start(self, file: Path) -> ModelProcess:
        self.started.append(await ModelProcess.start(self.program or command(file, 1)))
        return self.started[-1]


@contextlib.asynccontextmanager
async def running(shelf: Shelf, *, ready: bool = True) -> AsyncIterator[tuple[LocalModel, Reported]]:
    model, reported = LocalModel(shelf.active, shelf.start, Fair(1)), Reported()
    model.want()
    task = asyncio.create_task(model.run(reported))
    try:
        if ready:
            await until(lambda: model.is_ready)
        yield model, reported
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for process in shelf.started:
            assert await process.ended() is not None


async def said(model: LocalModel, tenant_id: str = "shop", prompt: Prompt = PROMPT, budget: Budget = BUDGET) -> str:
    return "".join([text async for text in model.generate(tenant_id, prompt, budget)])


def script(source: str) -> Sequence[str]:
    """A process that speaks the protocol, or breaks it: `say(…)` writes a frame, `heard()` reads one."""
    opening = (
        "import json, sys, time\n"
        "def say(**frame): print(json.dumps(frame), flush=True)\n"
        "def heard(): return json.loads(sys.stdin.readline() or 'null') or sys.exit()\n"
        "READY = dict(context=4096, load_s=0.0, description='a script')\n"
    )
    return (sys.executable, "-c", opening + source)
