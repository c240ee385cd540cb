"""Web pages to a folder that can be added: each with its address beside it, and what is needed to ask only for news."""

import gzip
import hashlib
import html
import io
import json
import os
import re
import zlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import yaml
from pydantic import TypeAdapter, ValidationError

from cloud_core.knowledge.documents import Unreadable
from cloud_core.knowledge.ingest.formats import readers
from cloud_core.knowledge.ingest.metadata import SIDECAR
from cloud_core.knowledge.ingest.sources import ARCHIVE
from cloud_core.knowledge.ingest.web import MOST_BYTES, Page, Web
from nearside.errors import StorageError

MANIFEST = ".fetched.json"
MOST_PAGES = 10_000
MOST_SITEMAPS = 100
_SAVE_EVERY = 20
_OFFICE = "application/vnd.openxmlformats-officedocument."
_ENDINGS = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "text/plain": ".txt",
    "text/markdown": ".md",
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "application/vnd.ms-excel": ".xls",
    "application/vnd.oasis.opendocument.spreadsheet": ".ods",
    f"{_OFFICE}wordprocessingml.document": ".docx",
    f"{_OFFICE}presentationml.presentation": ".pptx",
    f"{_OFFICE}spreadsheetml.sheet": ".xlsx",
}
_TEXTS = (".html", ".txt", ".csv", ".tsv", ".md")
_LOCATION = re.compile(r"<(?:\w+:)?loc\s*>\s*(?:<!\[CDATA\[)?\s*([^<\]]{1,4000}?)\s*(?:\]\]>)?\s*</", re.IGNORECASE)
_CHARSET = re.compile(r"charset\s*=\s*\"?([\w-]{2,20})", re.IGNORECASE)
_STRANGE = re.compile(r"[^\w.\-]+")


class Outcome(StrEnum):
    FETCHED = "fetched"
    UNCHANGED = "unchanged"
    GONE = "gone"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Fetched:
    """`file` is the path below the folder; `reason` says why a page was skipped or is gone."""

    url: str
    outcome: Outcome
    file: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    file: str
    etag: str = ""
    last_modified: str = ""


_Entries = TypeAdapter(dict[str, Entry])


def fetch(
    urls: Iterable[str], allowed: Collection[str], into: Path, progress: Callable[[Fetched], None] | None = None
) -> list[Fetched]:
    """Fill `into` with the pages, one after the other; a repeat asks only for what changed since.

    `allowed`: see `web.Allowance`. A page that is gone loses its file; one that fails keeps it. Raises StorageError
    where the folder cannot be written.
    """
    results: list[Fetched] = []
    entries = _loaded(into)
    with Web(allowed) as web:
        try:
            for number, url in enumerate(dict.fromkeys(urls)):
                results.append(_fetched(web, url, into, entries, is_too_many=number >= MOST_PAGES))
                if progress:
                    progress(results[-1])
                if number % _SAVE_EVERY == _SAVE_EVERY - 1:
                    _save(into, entries)
        finally:
            _save(into, entries)
    return results


def known(into: Path) -> list[str]:
    """The addresses whose pages are in the folder."""
    return list(_loaded(into))


def forget_others(into: Path, urls: Collection[str]) -> None:
    """Of pages that are none of these, the files."""
    entries = _loaded(into)
    for url in [url for url in entries if url not in urls]:
        _forget(into, entries, url)
    _save(into, entries)


def sitemap(url: str, allowed: Collection[str]) -> list[str]:
    """The addresses that a sitemap, or an index of sitemaps, names. Raises Unreadable if the first cannot be read."""
    found: dict[str, None] = {}
    waiting, seen = [url], {url}
    with Web(allowed) as web:
        while waiting and len(found) <= MOST_PAGES:
            address = waiting.pop(0)
            try:
                text = _xml(web, address)
            except Unreadable:
                if address == url:
                    raise
                continue
            named = [html.unescape(location) for location in _LOCATION.findall(text)]
            if "<sitemapindex" in text:
                news = [location for location in named if location not in seen][: MOST_SITEMAPS - len(seen)]
                seen.update(news)
                waiting.extend(news)
            else:
                found.update(dict.fromkeys(named))
    return list(found)


def _xml(web: Web, address: str) -> str:
    page = web.read(address)
    if page.status != 200:
        raise Unreadable(f"answers {page.status}", where=address)
    content = page.content
    if content.startswith(b"\x1f\x8b"):
        try:
            with gzip.open(io.BytesIO(content)) as file:
                content = file.read(MOST_BYTES)
        except (OSError, EOFError, zlib.error):
            raise Unreadable("is a damaged sitemap", where=address) from None
    text = content.decode("utf-8", "replace")
    if "<urlset" not in text and "<sitemapindex" not in text:
        raise Unreadable("is not a sitemap", where=address)
    return text


