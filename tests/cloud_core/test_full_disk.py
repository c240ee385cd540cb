"""A core on a small disk of its own that is full: turns are refused for now, nothing is lost, and it recovers."""

import errno
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.cloud_core import stage
from tests.cloud_core.test_cli import DOCUMENT, ask, failing, fine

pytestmark = pytest.mark.server
DISK_MIB = 16


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=0700", "tmpfs", str(folder)], capture_output=True
    )
    if done.returncode != 0:
        pytest.skip("a disk of one's own needs the right to mount")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> None:
    with (disk / "filling").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError as error:
            assert error.errno == errno.ENOSPC


def test_turns_are_refused_while_the_disk_is_full_and_answered_again_afterwards(disk: Path, tmp_path: Path) -> None:
    core = stage.make_core(disk / "core", tenants=("late",))
    (tmp_path / "returns.en.md").write_text(DOCUMENT)
    fine("kb", "add", "--publish", tmp_path / "returns.en.md", "-t", "late", "-c", core.config)
    fine("keys", "recovery", "-c", core.config)
    log = tmp_path / "core.log"
    with stage.serving(core, log):
        answered = {turn_id: ask(core, turn_id).text for turn_id in ("t-1", "t-2")}
        fill(disk)
        refused = [turn_id for turn_id in map("t-full-{}".format, range(60)) if not tried(core, turn_id, answered)]
        assert refused, "the disk is not as full as it should be"
        assert "No space left" in failing("backup", disk / "core.backup", "-c", core.config)
        assert not (disk / "core.backup").exists()
        assert {turn_id: ask(core, turn_id).text for turn_id in answered} == answered
        (disk / "filling").unlink()
        assert all("45 days" in ask(core, turn_id).text for turn_id in refused)
        assert json.loads(fine("status", "--json", "-c", core.config))["ready"]
    assert "turn_broke" not in log.read_text()


def tried(core: stage.Core, turn_id: str, answered: dict[str, str]) -> bool:
    """Whether it was answered; what is refused is refused for now."""
    try:
        answered[turn_id] = ask(core, turn_id).text
    except grpc.aio.AioRpcError as error:
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        return False
    return True
