"""`cloud-core` as people call it."""

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from pydantic import ValidationError

from edge_node.settings import Limits
from nearside import __version__
from nearside.deadlines import LEAST_KEPT_DAYS, MOST_DEFERRED_HOURS
from nearside.tls import LocalCa, read_certificate
from nearside.v1 import turn_pb2
from tests import certificates, servers
from tests.cloud_core import stage
from tests.cloud_core.stage import CORE

pytestmark = pytest.mark.server
DOCUMENT = (
    "---\nuri: https://shop.example/returns\n---\n# Returns\n\nYou may return a tent within 45 days of delivery.\n"
)


def cli(*arguments: str | Path, cwd: Path | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("CORE__", "NEARSIDE", "LC_"))}
    return subprocess.run(
        [CORE, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        env=plain | {"LANG": "C.UTF-8"} | environ,
    )


def fine(*arguments: str | Path, cwd: Path | None = None, **environ: str) -> str:
    done = cli(*arguments, cwd=cwd, **environ)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def failing(*arguments: str | Path, code: int = 1, cwd: Path | None = None, **environ: str) -> str:
    """The one line on standard error."""
    done = cli(*arguments, cwd=cwd, **environ)
    assert done.returncode == code, done
    assert done.stderr.startswith("cloud-core: error: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A core.toml with a tenant and a document; for tests that only look."""
    folder = tmp_path_factory.mktemp("made")
    fine("init", folder)
    config = folder / "core.toml"
    fine("tenant", "add", "demo", "--name", "Larkspur 户外", "-c", config)
    (folder / "docs").mkdir()
    (folder / "docs" / "returns.en.md").write_text(DOCUMENT)
    fine("kb", "add", "--publish", folder / "docs", "--tenant", "demo", "-c", config)
    return config


@pytest.fixture
def config(made: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    shutil.copytree(made.parent, tmp_path / "core")
    return tmp_path / "core" / "core.toml"


def findings(config: Path, **environ: str) -> list[str]:
    done = cli("check", "--json", "-c", config, cwd=None, **environ)
    report = json.loads(done.stdout)
    assert done.returncode == (0 if report["ok"] else 1)
    assert done.stderr == ""
    return [f"{finding['severity']}: {finding['finding']}" for finding in report["findings"]]


def test_help_names_the_commands_and_the_version_is_the_packages() -> None:
    text = fine("--help")
    for command in ("init", "check", "serve", "status", "tenant", "kb", "edge"):
        assert f"  {command} " in text
    assert fine("--version") == f"cloud-core {__version__}\n"


@pytest.mark.parametrize("group", ["tenant", "kb", "edge"])
def test_each_command_explains_itself(group: str) -> None:
    for name in [
        line.split()[0] for line in fine(group, "--help").partition("Commands:\n")[2].splitlines() if line[2:3].strip()
    ]:
        assert "Usage: " in fine(group, name, "--help")


@pytest.mark.parametrize(
    "arguments",
    [["bogus"], ["tenant"], ["tenant", "add"], ["kb", "add", "x"], ["kb", "search", "x", "-t", "demo", "--limit", "0"]],
)
def test_wrong_use_is_exit_code_2_and_one_line(arguments: list[str]) -> None:
    assert "--help" in failing(*arguments, code=2)


def test_init_can_be_repeated_and_changes_nothing(tmp_path: Path) -> None:
    fine("init", tmp_path, "--host", "core.example")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert "wrote" not in fine("init", tmp_path, "--host", "core.example")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("certs/*.key")} == {0o600}


def test_init_leaves_a_changed_file_as_it_is(tmp_path: Path) -> None:
    fine("init", tmp_path)
    file = tmp_path / "core.toml"
    file.write_text(file.read_text().replace("port = 8444", "port = 9444"))
    changed = file.read_text()
    assert "changes no settings" in fine("init", tmp_path)
    assert file.read_text() == changed


def test_init_refuses_the_folder_of_an_edge(tmp_path: Path) -> None:
    (tmp_path / "edge.toml").touch()
    assert "give each a folder of its own" in failing("init", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["edge.toml"]


def test_init_says_that_a_name_from_outside_does_not_open_the_door(tmp_path: Path) -> None:
    assert "core.example: nobody gets in yet, grpc.host" in fine("init", tmp_path, "--host", "core.example")
    assert "nobody gets in" not in fine("init", tmp_path, "--host", "localhost")
    assert "nobody gets in" not in fine("init", tmp_path, "--host", "core.example", CORE__GRPC__HOST="192.0.2.7")


def test_check_takes_an_rsa_certificate_for_https_but_not_for_grpc(config: Path) -> None:
    certs = config.parent / "certs"
    certificates.write_rsa(certs / "own.crt", certs / "own.key", "core.example")
    own = {"CERT": str(certs / "own.crt"), "KEY": str(certs / "own.key")}
    assert findings(config, **{f"CORE__HTTPS__{name}": value for name, value in own.items()}) == []
    [finding] = findings(config, **{f"CORE__GRPC__{name}": value for name, value in own.items()})
    assert "not ECDSA P-256" in finding and "own.crt" in finding


def test_a_fresh_core_only_lacks_a_tenant(tmp_path: Path) -> None:
    fine("init", tmp_path)
    assert [text.partition(" — ")[0] for text in findings(tmp_path / "core.toml")] == ["warning: no tenant yet"]


def test_check_is_content_with_a_core_that_is_fine(made: Path) -> None:
    assert findings(made) == []
    assert fine("check", "-c", made) == f"{made} is fine\n"


def test_check_names_an_unknown_key_and_the_nearest_one(config: Path) -> None:
    config.write_text(config.read_text().replace("[https]", "[htps]"))
    [finding] = findings(config)
    assert "unknown key htps" in finding and "did you mean https?" in finding and "core.toml" in finding


def test_check_says_what_is_wrong_with_keys_and_certificates(config: Path) -> None:
    certs = config.parent / "certs"
    (certs / "node.key").chmod(0o644)
    (certs / "ca.key").unlink()
    texts = findings(config)
    assert any("readable by others" in text and "chmod 600" in text and "node.key" in text for text in texts)
    assert any("no such key" in text and "ca.key" in text for text in texts)


def test_check_finds_a_certificate_that_has_expired_or_will_soon(config: Path) -> None:
    certs = config.parent / "certs"
    ca = LocalCa.load(certs / "ca.crt", certs / "ca.key")
    ca.issue_server((), days=5).write(certs / "server.crt", certs / "server.key")
    assert any(text.startswith("warning: the certificate ends in") for text in findings(config))
    (certs / "nats.crt").write_text("no certificate")
    assert any("not a PEM certificate" in text and "nats.crt" in text for text in findings(config))


def test_check_finds_an_engine_that_is_not_there_and_a_broker_without_address(config: Path) -> None:
    texts = findings(config, CORE__ENGINE__KIND="oracle", CORE__NATS__MODE="external")
    assert any('no engine called "oracle"' in text and "engine.kind" in text for text in texts)
    assert any("nats.url" in text for text in texts)


@pytest.mark.parametrize(
    ("option", "complaint"),
    [("least = 0.5", "engine.options.least"), ("most_sentences = 99", "engine.options.most_sentences")],
)
def test_check_looks_at_the_engines_options(config: Path, option: str, complaint: str) -> None:
    config.write_text(f"{config.read_text()}\n[engine.options]\n{option}\n")
    [finding] = findings(config)
    assert finding.startswith("error: ") and complaint in finding


def test_check_finds_a_tenants_key_that_does_not_open(config: Path) -> None:
    (config.parent / "certs" / "node.key").write_text("ab" * 32)
    assert any("tenant.key" in text and "restore that key" in text for text in findings(config))


def test_check_finds_a_tenant_whose_key_is_gone(config: Path) -> None:
    (config.parent / "data" / "tenants" / "demo" / "tenant.key").unlink()
    assert any("the key of a tenant is gone" in text and "tenant remove demo" in text for text in findings(config))


def test_the_settings_file_is_looked_for_here_then_in_the_environment(made: Path, tmp_path: Path) -> None:
    assert "no core.toml" in failing("tenant", "list", cwd=tmp_path)
    assert "Larkspur" in fine("tenant", "list", cwd=made.parent)
    assert "Larkspur" in fine("tenant", "list", cwd=tmp_path, NEARSIDE_CORE_CONFIG=str(made))
    assert "nowhere.toml" in failing("tenant", "list", "-c", tmp_path / "nowhere.toml")


def test_tenants_are_added_once_and_listed(config: Path) -> None:
    assert fine("tenant", "add", "acme", "--name", "Acme", "-c", config) == "added acme\n"
    rows = json.loads(fine("tenant", "list", "--json", "-c", config))
    assert [(row["id"], row["name"]) for row in rows] == [("acme", "Acme"), ("demo", "Larkspur 户外")]
    assert "there already" in failing("tenant", "add", "acme", "--name", "Again", "-c", config)
    assert "no tenant id" in failing("tenant", "add", "Acme!", "--name", "Acme", "-c", config)


def test_what_is_not_there_is_named(config: Path) -> None:
    assert "nowhere" in failing("kb", "add", "nowhere", "-t", "demo", "-c", config)
    assert "no tenant 'nobody'" in failing("kb", "list", "-t", "nobody", "-c", config)
    (config.parent / "empty").mkdir()
    (config.parent / "empty" / "x.pdf").write_bytes(b"no pdf")
    done = cli("kb", "add", config.parent / "empty", "-t", "demo", "-c", config)
    assert done.returncode == 1 and "nothing could be added" in done.stderr


def test_an_edge_is_issued_what_it_needs_to_come_in(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "edge"
    fine("edge", "issue", "edge-one", "--tenant", "demo", "--out", out, "-c", config)
    assert sorted(path.name for path in out.iterdir()) == ["ca.crt", "edge.crt", "edge.key"]
    assert (out / "edge.key").stat().st_mode & 0o777 == 0o600
    assert read_certificate(out / "ca.crt") == read_certificate(config.parent / "certs" / "ca.crt")
    assert "no tenant" in failing("edge", "issue", "edge-one", "--tenant", "acme", "--out", out, "-c", config)
    assert "no edge" in failing("edge", "issue", "Edge", "--tenant", "demo", "--out", out, "-c", config)


def test_status_of_a_core_that_does_not_run_says_how_to_start_it(config: Path) -> None:
    [port] = servers.free_ports(1)
    assert "cloud-core serve" in failing("status", "-c", config, CORE__ADMIN__PORT=str(port))


def test_a_core_without_its_node_key_says_so_and_makes_no_other(config: Path) -> None:
    key = config.parent / "certs" / "node.key"
    key.unlink()
    for command in (["serve"], ["tenant", "list"]):
        assert "restore it from the backup" in failing(*command, "-c", config)
    assert "restore it from the backup" in failing("init", config.parent)
    [finding] = [text for text in findings(config) if "node.key" in text]
    assert "restore it from the backup" in finding and "init" not in finding
    assert not key.exists()


def test_serve_with_a_wrong_value_is_one_line(config: Path) -> None:
    assert "CORE__HTTPS__PORT" in failing("serve", "-c", config, CORE__HTTPS__PORT="none")


def test_a_running_core_sees_new_tenants_and_documents_at_once(tmp_path: Path) -> None:
    core = stage.make_core(tmp_path / "core", tenants=())
    (tmp_path / "returns.en.md").write_text(DOCUMENT)
    with stage.serving(core):
        fine("tenant", "add", "late", "--name", "Late", "-c", core.config)
        assert ask(core, "t-1").outcome == turn_pb2.OUTCOME_NO_EVIDENCE
        fine("kb", "add", "--publish", tmp_path / "returns.en.md", "-t", "late", "-c", core.config)
        final = ask(core, "t-2")
    assert final.outcome == turn_pb2.OUTCOME_GROUNDED
    assert "45 days" in final.text
    assert final.citations[0].uri == "https://shop.example/returns"


def ask(core: stage.Core, turn_id: str, within_s: float = 20.0) -> turn_pb2.Final:
    async def converse() -> turn_pb2.Final:
        request = stage.start("Within how many days may I return a tent?", turn_id, "late")
        request.start.time_left.FromMilliseconds(round(within_s * 1000))
        async with stage.calling(core, core.credentials(tenants=("late",))) as call:
            await call.write(request)
            return [response async for response in call][-1].final

    return asyncio.run(converse())


def test_answers_are_kept_longer_than_an_edge_may_retry(config: Path) -> None:
    assert LEAST_KEPT_DAYS * 24 > MOST_DEFERRED_HOURS
    [finding] = findings(config, CORE__TURNS__KEEP_DAYS=str(LEAST_KEPT_DAYS - 1))
    assert "turns.keep_days" in finding and str(LEAST_KEPT_DAYS) in finding
    assert findings(config, CORE__TURNS__KEEP_DAYS=str(LEAST_KEPT_DAYS)) == []
    with pytest.raises(ValidationError):
        Limits(deferred_hours=MOST_DEFERRED_HOURS + 1)
