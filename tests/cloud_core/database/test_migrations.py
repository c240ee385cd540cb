import threading
from collections.abc import Iterator

import pytest

from cloud_core.database import Connection, Database, Login, Migration, is_current, prepare
from nearside.errors import StorageError
from tests import postgres as servers

pytestmark = pytest.mark.server
OWN = "own"


def m001_things(connection: Connection) -> None:
    connection.execute("CREATE TABLE things (a int)")
    connection.execute("SELECT pg_sleep(0.05)")


def m002_more(connection: Connection) -> None:
    connection.execute("ALTER TABLE things ADD COLUMN b int")


def m003_broken(connection: Connection) -> None:
    connection.execute("CREATE TABLE half (a int)")
    raise ValueError


@pytest.fixture
def owner(postgres: servers.Database) -> Iterator[Database]:
    database = Database(Login.of(postgres.owner_url, postgres.password_file), 10)
    yield database
    database.close()


@pytest.fixture
def serving(postgres: servers.Database) -> Iterator[Database]:
    database = Database(Login.of(postgres.url, postgres.password_file), 2)
    yield database
    database.close()


def make(owner: Database, *migrations: Migration, read_only: tuple[str, ...] = ()) -> int:
    return prepare(owner, OWN, {"room": migrations}, servers.SERVING, read_only)


def test_each_migration_is_applied_once(owner: Database) -> None:
    assert make(owner, m001_things) == 1
    assert make(owner, m001_things, m002_more) == 1
    assert make(owner, m001_things, m002_more) == 0
    with owner.borrowed() as connection:
        rows = connection.execute("SELECT number, name FROM own.migrations ORDER BY number").fetchall()
    assert rows == [(1, "m001_things"), (2, "m002_more")]


def test_a_migration_that_breaks_leaves_nothing_behind(owner: Database) -> None:
    make(owner, m001_things)
    with pytest.raises(ValueError):
        make(owner, m001_things, m002_more, m003_broken)
    assert is_current(owner, OWN, {"room": (m001_things,)})
    with owner.borrowed() as connection:
        assert connection.execute("SELECT to_regclass('own.half')").fetchone() == (None,)


def test_of_many_cores_that_start_at_once_one_makes_the_tables(owner: Database) -> None:
    begin, made = threading.Barrier(8), list[int]()

    def start() -> None:
        begin.wait()
        made.append(make(owner, m001_things, m002_more))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [0] * 7 + [2]


def test_tables_of_a_newer_release_are_refused(owner: Database) -> None:
    make(owner, m001_things, m002_more)
    newer = "schema 2 of 'room' in PostgreSQL is newer than this program's 1"
    with pytest.raises(StorageError, match=newer):
        is_current(owner, OWN, {"room": (m001_things,)})
    with pytest.raises(StorageError, match=newer):
        make(owner, m001_things)


def test_who_serves_works_on_rows_and_changes_no_table(owner: Database, serving: Database) -> None:
    make(owner, m001_things)
    with serving.transaction() as connection:
        connection.execute("INSERT INTO own.things VALUES (1)")
        connection.execute("UPDATE own.things SET a = 2")
        connection.execute("DELETE FROM own.things")
    for statement in (
        "ALTER TABLE own.things ADD COLUMN c int",
        "DROP TABLE own.things",
        "TRUNCATE own.things",
        "CREATE TABLE own.mine (a int)",
        "CREATE SCHEMA mine",
        "DELETE FROM own.migrations",
        "SET ROLE nearside_owner",
    ):
        with pytest.raises(StorageError, match="InsufficientPrivilege"), serving.transaction() as connection:
            connection.execute(statement.encode())


def test_who_may_not_make_tables_is_told_who_can(serving: Database) -> None:
    assert not is_current(serving, OWN, {"room": (m001_things,)})
    with pytest.raises(StorageError, match="cloud-core database prepare"):
        make(serving, m001_things)


def test_what_is_read_only_is_so(owner: Database, serving: Database) -> None:
    make(owner, m001_things, read_only=("things",))
    with serving.transaction() as connection:
        assert connection.execute("SELECT * FROM own.things").fetchall() == []
    with pytest.raises(StorageError, match="InsufficientPrivilege"), serving.transaction() as connection:
        connection.execute("INSERT INTO own.things VALUES (1)")
