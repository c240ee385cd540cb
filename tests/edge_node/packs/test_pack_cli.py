"""`edge-node pack` as people call it."""

import json
from pathlib import Path

import pytest

from tests.edge_node.cli.commands import failing, fine, make_edge, serving
from tests.edge_node.packs.companies import company, packed
from tests.servers import wait_until

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_edge(tmp_path_factory.mktemp("edge") / "edge")


def test_packs_come_and_go_while_the_edge_is_stopped_and_while_it_serves(config: Path, tmp_path: Path) -> None:
    versions = [
        packed(company(tmp_path / f"v{number}", f"number {number}"), tmp_path / f"{number}.pack", number).version
        for number in (1, 2)
    ]
    assert fine("pack", "list", "-c", config) == "no pack: the companies' folders answer\n"
    told = fine("pack", "install", tmp_path / "1.pack", "-c", config)
    assert f"shop is answered from the pack {versions[0]}: it goes on when the edge starts" in told
    assert "1 entry, 1 rule, 0 tools" in told
    with serving(config):
        socket = config.parent / "data" / "edge.sock"
        wait_until(socket.exists, "the edge")
        found = json.loads(fine("pack", "install", tmp_path / "2.pack", "-c", config, "--json"))
        assert (found["active"], found["runs"]) == (versions[1], True)
        rows = json.loads(fine("pack", "list", "-c", config, "--json"))
        assert [(row["version"], row["active"]) for row in rows] == [(versions[0], False), (versions[1], True)]
        assert f"from the pack {versions[0]}\n" in fine("pack", "rollback", "-c", config)
        assert "from its own folder\n" in fine("pack", "rollback", "-c", config)
        assert "nothing to go back from" in failing("pack", "rollback", "-c", config)
        (tmp_path / "half.pack").write_bytes((tmp_path / "1.pack").read_bytes()[:-9])
        assert f"— {tmp_path / 'half.pack'} —" in failing("pack", "install", tmp_path / "half.pack", "-c", config)
    assert versions[0] in fine("pack", "list", "-c", config)


@pytest.mark.parametrize("content", [b"", b"no pack at all" * 99])
def test_what_is_no_pack_is_refused_in_a_line(config: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pack").write_bytes(content)
    assert f"not a pack — {tmp_path / 'a.pack'} — " in failing("pack", "install", tmp_path / "a.pack", "-c", config)
    assert "no such file" in failing("pack", "install", tmp_path / "none.pack", "-c", config)


def test_check_looks_at_what_answers(config: Path, tmp_path: Path) -> None:
    packed(company(tmp_path / "built", "x", 'timezone = "Mars/Base"\n'), tmp_path / "a.pack", 9)
    assert "not a known time zone" in failing("pack", "install", tmp_path / "a.pack", "-c", config)
    version = packed(company(tmp_path / "good", "x"), tmp_path / "b.pack", 9).version
    fine("pack", "install", tmp_path / "b.pack", "-c", config)
    file = config.parent / "data" / "tenants" / "shop" / "packs" / f"{version}.pack"
    file.write_bytes(file.read_bytes()[:-1])
    done = json.loads(_check(config))
    assert any("the pack" in finding["finding"] and str(file) in finding["finding"] for finding in done["findings"])
    fine("pack", "rollback", "-c", config)


def _check(config: Path) -> str:
    from tests.edge_node.cli.commands import cli

    return cli("check", "-c", config, "--json").stdout
