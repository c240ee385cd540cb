import threading
from pathlib import Path

import pytest

from cloud_core.database import Database, Login
from cloud_core.database import pool as pool_module
from cloud_core.database.pool import FAR
from nearside.errors import NearsideError, SettingsError, StorageError
from tests import postgres as servers
from tests.servers import free_ports

pytestmark = pytest.mark.server


def database_of(given: servers.Database, connections: int = 2) -> Database:
    return Database(Login.of(given.url, given.password_file), connections)


def failure_of(url: str, password_file: Path | None) -> str:
    with pytest.raises(NearsideError) as failed:
        Login.of(url, password_file).connect()
    message = str(failed.value)
    assert "\n" not in message and servers.PASSWORD not in message
    return message


def test_a_server_that_is_away_is_named_in_one_line() -> None:
    port = free_ports(1)[0]
    message = failure_of(f"postgresql://nearside@127.0.0.1:{port}/nearside", None)
    assert "Connection refused" in message and f"127.0.0.1:{port}/nearside" in message and "start it" in message


def test_a_wrong_password_is_said_and_not_shown(postgres: servers.Database, tmp_path: Path) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("hunter2")
    message = failure_of(postgres.url, wrong)
    assert "password authentication failed" in message and "database.password_file" in message
    assert "hunter2" not in message


def test_no_password_and_no_file_are_said(
    postgres: servers.Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "nothing"))
    assert "no password supplied" in failure_of(postgres.url, None)
    assert "No such file" in failure_of(postgres.url, tmp_path / "none")


def test_a_passfile_is_taken(postgres: servers.Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pgpass"
    password = servers.PASSWORD.replace(":", r"\:")
    file.write_text(f"127.0.0.1:{postgres.port}:*:nearside:{password}\n")
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))
    Login.of(postgres.url, None).connect().close()


def test_an_unknown_database_is_said(postgres: servers.Database) -> None:
    url = postgres.url.replace(postgres.name, "nowhere")
    assert 'database "nowhere" does not exist' in failure_of(url, postgres.password_file)


def test_what_is_no_url_is_said() -> None:
    with pytest.raises(SettingsError, match="no PostgreSQL URL"):
        Login.of("postgresql://a b c", None)


@pytest.mark.parametrize("host", ["db.example.com", "10.0.0.7", "127.0.0.1,db.example.com"])
def test_over_a_network_the_server_must_prove_itself_with_tls_1_3(host: str) -> None:
    login = Login.of(f"postgresql://nearside@{host}/nearside", None)
    assert {name: login.parameters[name] for name in FAR} == FAR
    own = Login.of(f"postgresql://nearside@{host}/nearside?sslrootcert=/etc/ca.crt", None)
    assert (own.parameters["sslmode"], own.parameters["sslrootcert"]) == ("verify-full", "/etc/ca.crt")


def test_on_this_machine_tls_is_not_asked_for() -> None:
    for url in ("postgresql://a@127.0.0.1/b", "postgresql:///b?host=/run/postgresql", "postgresql:///b"):
        assert "sslmode" not in Login.of(url, None).parameters


def test_connections_are_kept_and_are_no_more_than_wanted(
    postgres: servers.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = database_of(postgres)
    with database.borrowed() as first, database.borrowed() as second:
        assert first is not second
        monkeypatch.setattr(pool_module, "WAIT_S", 0.05)
        with pytest.raises(StorageError, match="every connection"), database.borrowed():
            pass
    with database.borrowed() as again:
        assert again in (first, second)
    database.close()
    assert first.closed and second.closed


def test_a_transaction_is_undone_whole_and_its_connection_goes_on(postgres: servers.Database) -> None:
    database = Database(Login.of(postgres.owner_url, postgres.password_file), 1)
    with pytest.raises(ValueError), database.transaction() as connection:
        connection.execute("CREATE TABLE public.never (a int)")
        raise ValueError
    with pytest.raises(StorageError, match="UndefinedTable"), database.transaction() as connection:
        connection.execute("SELECT * FROM public.never")
    with database.borrowed() as again:
        assert again is connection
    database.close()


def test_a_setting_holds_in_its_transaction_alone(postgres: servers.Database) -> None:
    database = database_of(postgres, 1)
    with database.transaction({"nearside.tenant": "it's"}) as connection:
        assert connection.execute("SELECT current_setting('nearside.tenant')").fetchone() == ("it's",)
    with database.transaction() as connection:
        assert connection.execute("SELECT current_setting('nearside.tenant', true)").fetchone() == ("",)
    database.close()


def test_a_snapshot_is_of_one_moment_and_writes_nothing(postgres: servers.Database) -> None:
    owner = Database(Login.of(postgres.owner_url, postgres.password_file), 2)
    with owner.transaction() as connection:
        connection.execute("CREATE SCHEMA own CREATE TABLE things (a int)")
    with owner.transaction(snapshot=True) as reading:
        assert reading.execute("SELECT count(*) FROM own.things").fetchone() == (0,)
        with owner.transaction() as writing:
            writing.execute("INSERT INTO own.things VALUES (1)")
        assert reading.execute("SELECT count(*) FROM own.things").fetchone() == (0,)
    with pytest.raises(StorageError, match="ReadOnly"), owner.transaction(snapshot=True) as reading:
        reading.execute("INSERT INTO own.things VALUES (2)")
    with owner.transaction() as writing:
        writing.execute("INSERT INTO own.things VALUES (3)")
    owner.close()


def test_what_a_row_holds_is_in_no_error(postgres: servers.Database) -> None:
    owner = Database(Login.of(postgres.owner_url, postgres.password_file), 1)
    with owner.transaction() as connection:
        connection.execute("CREATE SCHEMA own CREATE TABLE words (word text PRIMARY KEY, number int)")
        connection.execute("INSERT INTO own.words VALUES ('marker-5d')")
    for statement in ("INSERT INTO own.words VALUES ('marker-5d')", "UPDATE own.words SET number = 'marker-5d'::int"):
        with pytest.raises(StorageError) as failed, owner.transaction() as connection:
            connection.execute(statement.encode())
        assert "marker-5d" not in str(failed.value)
        assert failed.value.__cause__ is None and failed.value.__suppress_context__
    owner.close()


def test_after_the_server_was_killed_work_goes_on_when_it_is_back() -> None:
    with servers.postgres_server() as server:
        database = database_of(server.make_database(), 4)
        with database.borrowed() as one, database.borrowed() as two:
            assert not one.closed and not two.closed
        with pytest.raises(StorageError, match="went away"), database.transaction() as connection:
            server.kill()
            connection.execute("SELECT 1")
        with pytest.raises(StorageError, match="start it"), database.transaction():
            pass
        server.start()
        threads = [threading.Thread(target=check, args=(database,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check(database)
        database.close()


def check(database: Database) -> None:
    with database.transaction() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
