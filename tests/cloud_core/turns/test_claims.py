import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlcipher3 import dbapi2 as sqlite

from cloud_core.turns.claims import BUSY_MS, LEASE_S, MIGRATIONS, Claim, Claims
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


def test_only_old_claims_are_swept(claims: Claims) -> None:
    claims.answer("old", claims.take("old", now=0.0).holder, "a")
    claims.answer("new", claims.take("new").holder, "b")
    claims.sweep(older_than_days=1)
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


def test_a_forgotten_turn_keeps_its_id_and_nothing_else(claims: Claims) -> None:
    claims.answer("t", claims.take("t").holder, "the answer")
    assert claims.erase(["t"]) == 1
    assert claims.take("t") == Claim(forgotten=True)
    assert claims.is_forgotten("t")
    row = claims._connection.execute("SELECT holder, answer FROM turn_claims WHERE turn_id = 't'").fetchone()
    assert row == ("", None)


def test_forgetting_may_be_repeated_and_comes_before_the_turn(claims: Claims) -> None:
    assert claims.erase(["early"]) == 0
    assert claims.take("early") == Claim(forgotten=True)
    assert claims.erase(["early", "early"]) == 0
    assert claims.take("other").holder


def test_a_turn_at_work_that_is_forgotten_is_not_answered_any_more(claims: Claims) -> None:
    holder = claims.take("t").holder
    assert claims.erase(["t"]) == 1
    assert not claims.renew("t", holder)
    assert not claims.answer("t", holder, "late")
    claims.release("t", holder)
    assert claims.take("t") == Claim(forgotten=True)
    assert not claims.is_forgotten("u")


def test_a_forgotten_turn_is_remembered_as_long_as_an_answer_from_then_on(claims: Claims) -> None:
    claims.answer("t", claims.take("t", now=0.0).holder, "a")
    claims.erase(["t"])
    claims.sweep(older_than_days=1)
    assert claims.take("t") == Claim(forgotten=True)
    claims.sweep(older_than_days=-1)
    assert claims.take("t").holder


def test_the_text_of_a_forgotten_answer_is_in_no_page_any_more() -> None:
    """In a file without a key, so that its pages can be read."""
    with TemporaryDirectory() as folder:
        forget_in_clear(Path(folder))


def forget_in_clear(folder: Path) -> None:
    path = folder / "core.db"
    connection = sqlite.connect(str(path), isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    migrate(connection, MIGRATIONS, path, room="turns")
    claims = Claims(connection)
    for number in range(50):
        claims.answer(f"t{number}", claims.take(f"t{number}").holder, f"marker-{number} " * 200)
    assert b"marker-7 " in everything_in(folder)
    claims.erase([f"t{number}" for number in range(50)])
    assert b"marker" not in everything_in(folder)
    claims.close()


def everything_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


def test_somebody_who_reads_just_now_does_not_hold_up_forgetting(tmp_path: Path) -> None:
    path = tmp_path / "core.db"
    claims, reader = open_claims(path), open_database(path, KEY)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM turn_claims").fetchall()
    claims.answer("t", claims.take("t").holder, "a")
    assert claims.erase(["t"]) == 1
    assert claims.take("t") == Claim(forgotten=True)
    assert claims._connection.execute("PRAGMA busy_timeout").fetchone()[0] == BUSY_MS
    reader.close()
    claims.close()


def test_claims_of_the_release_before_are_still_good(tmp_path: Path) -> None:
    path = tmp_path / "core.db"
    connection = open_database(path, KEY)
    migrate(connection, MIGRATIONS[:1], path, room="turns")
    connection.execute("INSERT INTO turn_claims VALUES ('t', 'h', 1.0, 2.0, 'answer')")
    connection.close()
    claims = open_claims(path)
    assert claims.take("t").answer == "answer"
    claims.close()
