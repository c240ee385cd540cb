"""The durable claim under attack: programs that die, clocks that jump, a disk that is full."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_core.turns.claims import LEASE_S, Claim, Claims
from nearside.errors import StorageError
from tests import servers
from tests.cloud_core.turns.test_claims import open_claims
from tests.cloud_core.turns.workers import TURNS, Workers, check_answered_once

pytestmark = pytest.mark.server


@pytest.fixture
def path(tmp_path: Path) -> Path:
    open_claims(tmp_path / "core.db").close()
    return tmp_path / "core.db"


@pytest.fixture
def claims(path: Path) -> Iterator[Claims]:
    opened = open_claims(path)
    yield opened
    opened.close()


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
    workers.answer_all(TURNS)
    check_answered_once(claims, workers)


def test_a_repeat_from_another_connection_during_the_lease_finds_it_busy_then_answered(path: Path) -> None:
    first, second = open_claims(path), open_claims(path)
    holder = first.take("t").holder
    assert second.take("t") == Claim()
    assert not second.answer("t", "h_forged", "theirs")
    assert first.answer("t", holder, "ours")
    assert second.take("t") == Claim(answer="ours")
    first.close()
    second.close()


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
