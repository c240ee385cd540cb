from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlcipher3 import dbapi2 as sqlite

from cloud_core.turns.claims import BUSY_MS, MIGRATIONS, Claim, Claims
from nearside.database import migrate, open_database
from tests.cloud_core.turns.claim_contract import ClaimContract

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


@pytest.fixture
def opening(tmp_path: Path) -> Callable[[], Claims]:
    return lambda: open_claims(tmp_path / "core.db")


class TestContract(ClaimContract):
    pass


def test_a_forgotten_turn_keeps_its_id_and_nothing_else(claims: Claims) -> None:
    claims.answer("t", claims.take("t").holder, "the answer")
    assert claims.erase(["t"]) == 1
    assert claims.take("t") == Claim(forgotten=True)
    assert claims.is_forgotten("t")
    row = claims._connection.execute("SELECT holder, answer FROM turn_claims WHERE turn_id = 't'").fetchone()
    assert row == ("", None)


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
