import gzip
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloud_core.knowledge.documents import Unreadable
from cloud_core.knowledge.ingest import fetching, web
from cloud_core.knowledge.ingest.fetching import Fetched, Outcome, fetch, sitemap
from cloud_core.knowledge.ingest.parser import Parser
from cloud_core.knowledge.ingest.robots import Robots
from cloud_core.knowledge.ingest.sources import sources
from nearside.tls import make_local_ca
from tests.cloud_core.knowledge import files

pytestmark = pytest.mark.server

HTML = "text/html; charset=utf-8"
Answer = tuple[int, dict[str, str], bytes]


class Site:
    """A web server on this machine: a dictionary of pages, and the requests it got."""

    def __init__(self, certificate: tuple[Path, Path] | None = None) -> None:
        self.pages: dict[str, Answer | Callable[[Any], Answer]] = {}
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.allowed = [self.host, "127.0.0.1"]

    def _handler(site) -> type[BaseHTTPRequestHandler]:  # noqa: B902
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                site.headers.append({name.lower(): value for name, value in self.headers.items()})
                page = site.pages.get(self.path, (404, {}, b""))
                status, headers, body = page(self) if callable(page) else page
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler

    def __enter__(self) -> "Site":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def page(self, path: str, body: str | bytes, content_type: str = HTML, **headers: str) -> str:
        content = body.encode() if isinstance(body, str) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = (200, {"Content-Type": content_type} | named, content)
        return self.url + path


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as one:
        yield one


def one(site: Site, url: str, into: Path) -> Fetched:
    (result,) = fetch([url], site.allowed, into)
    return result


def test_pages_become_files_with_their_address_beside_them(site: Site, tmp_path: Path) -> None:
    urls = [
        site.page("/", "<h1>Home</h1><p>Text.</p>"),
        site.page("/help/returns", "<h1>Returns</h1><p>Text.</p>"),
        site.page("/help/returns/", "<h1>Other</h1><p>Text.</p>"),
        site.page("/list?page=2", "<h1>List</h1><p>Text.</p>"),
        site.page("/manual.pdf", files.pdf("Some text."), "application/pdf"),
        site.page("/%E9%80%80%E8%B4%A7", "<h1>退货</h1><p>可以。</p>".encode("gbk"), "text/html; charset=gbk"),
        site.page("/prices", files.workbook(), fetching._OFFICE + "spreadsheetml.sheet"),
    ]
    told: list[Fetched] = []
    results = fetch([*urls, urls[0]], site.allowed, tmp_path, told.append)
    assert told == results and [result.outcome for result in results] == [Outcome.FETCHED] * 7
    with Parser() as parser:
        documents = {source.document_id: parser.read(source) for source in sources(tmp_path)}
    folder = site.host.replace(":", "_")
    assert documents[f"{folder}/help/returns.html"].uri == f"{site.url}/help/returns"
    assert documents[f"{folder}/help/returns/index.html"].title == "Other"
    assert documents[f"{folder}/manual.pdf"].uri == f"{site.url}/manual.pdf"
    assert documents[f"{folder}/退货.html"].title == "退货"
    assert documents[f"{folder}/prices.xlsx"].blocks
    assert len(documents) == 7


