import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlite_utils

from nearside.database import Migration, copy_database, migrate, open_database
from nearside.errors import StorageError

pytestmark = pytest.mark.unit
KEY = bytes(32)


def m001_notes(database: sqlite_utils.Database) -> None:
    database.table("notes").create({"id": int, "text": str}, pk="id")


def m002_more(database: sqlite_utils.Database) -> None:
    database.table("notes").add_column("lang", str)


def tables(path: Path) -> set[str]:
    connection = open_database(path, KEY)
    names = {str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    return names


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "x.db"


def test_a_file_is_encrypted_private_and_durable(path: Path) -> None:
    connection = open_database(path, KEY)
    connection.execute("CREATE TABLE t (x)")
    pragmas = [
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "foreign_keys")
    ]
    assert pragmas == ["wal", 2, 1]
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    connection.close()
    assert not path.read_bytes().startswith(b"SQLite format")


def test_another_key_does_not_open_it(path: Path) -> None:
    connection = open_database(path, KEY)
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(StorageError, match="wrong key"):
        open_database(path, bytes([1]) * 32)


def test_a_file_that_does_not_open_is_not_held_open(path: Path) -> None:
    connection = open_database(path, KEY)
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(StorageError) as refused:
        open_database(path, bytes([1]) * 32)
    held = [os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert refused.value.where == str(path)
    assert not [file for file in held if file.startswith(str(path))]


def test_a_copy_is_one_moment_of_a_file_in_use_and_private(path: Path, tmp_path: Path) -> None:
    connection = open_database(path, KEY)
    connection.execute("CREATE TABLE t (x)")
    connection.executemany("INSERT INTO t VALUES (?)", [(number,) for number in range(1000)])
    counts = {"all": "SELECT count(*) FROM t", "small": "SELECT count(*) FROM t WHERE x < 10"}
    assert copy_database(path, KEY, tmp_path / "copy", counts) == {"all": 1000, "small": 10}
    connection.execute("DELETE FROM t")
    copied = open_database(tmp_path / "copy", KEY)
    assert copied.execute("SELECT count(*) FROM t").fetchone() == (1000,)
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
    copied.close()
    connection.close()


def test_a_copy_that_cannot_be_made_or_counted_is_an_error_of_ours(path: Path, tmp_path: Path) -> None:
    open_database(path, KEY).close()
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError):
        copy_database(path, KEY, tmp_path / "folder")
    with pytest.raises(StorageError, match="no copy was made"):
        copy_database(path, KEY, tmp_path / "copy", {"none": "SELECT count(*) FROM nothing"})


def test_a_folder_that_cannot_be_made_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        open_database(tmp_path / "file" / "x.db", KEY)


def test_a_reader_cannot_write(path: Path) -> None:
    open_database(path, KEY).close()
    reader = open_database(path, KEY, read_only=True)
    with pytest.raises(reader.OperationalError):
        reader.execute("CREATE TABLE t (x)")
    reader.close()


def test_migrations_are_applied_once_and_in_order(path: Path) -> None:
    connection = open_database(path, KEY)
    migrate(connection, (m001_notes,), path)
    migrate(connection, (m001_notes, m002_more), path)
    migrate(connection, (m001_notes, m002_more), path)
    assert connection.execute("SELECT number, name FROM _migrations").fetchall() == [
        (1, "m001_notes"),
        (2, "m002_more"),
    ]
    connection.close()


def test_rooms_number_their_migrations_apart(path: Path) -> None:
    def m001_other(database: sqlite_utils.Database) -> None:
        database.table("other").create({"id": int})

    connection = open_database(path, KEY)
    migrate(connection, (m001_notes, m002_more), path, room="knowledge")
    migrate(connection, (m001_other,), path, room="turns")
    connection.close()
    assert {"notes", "other"} <= tables(path)


def test_a_newer_file_is_refused(path: Path) -> None:
    connection = open_database(path, KEY)
    migrate(connection, (m001_notes, m002_more), path)
    with pytest.raises(StorageError, match="newer"):
        migrate(connection, (m001_notes,), path)
    connection.close()


@pytest.mark.parametrize("break_off", [ValueError, KeyboardInterrupt])
def test_a_migration_that_breaks_off_leaves_nothing(path: Path, break_off: type[BaseException]) -> None:
    def m001_broken(database: sqlite_utils.Database) -> None:
        notes = database.table("notes")
        notes.create({"id": int, "text": str}, pk="id")
        notes.insert({"id": 1, "text": "x"})
        notes.enable_fts(["text"], create_triggers=True)
        raise break_off

    connection = open_database(path, KEY)
    with pytest.raises(break_off):
        migrate(connection, (m001_broken,), path)
    connection.close()
    assert tables(path) == {"_migrations"}


def test_programs_that_migrate_at_once_do_it_once(path: Path) -> None:
    done: list[int] = []

    def m001_counted(database: sqlite_utils.Database) -> None:
        m001_notes(database)
        done.append(1)

    def open_and_migrate(migrations: tuple[Migration, ...], begin: Callable[[], object]) -> None:
        connection = open_database(path, KEY)
        begin()
        migrate(connection, migrations, path)
        connection.close()

    barrier = threading.Barrier(6)
    threads = [
        threading.Thread(target=open_and_migrate, args=((m001_counted, m002_more), barrier.wait)) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1
    assert "notes" in tables(path)