def _fetched(web: Web, url: str, into: Path, entries: dict[str, Entry], *, is_too_many: bool) -> Fetched:
    held = entries.get(url)
    if held and not (into / held.file).is_file():
        held = None
    try:
        if is_too_many:
            raise Unreadable(f"is one of more than {MOST_PAGES:,} pages")
        page = web.read(url, _conditions(held))
        if held and page.status == 304:
            return Fetched(url, Outcome.UNCHANGED, held.file)
        if page.status in (404, 410):
            _forget(into, entries, url)
            return Fetched(url, Outcome.GONE, reason=f"answers {page.status}")
        if page.status != 200:
            raise Unreadable(f"answers {page.status}")
        if not page.content.strip():
            raise Unreadable("is empty")
        return _kept(url, page, into, entries)
    except Unreadable as error:
        return Fetched(url, Outcome.SKIPPED, reason=str(error))


def _conditions(held: Entry | None) -> dict[str, str]:
    named = {"if-none-match": held.etag, "if-modified-since": held.last_modified} if held else {}
    return {name: value for name, value in named.items() if value}


def _kept(url: str, page: Page, into: Path, entries: dict[str, Entry]) -> Fetched:
    content_type = page.headers.get("content-type", "")
    ending = _ending(url, content_type)
    content = _as_utf8(page.content, content_type) if ending in _TEXTS else page.content
    name = _file_name(url, ending, {entry.file for other, entry in entries.items() if other != url})
    path = into / name
    is_same = path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content
    if not is_same:
        _write(path, content)
    beside = path.with_name(path.name + SIDECAR)
    if ending != ARCHIVE and not beside.exists():
        _write(beside, yaml.safe_dump({"uri": str(page.url)}, allow_unicode=True).encode())
    entries[url] = Entry(name, page.headers.get("etag", "")[:200], page.headers.get("last-modified", "")[:100])
    return Fetched(url, Outcome.UNCHANGED if is_same else Outcome.FETCHED, name)


def _ending(url: str, content_type: str) -> str:
    kind = content_type.split(";", 1)[0].strip().lower()
    own = PurePosixPath(urlsplit(url).path).suffix.lower()
    readable = own in readers() or own == ARCHIVE
    if kind in _ENDINGS and not (readable and kind in ("text/plain", "application/vnd.ms-excel")):
        return _ENDINGS[kind]
    if readable and (not kind or kind in _ENDINGS or kind.endswith("/octet-stream")):
        return own
    raise Unreadable(f"is of a kind without a reader ({kind[:60] or 'none stated'})")


def _as_utf8(content: bytes, content_type: str) -> bytes:
    """The server's word on the encoding counts more than the page's, and would be lost in a file."""
    said = _CHARSET.search(content_type)
    if said is None or said.group(1).lower() in ("utf-8", "utf8"):
        return content
    try:
        return content.decode(said.group(1)).encode("utf-8-sig")
    except (UnicodeError, LookupError):
        return content


def _file_name(url: str, ending: str, taken: Collection[str]) -> str:
    """`host/path.ending`; with a mark where the address has a query, or another has that name already."""
    parts = urlsplit(url)
    names = (_STRANGE.sub("_", unquote(part)).lstrip(".")[:60] for part in parts.path.split("/"))
    path = "/".join([name for name in names if name][-8:])
    if not path or parts.path.endswith("/"):
        path = f"{path}/index".lstrip("/")
    stem = path[: -len(ending)] if path.lower().endswith(ending) and len(path) > len(ending) else path
    plain = f"{_STRANGE.sub('_', parts.netloc.lower())}/{stem}"
    if not parts.query and plain + ending not in taken:
        return plain + ending
    return f"{plain}-{hashlib.sha256(url.encode('utf-8', 'replace')).hexdigest()[:8]}{ending}"


def _forget(into: Path, entries: dict[str, Entry], url: str) -> None:
    held = entries.pop(url, None)
    if held:
        for name in (held.file, held.file + SIDECAR):
            (into / name).unlink(missing_ok=True)


def _loaded(into: Path) -> dict[str, Entry]:
    """Nothing where there is no list, or a damaged one: all is asked for again."""
    try:
        entries = _Entries.validate_json((into / MANIFEST).read_bytes())
    except (OSError, ValidationError):
        return {}
    inside = into.resolve()
    return {url: entry for url, entry in entries.items() if (into / entry.file).resolve().is_relative_to(inside)}


def _save(into: Path, entries: dict[str, Entry]) -> None:
    _write(into / MANIFEST, json.dumps({url: asdict(entry) for url, entry in entries.items()}, indent=1).encode())


def _write(path: Path, content: bytes) -> None:
    """All or nothing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.part")
        draft.write_bytes(content)
        os.replace(draft, path)
    except (NotADirectoryError, IsADirectoryError, FileExistsError):
        raise Unreadable("has an address that is another page's folder") from None
    except OSError as error:
        raise StorageError(f"cannot be written ({error.strerror})", where=str(path), hint="see the folder") from None
