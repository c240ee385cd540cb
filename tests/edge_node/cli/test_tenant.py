"""A company that leaves an edge."""

from pathlib import Path

import pytest

from nearside.ownership import sole_owner
from tests.edge_node.cli.commands import failing, fine, make_edge

pytestmark = pytest.mark.server


def test_a_company_that_leaves_takes_its_key_and_its_files_along(tmp_path: Path) -> None:
    config = make_edge(tmp_path)
    folder = tmp_path / "data" / "tenants" / "shop"
    served = failing("tenant", "remove", "shop", "--yes", "-c", config)
    assert "[tenants.shop] in edge.toml" in served
    config.write_text(config.read_text().replace('[tenants.shop]\ncontent = "shop"\n', ""))
    with sole_owner(tmp_path / "data", "edge"):
        assert "another edge" in failing("tenant", "remove", "shop", "--yes", "-c", config)
    failing("tenant", "remove", "shop", "-c", config, code=2)
    assert (folder / "tenant.key").exists()
    assert fine("tenant", "remove", "shop", "--yes", "-c", config) == "removed shop; its backups still hold it\n"
    assert not folder.exists()
    assert "no data of 'shop'" in failing("tenant", "remove", "shop", "--yes", "-c", config)


def test_nothing_but_a_companys_folder_is_removed(tmp_path: Path) -> None:
    config = make_edge(tmp_path)
    for wrong in ("..", "../tenants/shop", "shop/", "Shop", "店", "a\nb"):
        assert "no data of" in failing("tenant", "remove", wrong, "--yes", "-c", config)
    assert (tmp_path / "data" / "tenants" / "shop" / "tenant.key").exists()
