"""The shop's API as its own process, for tests."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.servers import ROOT, answers, free_ports, program, wait_until


@dataclass(frozen=True, slots=True)
class Shop:
    url: str
    token_file: Path

    def client(self, token: str | None = None) -> httpx2.Client:
        bearer = token or self.token_file.read_text()
        return httpx2.Client(base_url=self.url, headers={"Authorization": f"Bearer {bearer}"}, trust_env=False)


@contextmanager
def shop(folder: Path) -> Iterator[Shop]:
    """Run again in the same `folder` it has kept everything."""
    port = free_ports(1)[0]
    command = [sys.executable, str(ROOT / "demo" / "shop_api.py"), "--port", str(port)]
    with program([*command, "--database", str(folder / "shop.db")], folder / "shop.log"):
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{url}/healthz"), "the shop's API")
        yield Shop(url, folder / "shop.token")
