"""`edge-node` as people call it."""

import json
import shutil
from pathlib import Path

import pytest

from nearside.tls import LocalCa, make_local_ca, names_of, read_certificate
from tests import certificates, servers
from tests.edge_node.cli.commands import URIS, cli, failing, fine, make_edge

pytestmark = pytest.mark.server


def findings(config: Path, **environ: str) -> list[str]:
    done = cli("check", "--json", "-c", config, **environ)
    report = json.loads(done.stdout)
    assert done.returncode == (0 if report["ok"] else 1)
    assert done.stderr == ""
    return [f"{finding['severity']}: {finding['finding']}" for finding in report["findings"]]


def errors(config: Path, **environ: str) -> list[str]:
    return [text for text in findings(config, **environ) if text.startswith("error: ")]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An edge.toml with a company, a link and data; for tests that only look."""
    return make_edge(tmp_path_factory.mktemp("made"))


@pytest.fixture
def config(made: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    shutil.copytree(made.parent, tmp_path / "edge")
    return tmp_path / "edge" / "edge.toml"


def test_init_can_be_repeated_and_changes_nothing(tmp_path: Path) -> None:
    fine("init", tmp_path, "--host", "chat.example")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert "wrote" not in fine("init", tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_init_keeps_the_names_of_a_certificate_it_renews(tmp_path: Path) -> None:
    fine("init", tmp_path)
    certs = tmp_path / "certs"
    ca = LocalCa.load(certs / "ca.crt", certs / "ca.key")
    ca.issue_server(["chat.example"], days=5).write(certs / "server.crt", certs / "server.key")
    assert f"wrote {certs / 'server.crt'}" in fine("init", tmp_path)
    assert "chat.example" in names_of(read_certificate(certs / "server.crt"))


def test_init_leaves_a_companys_own_certificate_and_says_so(tmp_path: Path) -> None:
    fine("init", tmp_path)
    cert, key = tmp_path / "certs" / "server.crt", tmp_path / "certs" / "server.key"
    certificates.write_rsa(cert, key, "chat.example")
    before = cert.read_bytes(), key.read_bytes()
    assert f"left {cert} and {key} as they are" in fine("init", tmp_path, "--host", "other.example")
    assert (cert.read_bytes(), key.read_bytes()) == before


def test_init_refuses_the_folder_of_a_core(tmp_path: Path) -> None:
    (tmp_path / "core.toml").touch()
    assert "give each a folder of its own" in failing("init", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["core.toml"]


def test_init_says_that_a_name_from_outside_does_not_open_the_door(tmp_path: Path) -> None:
    assert "chat.example: nobody gets in yet, https.host" in fine("init", tmp_path, "--host", "chat.example")
    assert "nobody gets in" not in fine("init", tmp_path, "--host", "127.0.0.1")
    assert "nobody gets in" not in fine("init", tmp_path, "--host", "chat.example", EDGE__HTTPS__HOST="192.0.2.7")


def test_init_with_a_wrong_name_is_wrong_use(tmp_path: Path) -> None:
    assert "'--name': 2 to 32 of a-z, 0-9 and -" in failing("init", tmp_path, "--name", "My Edge", code=2)


def test_a_command_about_a_company_says_that_there_is_none_yet(tmp_path: Path) -> None:
    fine("init", tmp_path)
    assert "no tenant yet" in failing("apikey", "list", "-c", tmp_path / "edge.toml")
    assert "no tenant yet" in failing("apikey", "list", "--tenant", "shop", "-c", tmp_path / "edge.toml")


def test_a_lost_node_key_is_replaced_by_nobody(config: Path) -> None:
    key = config.parent / "certs" / "node.key"
    key.unlink()
    assert "restore it from the backup" in failing("serve", "-c", config)
    assert "restore it from the backup" in failing("init", config.parent)
    [finding] = errors(config)
    assert "node.key" in finding and "restore it from the backup" in finding and "init" not in finding
    assert not key.exists()


def test_check_only_misses_the_core(made: Path) -> None:
    """Of an edge in which all is well; and what gRPC says about it does not come between."""
    [finding] = findings(made)
    assert finding.startswith("warning: no core answers")


def test_check_finds_a_company_that_the_link_does_not_name(config: Path) -> None:
    config.write_text(f'{config.read_text()}[tenants.acme]\ncontent = "shop"\n')
    [finding] = errors(config)
    assert "acme" in finding and "does not name it" in finding and "edge.crt" in finding


def test_check_finds_a_link_whose_key_does_not_fit(config: Path) -> None:
    link = config.parent / "link"
    core = LocalCa.load(link / "ca.crt", config.parent / "core-ca.key")
    core.issue_client("shop-edge", URIS, days=90).write(link / "unused.crt", link / "edge.key")
    [finding] = errors(config)
    assert "does not fit" in finding and "edge.key" in finding


def test_check_finds_a_link_that_another_core_signed(config: Path) -> None:
    link = config.parent / "link"
    other = make_local_ca(config.parent / "x.crt", config.parent / "x.key", common_name="core")
    other.issue_client("shop-edge", URIS, days=90).write(link / "edge.crt", link / "edge.key")
    [finding] = errors(config)
    assert "not signed by" in finding and "ca.crt" in finding


def test_check_says_where_a_link_comes_from(config: Path) -> None:
    shutil.rmtree(config.parent / "link")
    found = errors(config)
    assert len(found) == 3 and all("cloud-core edge issue" in finding for finding in found)


def test_check_finds_that_a_changed_name_opens_no_tenants_key(config: Path) -> None:
    config.write_text(config.read_text().replace('name = "shop-edge"', 'name = "new-edge"'))
    [finding] = errors(config)
    assert "tenant.key" in finding and "new-edge" in finding and "restore that key or name" in finding


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("faq.yaml", "faq.yml"), ("faq.yaml", "FAQ.yaml"), ("rules", "rule"), ("tenant.toml", "tenants.toml")],
)
def test_check_names_the_file_that_a_misnamed_one_should_be(config: Path, right: str, wrong: str) -> None:
    content = config.parent / "shop"
    (content / right).rename(content / wrong)
    finding = errors(config)[0]
    assert f"{content / wrong} — did you mean {right}?" in finding and "shop: " in finding


def test_check_finds_rules_that_nobody_reads(config: Path) -> None:
    rules = config.parent / "shop" / "rules"
    (rules / "talk.yaml").rename(rules / "talk.txt")
    [finding] = errors(config)
    assert str(rules) in finding and ".yaml" in finding


def test_check_warns_of_a_company_that_only_the_core_could_answer_for(config: Path) -> None:
    content = config.parent / "shop"
    (content / "faq.yaml").unlink()
    shutil.rmtree(content / "rules")
    (content / "documents").mkdir()
    assert any(text.startswith("warning: shop: no rule and no FAQ entry") for text in findings(config))


@pytest.mark.parametrize("address", ["core.example", "core.example:", "core.example:99999", "https://core.example:1"])
def test_check_wants_a_port_in_the_cores_address(config: Path, address: str) -> None:
    [finding] = errors(config, EDGE__CORE__ADDRESS=address)
    assert "core.address" in finding and "EDGE__CORE__ADDRESS" in finding and "core.example.com:8445" in finding


@pytest.mark.parametrize("address", ["core.example:8445", "192.0.2.7:1", "[2001:db8::1]:8445"])
def test_an_address_with_a_port_is_taken(made: Path, address: str) -> None:
    assert not errors(made, EDGE__CORE__ADDRESS=address)


def test_check_takes_an_rsa_certificate_for_https(config: Path) -> None:
    own = config.parent / "own"
    certificates.write_rsa(own / "full.crt", own / "priv.key", "chat.example")
    assert not errors(config, EDGE__HTTPS__CERT=str(own / "full.crt"), EDGE__HTTPS__KEY=str(own / "priv.key"))


def test_a_language_that_nobody_speaks_is_wrong_use(made: Path) -> None:
    line = failing("chat", "--lang", "fr", "-c", made, code=2)
    assert "fr" in line and "en" in line and "zh" in line


def test_a_chat_with_an_edge_that_does_not_run_says_how_to_start_it(made: Path) -> None:
    [port] = servers.free_ports(1)
    assert "edge-node serve" in failing("chat", "--url", f"https://127.0.0.1:{port}", "--tenant", "shop")