def test_a_repeat_asks_only_for_what_changed(site: Site, tmp_path: Path) -> None:
    def tagged(request: Any) -> Answer:
        known = request.headers.get("If-None-Match") == '"1"'
        return (304, {}, b"") if known else (200, {"Content-Type": HTML, "ETag": '"1"'}, b"<p>Text.</p>")

    def dated(request: Any) -> Answer:
        day = "Mon, 02 Mar 2026 10:00:00 GMT"
        known = request.headers.get("If-Modified-Since") == day
        return (304, {}, b"") if known else (200, {"Content-Type": HTML, "Last-Modified": day}, b"<p>Text.</p>")

    site.pages |= {"/tagged": tagged, "/dated": dated}
    urls = [f"{site.url}/tagged", f"{site.url}/dated", site.page("/plain", "<p>Text.</p>")]
    fetch(urls, site.allowed, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.html")}
    assert [result.outcome for result in fetch(urls, site.allowed, tmp_path)] == [Outcome.UNCHANGED] * 3
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.html")}
    next(tmp_path.rglob("tagged.html")).unlink()
    site.page("/plain", "<p>New text.</p>")
    again = [result.outcome for result in fetch(urls, site.allowed, tmp_path)]
    assert again == [Outcome.FETCHED, Outcome.UNCHANGED, Outcome.FETCHED]


def test_an_interrupted_fetch_goes_on_where_it_stopped(site: Site, tmp_path: Path) -> None:
    urls = [site.page(f"/{number}", "<p>Text.</p>", ETag=f'"{number}"') for number in range(3)]

    def interrupt(result: Fetched) -> None:
        if result.url == urls[1]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(urls, site.allowed, tmp_path, interrupt)
    site.headers.clear()
    fetch(urls, site.allowed, tmp_path)
    assert [headers.get("if-none-match") for headers in site.headers[1:]] == ['"0"', '"1"', None]


def test_a_page_that_is_gone_loses_its_file_and_one_that_fails_keeps_it(site: Site, tmp_path: Path) -> None:
    urls = [site.page("/gone", "<p>Text.</p>"), site.page("/broken", "<p>Text.</p>")]
    fetch(urls, site.allowed, tmp_path)
    site.pages |= {"/gone": (410, {}, b""), "/broken": (500, {}, b"")}
    gone, broken = fetch(urls, site.allowed, tmp_path)
    assert (gone.outcome, broken.outcome, broken.reason) == (Outcome.GONE, Outcome.SKIPPED, "answers 500")
    assert [path.name for path in sorted(tmp_path.rglob("*.html*"))] == ["broken.html", "broken.html.meta.yaml"]


def test_a_sidecar_that_somebody_wrote_stays(site: Site, tmp_path: Path) -> None:
    url = site.page("/a", "<p>Text.</p>")
    beside = tmp_path / one(site, url, tmp_path).file
    beside = beside.with_name(beside.name + ".meta.yaml")
    assert yaml.safe_load(beside.read_text()) == {"uri": url}
    beside.write_text("uri: https://shop.example/a\ntags: [one]\n")
    site.page("/a", "<p>New text.</p>")
    one(site, url, tmp_path)
    assert "tags: [one]" in beside.read_text()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://127.0.0.1/x", "not a plain http"),
        ("file:///etc/passwd", "not a plain http"),
        ("http://user:pass@127.0.0.1/", "not a plain http"),
        ("http://other.example/", "is on a host that is not allowed: --allow other.example"),
        ("http://127.0.0.1:1/", "not allowed: --allow 127.0.0.1:1"),
        ("http://[::1]/", "not allowed"),
        ("not an address", "not a plain http|no address"),
        ("http://\x00/", "not an address|not a plain http|not allowed"),
    ],
)
def test_addresses_that_were_not_named_are_not_asked(site: Site, tmp_path: Path, url: str, reason: str) -> None:
    result = one(site, url, tmp_path)
    assert result.outcome is Outcome.SKIPPED
    with pytest.raises(Unreadable, match=reason):
        raise Unreadable(result.reason)
    assert site.asked == []


def test_a_name_that_leads_to_a_private_address_is_refused(site: Site, tmp_path: Path) -> None:
    port = site.host.split(":")[1]
    url = f"http://localhost:{port}/"
    site.page("/", "<p>Text.</p>")
    (refused,) = fetch([url], [f"localhost:{port}"], tmp_path)
    assert "private address" in refused.reason and site.asked == []
    (fetched,) = fetch([url], [f"localhost:{port}", "127.0.0.0/8", "::1"], tmp_path)
    assert fetched.outcome is Outcome.FETCHED
    assert site.headers[-1]["host"] == f"localhost:{port}"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("10.0.0.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("0.0.0.1", False),
        ("224.0.0.1", False),
        ("100.64.0.1", False),
        ("::1", False),
        ("fe80::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("2606:4700::1111", True),
    ],
)
def test_private_addresses_are_known_in_every_guise(address: str, public: bool) -> None:
    assert web.Allowance(["shop.example"])._may_ask(ipaddress.ip_address(address)) is public
    assert web.Allowance(["127.0.0.0/8"])._may_ask(ipaddress.ip_address("::ffff:127.0.0.1"))


