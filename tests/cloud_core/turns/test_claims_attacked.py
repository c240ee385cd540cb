"""The durable claim under attack: programs that die, clocks that jump, a disk that is full."""

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_core.turns.claims import LEASE_S, Claim, Claims
from nearside.errors import StorageError
from tests import servers
from tests.cloud_core.turns import claimant
from tests.cloud_core.turns.test_claims import open_claims

pytestmark = pytest.mark.server
TURNS = [f"t{number}" for number in range(120)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    open_claims(tmp_path / "core.db").close()
    return tmp_path / "core.db"


@pytest.fixture
def claims(path: Path) -> Iterator[Claims]:
    opened = open_claims(path)
    yield opened
    opened.close()


class Workers:
    """Claimants that are all gone when the test is over; `said` is what they printed."""

    def __init__(self, path: Path) -> None:
        self._path, self._log = path, path.with_name("said.log")
        self.all: list[subprocess.Popen[bytes]] = []

    def start(self, lease_s: float, work_s: float, *turn_ids: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", claimant.__name__, str(self._path), str(lease_s), str(work_s), *turn_ids]
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


@pytest.fixture
def workers(path: Path) -> Iterator[Workers]:
    started = Workers(path)
    yield started
    started.kill()


def test_a_turn_whose_holder_is_killed_is_taken_over_when_the_lease_is_over_and_not_before(
    claims: Claims, workers: Workers
) -> None:
    workers.start(LEASE_S, 60.0, "t")
    servers.wait_until(lambda: workers.said() == [["held", "t"]], "the claim is held")
    workers.kill()
    assert claims.take("t") == Claim()
    holder = claims.take("t", now=time.time() + LEASE_S).holder
    assert holder and claims.answer("t", holder, "ours")


def test_many_that_are_killed_at_random_moments_answer_every_turn_once(claims: Claims, workers: Workers) -> None:
    """Every `answered` that was ever printed is the one answer that the file holds."""
    for _ in range(3):
        workers.start(0.05, 0.04, *TURNS)
    for kills in range(1, 9):
        servers.wait_until(lambda: len(workers.said()) > kills * 20, "they have worked on")  # noqa: B023
        random.choice([worker for worker in workers.all if worker.returncode is None]).kill()
        workers.start(0.05, 0.04, *TURNS)
    assert workers.all[-1].wait(60) == 0
    workers.kill()
    answered = [words[1:] for words in workers.said() if words[0] == "answered"]
    assert answered
    assert max(Counter(turn_id for turn_id, _ in answered).values()) == 1
    kept = {turn_id: claims.take(turn_id).answer for turn_id in TURNS}
    assert all(kept.values())
    assert all(kept[turn_id] == holder for turn_id, holder in answered)


def test_a_repeat_from_another_connection_during_the_lease_finds_it_busy_then_answered(path: Path) -> None:
    first, second = open_claims(path), open_claims(path)
    holder = first.take("t").holder
    assert second.take("t") == Claim()
    assert not second.answer("t", "h_forged", "theirs")
    assert first.answer("t", holder, "ours")
    assert second.take("t") == Claim(answer="ours")
    first.close()
    second.close()


def test_a_clock_set_back_leaves_a_dead_holders_turn_busy_for_one_lease_only(claims: Claims) -> None:
    assert claims.take("t", now=1_000_000.0).holder
    assert claims.take("t", now=10.0) == Claim()
    assert claims.take("t", now=10.0 + LEASE_S - 1) == Claim()
    assert claims.take("t", now=10.0 + LEASE_S).holder


def test_a_clock_set_back_does_not_take_a_turn_from_a_living_holder(claims: Claims) -> None:
    holder = claims.take("t", now=1_000_000.0).holder
    assert claims.take("t", now=10.0) == Claim()
    assert claims.renew("t", holder, now=12.0)
    assert claims.take("t", now=10.0 + LEASE_S) == Claim()
    assert claims.answer("t", holder, "ours")


def test_a_clock_set_forward_lets_a_second_work_and_only_one_answer(claims: Claims) -> None:
    first = claims.take("t", now=10.0).holder
    second = claims.take("t", now=1_000_000.0).holder
    assert second
    assert not claims.answer("t", first, "first")
    assert claims.answer("t", second, "second")
    assert claims.take("t", now=10.0) == Claim(answer="second")


def test_after_a_restart_nobody_waits_for_the_leases_of_the_dead(claims: Claims) -> None:
    dead = claims.take("t").holder
    claims.answer("u", claims.take("u").holder, "kept")
    claims.erase(["v"])
    claims.end_leases()
    assert claims.take("t").holder
    assert not claims.answer("t", dead, "from the grave")
    assert claims.take("u") == Claim(answer="kept")
    assert claims.take("v") == Claim(forgotten=True)


def test_on_a_full_disk_nothing_is_claimed_or_answered_and_nothing_is_lost(path: Path, claims: Claims) -> None:
    claims.answer("old", claims.take("old").holder, "kept")
    holder = claims.take("t").holder
    pages = claims._connection.execute("PRAGMA page_count").fetchone()[0]
    claims._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match="full"):
        claims.answer("t", holder, "long " * 10_000)
    with pytest.raises(StorageError, match="full"):
        for number in range(1_000):
            claims.take(f"more-{number}")
    assert claims.take("old") == Claim(answer="kept")
    assert claims.take("t") == Claim()
    claims._connection.execute("PRAGMA max_page_count = 1000000")
    assert claims.answer("t", holder, "long " * 10_000)
    assert claims.take("after").holder
