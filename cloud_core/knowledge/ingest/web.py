"""Reading other people's web pages without being led astray: named hosts only, no private addresses, bounded."""

import ipaddress
import socket
import time
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx2

from cloud_core.knowledge.documents import Unreadable
from cloud_core.knowledge.ingest.robots import Robots
from nearside import __version__

AGENT = "nearside"
MOST_BYTES = 20 * 2**20
MOST_REDIRECTS = 5
TIME_LIMIT_S = 60.0
MOST_WAIT_S = 30.0
_TRIES = 3
_STEP_S = 10.0
_PORTS = {"http": 80, "https": 443}
_BUSY = (429, 503)
_MOVED = (301, 302, 303, 307, 308)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Allowance:
    """`allowed`: hosts (`shop.example`, also for `shop.example:8443`), and private addresses or networks."""

    def __init__(self, allowed: Collection[str]) -> None:
        self._hosts = {name.strip().lower().strip("[]") for name in allowed}
        self._networks = [network for name in self._hosts if (network := _network(name))]

    def check(self, url: httpx2.URL) -> None:
        """Raises Unreadable for an address that must not be asked."""
        if url.scheme not in _PORTS or not url.host or url.userinfo:
            raise Unreadable("is not a plain http or https address")
        host, port = url.host.lower(), url.port or _PORTS[url.scheme]
        plain = host in self._hosts and port == _PORTS[url.scheme]
        if not plain and f"{host}:{port}" not in self._hosts:
            named = host if port == _PORTS[url.scheme] else f"{host}:{port}"
            raise Unreadable(f"is on a host that is not allowed: --allow {named}")

    def addresses_of(self, url: httpx2.URL) -> list[str]:
        """The addresses to connect to. Raises Unreadable where the name leads to one that is not public."""
        try:
            found = socket.getaddrinfo(url.host, url.port or _PORTS[url.scheme], type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise Unreadable("has a host that cannot be found") from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            if not self._may_ask(ipaddress.ip_address(address.split("%")[0])):
                raise Unreadable(f"leads to the private address {address}: --allow {address} if that is meant")
        return addresses

    def _may_ask(self, address: Address) -> bool:
        real = _real(address)
        return real.is_global and not real.is_multicast or any(real in network for network in self._networks)


def _network(name: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(name, strict=False)
    except ValueError:
        return None


def _real(address: Address) -> Address:
    """What an IPv6 address that stands for an IPv4 one leads to."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)


@dataclass(frozen=True, slots=True)
class Page:
    """`url` after redirects; `content` empty where the server says that nothing has changed (status 304)."""

    url: httpx2.URL
    status: int
    headers: Mapping[str, str]
    content: bytes


class Web:
    """A context manager; one page at a time. Trusts what this machine trusts, and SSL_CERT_FILE; knows no proxies."""

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowance = Allowance(allowed)
        self._trust = httpx2.create_ssl_context()
        self._clients: dict[str, httpx2.Client] = {}
        self._robots: dict[str, Robots | str] = {}
        self._asked: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients.values():
            client.close()

    def read(self, address: str, headers: Mapping[str, str] | None = None) -> Page:
        """A page that robots.txt allows, in at most `MOST_BYTES` and `TIME_LIMIT_S`. Raises Unreadable."""
        return self._followed(address, headers or {}, by_robots=True)

    def _followed(self, address: str, headers: Mapping[str, str], *, by_robots: bool) -> Page:
        ends_at = time.monotonic() + TIME_LIMIT_S
        url = _url(address)
        for _ in range(MOST_REDIRECTS + 1):
            self._allowance.check(url)
            if by_robots:
                self._respect(url)
            page = self._asked_patiently(url, headers, ends_at)
            if page.status not in _MOVED or "location" not in page.headers:
                return page
            try:
                url = url.join(page.headers["location"])
            except (httpx2.InvalidURL, ValueError):
                raise Unreadable("is redirected to what is no address") from None
        raise Unreadable(f"is redirected more than {MOST_REDIRECTS} times")

    def _respect(self, url: httpx2.URL) -> None:
        origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
        if origin not in self._robots:
            self._robots[origin] = self._rules(f"{origin}/robots.txt")
        robots = self._robots[origin]
        if isinstance(robots, str):
            raise Unreadable(f"is on a site whose robots.txt {robots}")
        if not robots.allows(url.raw_path.decode("ascii")):
            raise Unreadable("is not for robots (robots.txt)")
        wait_s = self._asked.get(origin, -robots.delay_s) + robots.delay_s - time.monotonic()
        if robots.delay_s and wait_s > 0:
            time.sleep(wait_s)
        self._asked[origin] = time.monotonic()

    def _rules(self, address: str) -> Robots | str:
        """What robots.txt says, or why it cannot be read."""
        try:
            page = self._followed(address, {}, by_robots=False)
        except Unreadable as error:
            return str(error)
        if page.status >= 500 or page.status == 429:
            return f"answers {page.status}"
        return Robots(page.content.decode("utf-8", "replace") if page.status == 200 else "", AGENT)

    def _asked_patiently(self, url: httpx2.URL, headers: Mapping[str, str], ends_at: float) -> Page:
        """Busy servers are asked again after the time they name, broken connections once more."""
        for attempt in range(_TRIES):
            last = attempt == _TRIES - 1
            try:
                page = self._ask(url, headers, ends_at)
            except httpx2.TransportError as error:
                if last:
                    raise Unreadable(f"cannot be fetched ({type(error).__name__})") from None
                wait_s = 0.2
            else:
                if page.status not in _BUSY or last:
                    return page
                wait_s = _wait(page.headers.get("retry-after", ""))
            if time.monotonic() + wait_s > ends_at:
                raise Unreadable("is on a server that is too busy")
            time.sleep(wait_s)
        raise AssertionError

    def _ask(self, url: httpx2.URL, headers: Mapping[str, str], ends_at: float) -> Page:
        """Connects to an address that was checked: the name might lead elsewhere a moment later."""
        *others, last = self._allowance.addresses_of(url)
        for address in others:
            try:
                return self._ask_at(address, url, headers, ends_at)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
        return self._ask_at(last, url, headers, ends_at)

    def _ask_at(self, address: str, url: httpx2.URL, headers: Mapping[str, str], ends_at: float) -> Page:
        sent = {
            "host": url.netloc.decode("ascii"),
            "user-agent": f"{AGENT}/{__version__}",
            "accept-encoding": "gzip",
            **headers,
        }
        extensions = {"sni_hostname": url.host}
        client = self._client(url.host)
        with client.stream("GET", url.copy_with(host=address), headers=sent, extensions=extensions) as response:
            wanted = response.status_code == 200
            content = b"".join(_body(response, ends_at)) if wanted else b""
            return Page(url, response.status_code, dict(response.headers), content)

    def _client(self, host: str) -> httpx2.Client:
        """One per name: connections are kept by address, and a certificate is checked for one name only."""
        if host not in self._clients:
            self._clients[host] = httpx2.Client(timeout=_STEP_S, verify=self._trust, trust_env=False)
        return self._clients[host]


def _url(address: str) -> httpx2.URL:
    try:
        return httpx2.URL(address.strip()).copy_with(fragment=None)
    except (httpx2.InvalidURL, ValueError):
        raise Unreadable("is not an address") from None


def _wait(said: str) -> float:
    return min(float(said), MOST_WAIT_S) if said.isascii() and said.isdigit() else 1.0


def _body(response: httpx2.Response, ends_at: float) -> Iterator[bytes]:
    packing = response.headers.get("content-encoding", "identity").lower()
    if packing not in ("identity", "gzip", "x-gzip"):
        raise Unreadable("is sent in an unknown packing")
    unpack = zlib.decompressobj(31) if packing != "identity" else None
    left = MOST_BYTES
    for raw in response.iter_raw(1 << 16):
        try:
            piece = unpack.decompress(raw, left + 1) if unpack else raw
        except zlib.error:
            raise Unreadable("is damaged on its way") from None
        left -= len(piece)
        if left < 0:
            raise Unreadable(f"has more than {MOST_BYTES // 2**20} MiB")
        if time.monotonic() > ends_at:
            raise Unreadable(f"takes longer than {TIME_LIMIT_S:g} s to fetch")
        yield piece
    if unpack and not unpack.eof:
        raise Unreadable("is damaged on its way")
