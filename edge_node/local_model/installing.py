"""Brings a model file to its place: looked at, copied, tried in a process of its own, and only then named."""

import asyncio
import hashlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edge_node.local_model.files import About, Models, name_of
from edge_node.local_model.gguf import Header, read_header
from edge_node.local_model.process import ModelProcess, command, must_be_installed
from nearside.errors import EngineError, ModelError
from nearside.placing import hand_over

PART = ".part"
PART_BYTES = 4 << 20
FORGOTTEN_S = 3600.0
"""A part that old was left by a command that was killed."""
SPARE_BYTES = 64 << 20
WORK_BYTES = 300 << 20
"""What a small model takes besides its file: llama.cpp, the context, working space."""
TRIAL_TOKENS, TRIAL_S = 16, 120.0

Progress = Callable[[str, int, int], None]
"""`progress(what, done, of)`: `of` is 0 for a step that cannot be measured."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What the trial showed: llama.cpp's description, seconds to load, tokens a second."""

    description: str
    load_s: float
    tokens_per_s: float


def add(models: Models, source: Path, given_name: str | None, threads: int, progress: Progress) -> tuple[About, Tried]:
    """Raises ModelError and OSError; then nothing of it is left."""
    must_be_installed()
    name = name_of(source, given_name)
    with _opened(source) as file:
        size = os.fstat(file.fileno()).st_size
        progress("checking", 0, 0)
        header = read_header(file, size, str(source))
        _must_fit(size, models.folder, str(source))
        with _part(models, name) as part:
            digest = _copy(file, size, part, progress)
            hand_over(models.folder, models.folder.parent)
            progress("trying it", 0, 0)
            tried = asyncio.run(_try(part, threads, part.stat(), str(source)))
            about = _about(name, header, size, digest)
            os.replace(part, models.file(name))
            models.keep(about)
    return about, tried


def _about(name: str, header: Header, size: int, digest: str) -> About:
    said = (header.architecture, header.quantisation, header.licence, header.context)
    return About(name, size, digest, *said, added_at=round(time.time(), 3))


@contextmanager
def _opened(source: Path) -> Iterator[BinaryIO]:
    if not source.is_file():
        what = "a folder or a device" if source.exists() else "no such file"
        raise ModelError(what, where=str(source), hint="name a GGUF file")
    with source.open("rb") as file:
        yield file


def _must_fit(size: int, folder: Path, where: str) -> None:
    """Raises ModelError where memory or disk is too small for it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < size + SPARE_BYTES:
        what = f"the disk has {_mib(free)} free, the model needs {_mib(size + SPARE_BYTES)}"
        raise ModelError(what, where=str(folder), hint="make room")
    memory = available_memory()
    if memory < size + WORK_BYTES:
        what = f"{_mib(memory)} of memory are free, the model needs {_mib(size + WORK_BYTES)}"
        raise ModelError(what, where=where, hint="take a smaller model, or one that is quantised further")


def available_memory() -> int:
    """Bytes that programs can still have, in this machine or this container."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    try:
        most = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii"))
        said = Path("/sys/fs/cgroup/memory.stat").read_text(encoding="ascii").splitlines()
        cached = next(int(line.split()[1]) for line in said if line.startswith("inactive_file "))
        return free if most == "max" else min(free, int(most) - used + cached)
    except (OSError, ValueError, StopIteration):  # no cgroup of our own
        return free


@contextmanager
def _part(models: Models, name: str) -> Iterator[Path]:
    """A name beside the place, for a file that is not whole yet."""
    for left in models.folder.glob(f".*{PART}"):
        if time.time() - left.stat().st_mtime > FORGOTTEN_S:
            left.unlink(missing_ok=True)
    part = models.folder / f".{name}.{os.urandom(6).hex()}{PART}"
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def _copy(file: BinaryIO, size: int, part: Path, progress: Progress) -> str:
    """Durable on return; its SHA-256."""
    digest, done = hashlib.sha256(), 0
    file.seek(0)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
        while block := file.read(PART_BYTES):
            target.write(block)
            digest.update(block)
            done += len(block)
            progress("copying", done, size)
        target.flush()
        os.fsync(target.fileno())
    return digest.hexdigest()


async def _try(part: Path, threads: int, owner: os.stat_result, where: str) -> Tried:
    """Raises ModelError where it does not load or does not write."""
    try:
        async with _started(part, threads, owner) as process:
            ready = await process.ready()
            begun, written = time.monotonic(), 0
            request = process.ask("", "Answer in one sentence.", "Hello!", TRIAL_TOKENS, TRIAL_S)
            async for frame in process.answer(request):
                written += "text" in frame
                if frame.get("end") not in (None, "stop", "length"):
                    raise ModelError(f"it loads, but writes nothing ({frame['end']})")
            return Tried(ready.description, ready.load_s, round(written / (time.monotonic() - begun), 1))
    except ModelError as error:
        raise ModelError(
            error.what, where=where, hint=error.hint or "take another model, or another version of it"
        ) from None
    except EngineError:
        hint = "look at memory, take another model"
        raise ModelError("it ends its process in the middle of an answer", where=where, hint=hint) from None


@asynccontextmanager
async def _started(part: Path, threads: int, owner: os.stat_result) -> AsyncIterator[ModelProcess]:
    """As the user who owns the file: not as root, whatever stands in it."""
    process = await ModelProcess.start(command(part, threads), owner=owner)
    try:
        yield process
    finally:
        await process.stop()


def _mib(size: int) -> str:
    return f"{size / (1 << 20):,.0f} MiB"
