"""Claimants in processes of their own, killed at random moments."""

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

from cloud_core.turns.claims import ClaimStore
from tests import servers
from tests.cloud_core.turns import claimant

TURNS = [f"t{number}" for number in range(120)]


class Workers:
    """Claimants that are all gone when the test is over; `said` is what they printed."""

    def __init__(self, place: Path) -> None:
        self._place, self._log = place, place.with_name("said.log")
        self.all: list[subprocess.Popen[bytes]] = []

    def start(self, lease_s: float, work_s: float, *turn_ids: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", claimant.__name__, str(self._place), str(lease_s), str(work_s), *turn_ids]
        with self._log.open("ab") as log:
            self.all.append(subprocess.Popen(command, stdout=log, cwd=servers.ROOT))
        return self.all[-1]

    def said(self) -> list[list[str]]:
        """Without a line that a kill cut off."""
        return [line.split() for line in self._log.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def kill(self) -> None:
        for worker in self.all:
            worker.kill()
            worker.wait()

    def answer_all(self, turn_ids: list[str]) -> None:
        """Three at a time, eight times one of them is killed and another comes in its place."""
        for _ in range(3):
            self.start(0.05, 0.04, *turn_ids)
        for kills in range(1, 9):
            servers.wait_until(lambda: len(self.said()) > kills * 20, "they have worked on")  # noqa: B023
            random.choice([worker for worker in self.all if worker.returncode is None]).kill()
            self.start(0.05, 0.04, *turn_ids)
        assert self.all[-1].wait(60) == 0
        self.kill()


def check_answered_once(claims: ClaimStore, workers: Workers) -> None:
    """Every `answered` that was ever printed is the one answer that is kept."""
    answered = [words[1:] for words in workers.said() if words[0] == "answered"]
    assert answered
    assert max(Counter(turn_id for turn_id, _ in answered).values()) == 1
    kept = {turn_id: claims.take(turn_id).answer for turn_id in TURNS}
    assert all(kept.values())
    assert all(kept[turn_id] == holder for turn_id, holder in answered)
