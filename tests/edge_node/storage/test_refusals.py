"""A store that cannot write refuses before it acknowledges, says why, and recovers by itself; nothing is lost."""

import asyncio
import contextlib
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from edge_node.storage import files
from edge_node.storage.store import TenantStore
from nearside.database import Connection
from nearside.errors import StorageError
from tests.edge_node.stage import until
from tests.edge_node.storage.shelf import KEY, Shelf, shelf

pytestmark = pytest.mark.server

Trouble = Callable[[Path], AbstractContextManager[None]]

PAGE = 4096
ROOTS = 30
"""At least as many pages as there are tables and indexes."""
LOCKER = """
import sys
from pathlib import Path
from nearside.database import open_database
db = open_database(Path(sys.argv[1]), bytes.fromhex(sys.argv[2]))
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program holds the write lock."""
    command = [sys.executable, "-c", LOCKER, str(path), KEY.hex()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        yield
        assert holder.stdin is not None
        holder.stdin.close()


@contextlib.contextmanager
def immutable(path: Path) -> Iterator[None]:
    """The kernel lets nobody write, root neither. Not so the shared memory, which would be a signal, not an error."""
    parts = [str(path), f"{path}-wal"]
    found = subprocess.run(["chattr", "+i", *parts], capture_output=True, check=False)
    if found.returncode:
        pytest.skip("this file system has no immutable files, or the test may not make them")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", *parts], check=True)


@contextlib.contextmanager
def size_limit(path: Path) -> Iterator[None]:
    """No file of this process may grow beyond what the write-ahead log is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name(f"{path.name}-wal").stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def damaged(path: Path, spared: int = 1) -> Iterator[None]:
    """Every page is overwritten in the middle, but for those at the front."""
    good = path.read_bytes()
    file = os.open(path, os.O_WRONLY)
    for start in range(spared * PAGE, len(good), PAGE):
        os.pwrite(file, b"damage", start + 1000)
    try:
        yield
    finally:
        os.pwrite(file, good, 0)
        os.close(file)


@contextlib.contextmanager
def full_disk(path: Path) -> Iterator[None]:
    ballast = path.with_name("ballast")
    with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as file:
        while file.write(bytes(PAGE)):
            pass
    try:
        yield
    finally:
        ballast.unlink()


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    mount = ["mount", "--bind", str(folder), str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("the test may not mount a file system")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("the test may not mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def suffer(filled: Shelf, trouble: Trouble) -> str:
    """Refuses while there is trouble, and everything acknowledged before and after is there; the condition."""
    acknowledged = [await filled.accept(f"m{n}", f"t{n}") for n in range(40)]
    await filled.reopen()  # so that the pages come from the file, not from a cache
    with trouble(filled.path):
        with pytest.raises(StorageError) as refused:
            for number in range(1000):
                acknowledged.append(await filled.accept(f"n{number}", f"t{number}"))
        condition = filled.store.condition
        assert condition is not None
        assert "When?" not in str(refused.value)
        with pytest.raises(StorageError):
            await filled.accept("again")
    await until(lambda: filled.store.condition is None)
    acknowledged.append(await filled.accept("again"))
    await filled.reopen()
    assert [turn.turn_id for turn in await filled.store.open_turns()] == [one.turn_id for one in acknowledged]
    return condition


@pytest.mark.parametrize(
    ("trouble", "condition"),
    [
        (locked, "database is locked"),
        (immutable, "disk I/O error"),
        (size_limit, "disk I/O error"),
        (damaged, "database disk image is malformed"),
    ],
)
async def test_trouble_is_named_and_over_when_it_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Trouble, condition: str
) -> None:
    impatient(monkeypatch)
    async with shelf(tmp_path) as filled:
        assert condition in await suffer(filled, trouble)


async def test_a_full_disk_is_named_and_over_when_there_is_space(small_disk: Path) -> None:
    async with shelf(small_disk) as filled:
        condition = await suffer(filled, full_disk)
        assert "full" in condition or "disk I/O error" in condition


async def test_a_damaged_page_that_is_only_read_is_a_condition_too(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        accepted = [await filled.accept(f"m{n}", f"t{n}") for n in range(200)]
        await filled.reopen()
        with damaged(filled.path, ROOTS):
            with pytest.raises(StorageError):
                for one in accepted:
                    await filled.store.load(one.turn_id)
            for _ in range(4):
                assert filled.store.condition is not None
                await asyncio.sleep(0.25)
        await until(lambda: filled.store.condition is None)
        assert await filled.store.load(accepted[0].turn_id) is not None


async def test_a_store_on_a_read_only_disk_says_so_at_the_start(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        await filled.accept("m1")
    with read_only(tmp_path), pytest.raises(StorageError, match="the store refuses"):
        await TenantStore.open(filled.path, KEY)
    async with shelf(tmp_path) as again:
        assert len(await again.store.open_turns()) == 1


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for a lock as long as a test may, not as long as a customer may."""
    patient = files.open_writing

    def open_writing(path: Path, keys: list[bytes]) -> tuple[Connection, bytes]:
        connection, key = patient(path, keys)
        connection.execute("PRAGMA busy_timeout = 100")
        return connection, key

    monkeypatch.setattr(files, "open_writing", open_writing)