def test_redirects_are_followed_on_allowed_hosts_only(site: Site, tmp_path: Path) -> None:
    target = site.page("/target", "<p>Text.</p>")
    with Site() as other:
        other.page("/", "<p>Secret.</p>")
        site.pages |= {
            "/here": (302, {"Location": "/target"}, b""),
            "/there": (301, {"Location": f"{other.url}/"}, b""),
            "/metadata": (302, {"Location": "http://169.254.169.254/latest"}, b""),
            "/circle": (302, {"Location": "/circle"}, b""),
            "/file": (302, {"Location": "file:///etc/passwd"}, b""),
        }
        here = one(site, f"{site.url}/here", tmp_path)
        assert yaml.safe_load((tmp_path / f"{here.file}.meta.yaml").read_text()) == {"uri": target}
        for path, reason in (("/there", "not allowed"), ("/metadata", "not allowed"), ("/file", "not a plain")):
            assert reason in one(site, site.url + path, tmp_path).reason
        assert "more than 5 times" in one(site, f"{site.url}/circle", tmp_path).reason
        assert other.asked == []


def test_what_robots_txt_forbids_is_not_asked(site: Site, tmp_path: Path) -> None:
    site.page("/robots.txt", "User-agent: *\nDisallow: /private\nAllow: /private/but\n", "text/plain")
    urls = [site.page(path, "<p>Text.</p>") for path in ("/open", "/private/x", "/private/but/this")]
    outcomes = [result.outcome for result in fetch(urls, site.allowed, tmp_path)]
    assert outcomes == [Outcome.FETCHED, Outcome.SKIPPED, Outcome.FETCHED]
    assert site.asked == ["/robots.txt", "/open", "/private/but/this"]


def test_a_site_whose_robots_txt_fails_is_left_alone(site: Site, tmp_path: Path) -> None:
    site.pages["/robots.txt"] = (500, {}, b"")
    assert "whose robots.txt answers 500" in one(site, site.page("/a", "<p>Text.</p>"), tmp_path).reason
    assert site.asked == ["/robots.txt"]


@pytest.mark.parametrize(
    ("rules", "path", "allowed"),
    [
        ("User-agent: *\nDisallow: /", "/x", False),
        ("User-agent: *\nDisallow:", "/x", True),
        ("User-agent: other\nDisallow: /", "/x", True),
        ("User-agent: Nearside\nDisallow: /a\n\nUser-agent: *\nDisallow: /", "/x", True),
        ("User-agent: a\nUser-agent: nearside\nDisallow: /a", "/a/b", False),
        ("User-agent: *\nDisallow: /*.pdf$", "/x/y.pdf", False),
        ("User-agent: *\nDisallow: /*.pdf$", "/x/y.pdf?a", True),
        ("User-agent: *\nDisallow: /a*b*c", "/a-b-d", True),
        ("User-agent: *\nDisallow: /a*b*c", "/a-b-c-d", False),
        ("User-agent: *\nDisallow: /a$", "/ab", True),
        ("User-agent: *\nDisallow: /p\nAllow: /p", "/p", True),
        ("User-agent: *\nDisallow: /%E9%80%80", "/退", False),
        ("\ufeffnonsense\n:::\nDisallow: /", "/x", True),
    ],
)
def test_the_longest_rule_decides(rules: str, path: str, allowed: bool) -> None:
    assert Robots(rules, "nearside").allows(path) is allowed


def test_a_wish_for_a_delay_is_kept_within_reason() -> None:
    assert Robots("User-agent: *\nCrawl-delay: 2.5", "nearside").delay_s == 2.5
    assert Robots("User-agent: *\nCrawl-delay: 86400", "nearside").delay_s == 10.0
    assert Robots("User-agent: *\nCrawl-delay: -1\nCrawl-delay: x", "nearside").delay_s == 0.0


def test_a_busy_server_is_asked_again(site: Site, tmp_path: Path) -> None:
    answers = iter([(429, {"Retry-After": "0"}, b""), (503, {"Retry-After": "0"}, b"")])
    site.pages["/busy"] = lambda _: next(answers, (200, {"Content-Type": HTML}, b"<p>Text.</p>"))
    assert one(site, f"{site.url}/busy", tmp_path).outcome is Outcome.FETCHED


@pytest.mark.parametrize(
    ("content_type", "path", "reason"),
    [
        ("image/png", "/a", "of a kind without a reader (image/png)"),
        ("", "/a", "none stated"),
        (HTML, "/empty", "is empty"),
    ],
)
def test_what_cannot_be_read_is_skipped(site: Site, tmp_path: Path, content_type: str, path: str, reason: str) -> None:
    site.page(path, b" " if path == "/empty" else b"x", content_type)
    assert reason in one(site, site.url + path, tmp_path).reason
    assert not list(tmp_path.rglob("*.html"))


