"""Killed in the middle: what was acknowledged is there, and the file opens with a key that is known."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_node.storage.store import TenantStore
from tests.edge_node.storage.shelf import KEY, OTHER_KEY, inbound

pytestmark = pytest.mark.server

FRAME = 4096 + 24

WRITES_ON = """
import asyncio, json, os, sys, time
from pathlib import Path
from tests.edge_node.storage.shelf import shelf

def spill(db):
    db.execute("PRAGMA cache_size = 5")
    for number in range(400):
        db.execute("INSERT INTO secrets VALUES (?, ?)", (str(number), "x" * 4000))
    print("in the middle", flush=True)
    time.sleep(600)

async def main(folder):
    async with shelf(folder) as filled:
        turn_ids = [(await filled.accept(f"m{n}", f"t{n}")).turn_id for n in range(50)]
        print(json.dumps([turn_ids, os.path.getsize(f"{filled.path}-wal")]), flush=True)
        await filled.store._writer.run(spill)

asyncio.run(main(Path(sys.argv[1])))
"""

REKEYS = """
import asyncio, sys
from pathlib import Path
from edge_node.storage.store import TenantStore

async def main(path, *keys):
    store = await TenantStore.open(Path(path), [bytes.fromhex(key) for key in keys])
    new = next(key for key in map(bytes.fromhex, keys) if key != store.key)
    print("rekeying", flush=True)
    await store.rekey(new)
    print("done", flush=True)
    await asyncio.sleep(600)

asyncio.run(main(*sys.argv[1:]))
"""


@contextmanager
def running(program: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Killed at the end, without a chance to tidy up."""
    with subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tear(wal: Path, acknowledged: int, size: int, tail: bytes) -> None:
    """What a power cut may leave of the frames that nobody was told of."""
    with open(wal, "r+b") as file:
        file.truncate(acknowledged + size)
        file.seek(0, os.SEEK_END)
        file.write(tail)


TEARS = [(0, b""), (1, b""), (24, b""), (FRAME - 1, b""), (FRAME, b""), (3 * FRAME + 100, b"")]
GARBAGE = [(0, b"\0" * FRAME), (0, b"\xff" * 3 * FRAME), (FRAME, b"\xa5" * 5000), (10 * FRAME, b"\0" * 100)]


async def test_a_torn_tail_of_the_write_ahead_log_takes_nothing_acknowledged_with_it(tmp_path: Path) -> None:
    with running(WRITES_ON, str(tmp_path)) as process:
        turn_ids, acknowledged = json.loads(said(process))
        assert said(process) == "in the middle"
    files = {name: (tmp_path / name).read_bytes() for name in ("edge.db", "edge.db-wal")}
    assert len(files["edge.db-wal"]) > acknowledged + 20 * FRAME
    whole = (len(files["edge.db-wal"]) - acknowledged, b"")
    for number, (size, tail) in enumerate([*TEARS, *GARBAGE, whole]):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        tear(folder / "edge.db-wal", acknowledged, size, tail)
        assert await open_turns(folder / "edge.db", KEY) == turn_ids


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
async def test_a_rekeying_that_is_killed_leaves_a_file_that_one_of_both_keys_opens(
    tmp_path: Path, share: float
) -> None:
    path = tmp_path / "edge.db"
    store = await TenantStore.open(path, KEY)
    messages = (inbound(f"m{n}", f"t{n}", text="x" * 8000) for n in range(300))
    turn_ids = [(await store.accept(message, 1000.0)).turn_id for message in messages]
    await store.close()
    size = path.stat().st_size
    with running(REKEYS, str(path), KEY.hex(), OTHER_KEY.hex()) as process:
        assert said(process) == "rekeying"
        while wal_size(path) <= share * size:
            assert process.poll() is None
    assert await open_turns(path, OTHER_KEY, KEY) == turn_ids
    with running(REKEYS, str(path), KEY.hex(), OTHER_KEY.hex()) as process:
        assert (said(process), said(process)) == ("rekeying", "done")
    assert await open_turns(path, KEY, OTHER_KEY) == turn_ids


def wal_size(path: Path) -> int:
    wal = path.with_name(f"{path.name}-wal")
    return wal.stat().st_size if wal.exists() else 0


async def open_turns(path: Path, *keys: bytes) -> list[str]:
    store = await TenantStore.open(path, keys)
    try:
        return [turn.turn_id for turn in await store.open_turns()]
    finally:
        await store.close()
