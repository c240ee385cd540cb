import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_core.turns.claims import LEASE_S, MIGRATIONS, Claim, Claims
from nearside.database import migrate, open_database

pytestmark = pytest.mark.unit
KEY = bytes(32)


def open_claims(path: Path) -> Claims:
    connection = open_database(path, KEY)
    migrate(connection, MIGRATIONS, path, room="turns")
    return Claims(connection)


@pytest.fixture
def claims(tmp_path: Path) -> Iterator[Claims]:
    opened = open_claims(tmp_path / "core.db")
    yield opened
    opened.close()


def test_a_turn_is_claimed_once(claims: Claims) -> None:
    assert claims.take("t").holder
    assert claims.take("t") == Claim()
    assert claims.take("u").holder


def test_an_answered_turn_gives_its_answer_for_ever(claims: Claims) -> None:
    holder = claims.take("t", now=0.0).holder
    assert claims.answer("t", holder, "first")
    assert not claims.answer("t", holder, "second")
    assert claims.take("t", now=10 * LEASE_S) == Claim(answer="first")


def test_an_expired_lease_is_taken_over_and_its_old_holder_is_fenced_off(claims: Claims) -> None:
    old = claims.take("t", now=0.0).holder
    assert claims.take("t", now=LEASE_S - 1) == Claim()
    new = claims.take("t", now=LEASE_S).holder
    assert new and new != old
    assert not claims.renew("t", old)
    assert not claims.answer("t", old, "late")
    claims.release("t", old)
    assert claims.answer("t", new, "right")


def test_a_renewed_lease_holds(claims: Claims) -> None:
    holder = claims.take("t", now=0.0).holder
    assert claims.renew("t", holder, now=LEASE_S - 1)
    assert claims.take("t", now=LEASE_S + 1) == Claim()


def test_a_released_turn_can_be_claimed_again_and_an_answered_one_not(claims: Claims) -> None:
    holder = claims.take("t").holder
    claims.release("t", holder)
    holder = claims.take("t").holder
    assert claims.answer("t", holder, "answer")
    claims.release("t", holder)
    assert claims.take("t").answer == "answer"


def test_only_old_claims_are_forgotten(claims: Claims) -> None:
    claims.answer("old", claims.take("old", now=0.0).holder, "a")
    claims.answer("new", claims.take("new").holder, "b")
    claims.forget(older_than_days=1)
    assert claims.take("old").holder
    assert claims.take("new").answer == "b"


def test_of_many_at_once_one_gets_the_claim(tmp_path: Path) -> None:
    path = tmp_path / "core.db"
    open_claims(path).close()
    got: list[Claim] = []
    begin = threading.Barrier(8)

    def take() -> None:
        claims = open_claims(path)
        begin.wait()
        got.append(claims.take("t"))
        claims.close()

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8
    assert sum(bool(claim.holder) for claim in got) == 1


def test_an_answer_survives_closing_and_opening(tmp_path: Path) -> None:
    path = tmp_path / "core.db"
    claims = open_claims(path)
    claims.answer("t", claims.take("t").holder, "answer")
    claims.close()
    again = open_claims(path)
    assert again.take("t").answer == "answer"
    again.close()
