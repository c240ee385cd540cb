"""`cloud-core kb add` with web pages."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cloud_core.knowledge.test_fetching import Site, site  # noqa: F401  the fixture
from tests.cloud_core.test_kb_commands import docs, kb, told  # noqa: F401  the fixtures

pytestmark = pytest.mark.server
Kb = Callable[..., str]


def page(site: Site, path: str, text: str) -> str:  # noqa: F811
    return site.page(path, f"<title>{path}</title><main><h1>Help</h1><p>{text}</p></main>")


def allowed(site: Site) -> list[str]:  # noqa: F811
    return [word for host in site.allowed for word in ("--allow", host)]


def listed(kb: Kb) -> set[str]:  # noqa: F811
    return {row["uri"] for row in told(kb("list", "--draft", "--json"))} - {"https://shop.example/returns"}


def test_pages_of_a_list_are_added_and_go_when_they_leave_it(kb: Kb, site: Site, tmp_path: Path) -> None:  # noqa: F811
    urls = [page(site, "/tents", "Tents are waterproof to 5,000 mm."), page(site, "/stoves", "Stoves burn gas.")]
    file = tmp_path / "urls.txt"
    file.write_text("# ours\n" + "\n".join([*urls, f"{site.url}/missing  # soon", "https://other.example/"]))
    rows = told(kb("add", "--urls", file, *allowed(site), "--json"))
    assert [row["notes"] for row in rows if row["status"] == "skipped"] == [
        "answers 404",
        "is on a host that is not allowed: --allow other.example",
    ]
    assert listed(kb) == set(urls)
    kb("publish")
    assert "5,000 mm" in kb("search", "Are tents waterproof?")
    file.write_text(urls[1])
    assert "1 unchanged, 1 removed" in kb("add", "--urls", file, *allowed(site), "--publish")
    assert listed(kb) == {urls[1]}


def test_pages_of_a_sitemap_go_when_the_server_no_longer_has_them(kb: Kb, site: Site) -> None:  # noqa: F811
    urls = [page(site, "/tents", "Tents are waterproof."), page(site, "/stoves", "Stoves burn gas.")]

    def name(named: list[str]) -> str:
        text = "".join(f"<url><loc>{url}</loc></url>" for url in named)
        return site.page("/sitemap.xml", f"<urlset>{text}</urlset>", "application/xml")

    def add() -> str:
        return kb("add", "--sitemap", name(urls), *allowed(site))

    assert "2 added" in add()
    gone = urls.pop()
    assert "2 unchanged" in add()
    del site.pages["/stoves"]
    assert "1 unchanged, 1 removed" in add()
    assert gone not in listed(kb) and urls[0] in listed(kb)
    assert "not a sitemap" in kb("add", "--sitemap", urls[0], *allowed(site), code=1)


def test_what_does_not_go_together_is_refused(kb: Kb, docs: Path, tmp_path: Path) -> None:  # noqa: F811
    assert "PATH" in kb("add", code=2)
    assert "PATH" in kb("add", docs, "--sitemap", "https://shop.example/sitemap.xml", code=2)
    assert "--allow" in kb("add", "--sitemap", "https://shop.example/sitemap.xml", code=2)
    (tmp_path / "urls.txt").write_text("# nothing yet\n")
    assert "no address" in kb("add", "--urls", tmp_path / "urls.txt", "--allow", "shop.example", code=1)