def test_endless_and_puffed_up_pages_are_cut_off(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MOST_BYTES", 100_000)
    puffed = gzip.compress(b"\x00" * 10_000_000)
    site.page("/puffed", puffed, Content_Encoding="gzip")
    site.page("/long", b"x" * 200_000)
    site.page("/short", gzip.compress(b"<p>Text.</p>"), Content_Encoding="gzip")
    site.page("/cut", gzip.compress(b"<p>Text.</p>")[:-6], Content_Encoding="gzip")
    site.page("/odd", b"x", Content_Encoding="br")
    results = fetch(
        [site.url + path for path in ("/puffed", "/long", "/cut", "/odd", "/short")], site.allowed, tmp_path
    )
    reasons = [result.reason for result in results]
    assert "more than" in reasons[0] and "more than" in reasons[1]
    assert reasons[2:] == ["is damaged on its way", "is sent in an unknown packing", ""]


def test_a_slow_page_is_given_up(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "TIME_LIMIT_S", 0.0)
    assert "longer than" in one(site, site.page("/a", "<p>Text.</p>"), tmp_path).reason


def test_a_server_that_hangs_up_is_reported(tmp_path: Path) -> None:
    with Site() as closed:
        host, allowed = closed.url, closed.allowed
    (result,) = fetch([f"{host}/a"], allowed, tmp_path)
    assert result.outcome is Outcome.SKIPPED


def test_a_certificate_is_checked_for_the_name_and_not_for_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = make_local_ca(tmp_path / "ca.crt", tmp_path / "ca.key", common_name="test")
    certificate = tmp_path / "server.crt", tmp_path / "server.key"
    authority.issue_server(["shop.example"]).write(*certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *rest, **named: real("127.0.0.1", *rest, **named))
    with Site(certificate) as site:
        port = site.host.split(":")[1]
        site.page("/a", "<p>Text.</p>")
        hosts = [f"shop.example:{port}", f"other.example:{port}"]
        results = fetch([f"https://{host}/a" for host in hosts], [*hosts, "127.0.0.1"], tmp_path / "into")
    assert [result.outcome for result in results] == [Outcome.FETCHED, Outcome.SKIPPED]
    assert "ConnectError" in results[1].reason


def test_a_sitemap_names_the_pages(site: Site) -> None:
    urls = "".join(f"<url><loc>{site.url}/{number}?a=1&amp;b=2</loc></url>" for number in range(3))
    site.page("/part.xml", f"<?xml version='1.0'?><urlset>{urls}</urlset>", "text/xml")
    site.page("/part.xml.gz", gzip.compress(b"<urlset><url><loc> <![CDATA[http://x/y]]> </loc></url></urlset>"), "x/y")
    parts = "".join(f"<sitemap><loc>{site.url}{path}</loc></sitemap>" for path in ("/part.xml", "/part.xml.gz", "/no"))
    site.page(
        "/sitemap.xml", f"<sitemapindex>{parts}<sitemap><loc>{site.url}/sitemap.xml</loc></sitemap></sitemapindex>"
    )
    named = sitemap(f"{site.url}/sitemap.xml", site.allowed)
    assert named == [*(f"{site.url}/{number}?a=1&b=2" for number in range(3)), "http://x/y"]


@pytest.mark.parametrize("content", [b"<html>", b"\x1f\x8bbroken", b""])
def test_what_is_no_sitemap_is_an_error(site: Site, content: bytes) -> None:
    site.page("/sitemap.xml", content)
    with pytest.raises(Unreadable, match="sitemap"):
        sitemap(f"{site.url}/sitemap.xml", site.allowed)


def test_a_manifest_that_leads_out_of_the_folder_is_not_followed(site: Site, tmp_path: Path) -> None:
    victim = tmp_path / "victim.md"
    victim.write_text("mine")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / fetching.MANIFEST).write_text(f'{{"{site.url}/a": {{"file": "../victim.md"}}}}')
    assert one(site, f"{site.url}/a", folder).outcome is Outcome.GONE
    assert victim.read_text() == "mine"
