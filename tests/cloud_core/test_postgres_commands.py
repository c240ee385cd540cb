"""`cloud-core` as people call it, with its state on PostgreSQL."""

import json
from pathlib import Path

import pytest

from cloud_core.settings import Database, Nats, load, render
from tests import postgres as servers
from tests.cloud_core.test_cli import cli, failing, fine
from tests.servers import free_ports

pytestmark = pytest.mark.server


@pytest.fixture
def config(tmp_path: Path) -> Path:
    fine("init", tmp_path / "core")
    return tmp_path / "core" / "core.toml"


def on(config: Path, name: str, **database: object) -> Path:
    """The same core, with this database."""
    changed = {"database": Database.model_validate(database), "nats": Nats(mode="off")}
    settings = load(config).model_copy(update=changed)
    (config.parent / name).write_text(render(settings), encoding="utf-8")
    return config.parent / name


@pytest.fixture
def serving(config: Path, postgres: servers.Database) -> Path:
    """As a login that may not make tables."""
    return on(config, "serving.toml", url=postgres.url, password_file=postgres.password_file)


@pytest.fixture
def owning(config: Path, postgres: servers.Database) -> Path:
    owner = {"owner_url": postgres.owner_url, "owner_password_file": postgres.password_file}
    return on(config, "owning.toml", url=postgres.url, password_file=postgres.password_file, **owner)


def findings(config: Path, code: int = 1) -> list[str]:
    done = cli("check", "-c", config, "--json")
    assert (done.returncode, done.stderr) == (code, "")
    return [finding["finding"] for finding in json.loads(done.stdout)["findings"]]


def test_companies_are_added_by_who_may_and_seen_by_who_serves(serving: Path, owning: Path) -> None:
    assert "cloud-core database prepare" in failing("tenant", "list", "-c", serving)
    assert "new migrations" in fine("database", "prepare", "-c", owning)
    assert fine("database", "prepare", "-c", owning) == "everything is up to date\n"
    assert "InsufficientPrivilege" in failing("tenant", "add", "demo", "--name", "Demo", "-c", serving)
    assert fine("tenant", "add", "demo", "--name", "Demo", "-c", owning) == "added demo\n"
    assert [row["id"] for row in json.loads(fine("tenant", "list", "--json", "-c", serving))] == ["demo"]
    assert findings(serving, 0) == []
    assert fine("tenant", "remove", "demo", "--yes", "-c", owning) == "removed demo\n"
    assert "no tenant 'demo'" in failing("tenant", "remove", "demo", "--yes", "-c", owning)


def test_status_says_which_server_it_is(serving: Path, postgres: servers.Database) -> None:
    about = json.loads(fine("database", "status", "--json", "-c", serving))
    assert about == {
        "where": f"127.0.0.1:{postgres.port}/{postgres.name}",
        "login": "nearside",
        "postgresql": "18.4",
        "pgvector": "0.8.5",
        "tls": "no",
        "connections": 10,
    }
    assert "postgresql: 18.4" in fine("database", "status", "-c", serving)


@pytest.mark.parametrize("command", ["prepare", "status"])
def test_a_core_with_files_says_that_it_has_no_database(config: Path, command: str) -> None:
    assert "keeps its state in files" in failing("database", command, "-c", config)


def test_check_says_in_one_line_that_the_server_is_away(serving: Path) -> None:
    port = free_ports(1)[0]
    away = on(serving, "away.toml", url=f"postgresql://nearside@127.0.0.1:{port}/nearside")
    (found,) = findings(away)
    assert "Connection refused" in found
    assert "Connection refused" in failing("serve", "-c", away)


def test_check_finds_a_login_for_whom_row_level_security_does_not_count(
    owning: Path, postgres: servers.Database
) -> None:
    url, file = postgres.url_of("postgres"), postgres.password_file
    (found,) = findings(on(owning, "everywhere.toml", url=url, password_file=file))
    assert "postgres passes row-level security" in found


def test_check_finds_that_pgvector_is_missing(owning: Path, postgres: servers.Database) -> None:
    with postgres.connect() as admin:
        admin.execute("DROP EXTENSION vector")
    (found,) = findings(owning)
    assert "CREATE EXTENSION vector" in found


def test_check_finds_a_password_that_others_can_read(owning: Path, postgres: servers.Database, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(servers.PASSWORD)
    file.chmod(0o644)
    found = findings(on(owning, "open.toml", url=postgres.url, password_file=file, owner_url=postgres.owner_url))
    assert found[:1] == [f"the key is readable by others — {file} — chmod 600 {file}"]


def test_a_password_in_the_settings_is_refused_and_not_shown(config: Path) -> None:
    for url in ("postgresql://nearside:hunter2@db.example.com/nearside", "postgresql://db/x?password=hunter2"):
        config.write_text(f'[database]\nurl = "{url}"\n', encoding="utf-8")
        message = failing("tenant", "list", "-c", config)
        assert "password_file" in message and "hunter2" not in message


def test_a_backup_has_the_keys_and_says_that_the_rest_is_in_postgresql(owning: Path, tmp_path: Path) -> None:
    fine("tenant", "add", "demo", "--name", "Demo", "-c", owning)
    done = cli("backup", tmp_path / "core.nearside", "-c", owning)
    assert done.returncode == 0
    assert "companies, turns and knowledge: they are in PostgreSQL, which pg_dump copies" in done.stderr
    assert "the database's password" in done.stderr and "0 companies" in done.stdout


def test_the_nodes_key_is_exchanged_and_the_companies_stay(config: Path, owning: Path) -> None:
    fine("tenant", "add", "demo", "--name", "Demo", "-c", owning)
    before = (config.parent / "certs" / "node.key").read_bytes()
    assert "--node-only" in failing("keys", "rotate", "-c", owning)
    assert json.loads(fine("keys", "rotate", "--node-only", "--json", "-c", owning))["wrapped"] == 1
    assert (config.parent / "certs" / "node.key").read_bytes() != before
    assert findings(owning, 0) == []
