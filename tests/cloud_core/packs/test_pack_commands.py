"""`cloud-core pack` as people call it."""

import json
from pathlib import Path

import pytest

from nearside.packs import About, write_pack
from tests.cloud_core.packs.test_building import shop
from tests.cloud_core.test_cli import failing, fine

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("core")
    fine("init", folder)
    fine("tenant", "add", "shop", "--name", "The Shop", "-c", folder / "core.toml")
    return folder / "core.toml"


def test_a_pack_is_built_listed_and_shown(config: Path, tmp_path: Path) -> None:
    folder = shop(tmp_path / "shop")
    assert fine("pack", "list", "-t", "shop", "-c", config).startswith("no pack yet: cloud-core pack build")
    told = fine("pack", "build", "-t", "shop", "--content", folder, "-c", config)
    assert "20 examples of 5 labels" in told and "thin: " in told
    built = json.loads(fine("pack", "build", "-t", "shop", "--content", folder, "-c", config, "--json"))
    assert built["report"]["examples"] == 20 and built["tenant"] == "shop"
    rows = json.loads(fine("pack", "list", "-t", "shop", "-c", config, "--json"))
    assert len(rows) == 2 and rows[-1]["version"] == built["version"] and rows[-1]["bytes"] == built["bytes"]
    shown = fine("pack", "show", built["file"])
    assert f"pack {built['version']} of shop" in shown and "not signed" in shown and "content/faq.csv" in shown
    assert json.loads(fine("pack", "show", built["file"], "--json"))["version"] == built["version"]


def test_its_report_names_entries_so_that_a_person_knows_them(config: Path, tmp_path: Path) -> None:
    folder = shop(tmp_path / "shop")
    (folder / "faq.csv").write_text(
        "question,variants,answer,lang\n你们修帐篷吗？,帐篷坏了,可以。,zh\n", encoding="utf-8"
    )
    told = fine("pack", "build", "-t", "shop", "--content", folder, "-c", config)
    assert "“你们修帐篷吗？”: only 2" in told and "not used" not in told
    with (folder / "tenant.toml").open("a") as file:
        file.write("\n[faq]\nthreshold = 0.8\n")
    assert "threshold = 0.8, which goes before it" in fine(
        "pack", "build", "-t", "shop", "--content", folder, "-c", config
    )


def test_it_is_written_where_one_wants_it(config: Path, tmp_path: Path) -> None:
    fine(
        "pack", "build", "-t", "shop", "--content", shop(tmp_path / "shop"), "--out", tmp_path / "a.pack", "-c", config
    )
    assert "of shop" in fine("pack", "show", tmp_path / "a.pack")


def test_what_a_strangers_pack_says_does_nothing_to_the_terminal(tmp_path: Path) -> None:
    facts = {"note": "a\x1b[2J\nb", "coverage": 1 / 3}
    about = About("shop", "20261122-101530-3fa9c1d2", "now", "x", "0" * 64, "0" * 64, facts)
    write_pack(tmp_path / "a.pack", about, {})
    shown = fine("pack", "show", tmp_path / "a.pack")
    assert "note: a\ufffd[2J\ufffdb\n" in shown and "coverage: 0.3333\n" in shown


def test_what_is_wrong_is_one_line(config: Path, tmp_path: Path) -> None:
    (tmp_path / "a.pack").write_text("no pack")
    assert "not a pack" in failing("pack", "show", tmp_path / "a.pack")
    assert "no tenant 'bank'" in failing("pack", "build", "-t", "bank", "--content", tmp_path, "-c", config)
    assert "no such file" in failing("pack", "build", "-t", "shop", "--content", tmp_path, "-c", config)
    refused = failing("pack", "build", "-t", "shop", "--content", tmp_path, "--out", tmp_path, "-c", config)
    assert f"a folder — {tmp_path} — --out names the file" in refused
    options = ("-t", "shop", "--content", tmp_path, "--precision", "1.5", "-c", config)
    assert "precision" in failing("pack", "build", *options, code=2)
