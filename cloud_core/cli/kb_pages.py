"""Web pages for `cloud-core kb add`: fetched into a folder below the tenant's data."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cloud_core.cli.progress import Advance
from nearside.errors import ContentError

if TYPE_CHECKING:
    from cloud_core.knowledge.documents import Report
    from cloud_core.knowledge.ingest.fetching import Fetched

FOLDER = "web"


@dataclass(frozen=True, slots=True)
class Pages:
    """Those that a file lists, or a sitemap; one of both. `allowed`: hosts."""

    urls: Path | None
    sitemap: str
    allowed: Sequence[str]

    @property
    def name(self) -> str:
        return self.urls.name if self.urls else self.sitemap

    def folder_in(self, data: Path) -> Path:
        """Always the same for the same list: what is gone from it is gone from the folder."""
        source = f"file:{self.urls.resolve()}" if self.urls else self.sitemap
        return data / FOLDER / hashlib.sha256(source.encode()).hexdigest()[:12]

    def fetch(self, into: Path, advance: Advance | None) -> "list[Report]":
        """What did not come, and why. Raises NearsideError where there is no list."""
        from cloud_core.knowledge.documents import Report, Status
        from cloud_core.knowledge.ingest.fetching import Outcome, fetch, known

        addresses, before = self._addresses(into), set(known(into))
        results = fetch(addresses, self.allowed, into, _each(len(addresses), advance))
        return [
            Report(result.url, Status.SKIPPED, reason=result.reason)
            for result in results
            if result.outcome is Outcome.SKIPPED or result.outcome is Outcome.GONE and result.url not in before
        ]

    def _addresses(self, into: Path) -> list[str]:
        """Of a sitemap also those that it no longer names: the server knows whether they are gone."""
        from cloud_core.knowledge.ingest.fetching import forget_others, known, sitemap

        if self.urls is None:
            return list(dict.fromkeys([*sitemap(self.sitemap, self.allowed), *known(into)]))
        addresses = _listed(self.urls)
        if into.is_dir():
            forget_others(into, addresses)
        return addresses


def asked_for(path: Path | None, urls: Path | None, sitemap: str, allow: list[str] | None) -> Pages | None:
    """None for a path. Raises BadParameter where what was given does not go together."""
    if [bool(path), bool(urls), bool(sitemap)].count(True) != 1:
        raise typer.BadParameter("name one of PATH, --urls and --sitemap", param_hint="'PATH'")
    if path:
        return None
    if not allow:
        raise typer.BadParameter("name the hosts that may be asked", param_hint="'--allow'")
    return Pages(urls, sitemap, allow)


def _listed(file: Path) -> list[str]:
    from nearside.operator_files import read_text

    lines = (line.partition(" #")[0].strip() for line in read_text(file).splitlines())
    addresses = list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    if not addresses:
        raise ContentError("there is no address in it", where=str(file), hint="one a line, https://…")
    return addresses


def _each(total: int, advance: Advance | None) -> "Callable[[Fetched], None] | None":
    done = count(1)
    return (lambda result: advance(result.url, next(done), total)) if advance else None
