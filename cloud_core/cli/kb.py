"""`cloud-core kb …`: works while the core runs, which sees what is published at its next search."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloud_core.cli import kb_pages
from cloud_core.cli.config import Config, load
from cloud_core.cli.progress import Advance, progress
from nearside import terminal
from nearside.errors import NearsideError
from nearside.terminal import AsJson

if TYPE_CHECKING:
    from cloud_core.knowledge.adding import Labels
    from cloud_core.knowledge.base import KnowledgeBase
    from cloud_core.knowledge.documents import Report
    from cloud_core.knowledge.stores.base import Change
    from cloud_core.tenants import Tenant

THIN_BYTES, HUGE_PASSAGES = 200, 400
group = terminal.make_group("A tenant's knowledge base: what is added waits in a draft until it is published.")
TenantId = Annotated[str, typer.Option("--tenant", "-t", metavar="ID", help="Whose knowledge base.")]
Note = Annotated[str, typer.Option(metavar="TEXT", help="What `kb versions` shall say of it.")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD")]
Source = Annotated[
    Path | None,
    typer.Argument(
        metavar="[PATH]",
        help="A folder with all below it, or a file: md, html, txt, pdf, docx, pptx, xlsx, xls, ods, csv, zip.",
    ),
]
Urls = Annotated[
    Path | None, typer.Option("--urls", metavar="FILE", help="Web pages instead: a file with an address a line.")
]
Sitemap = Annotated[
    str, typer.Option("--sitemap", metavar="URL", help="Web pages instead: those that a sitemap names.")
]
Allowed = Annotated[
    list[str] | None, typer.Option("--allow", metavar="HOST", help="A host that may be asked; may be repeated.")
]
Tags = Annotated[list[str] | None, typer.Option(metavar="WORD", help="A tag of each document; may be repeated.")]
OfDraft = Annotated[bool, typer.Option("--draft", help="As if the draft were published.")]


@group.command("add")
def add(
    tenant: TenantId,
    path: Source = None,
    urls: Urls = None,
    sitemap: Sitemap = "",
    allow: Allowed = None,
    publish: Annotated[bool, typer.Option("--publish", help="Publish the draft afterwards.")] = False,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Remove documents that came from this folder and are gone from it.")
    ] = False,
    tag: Tags = None,
    audience: Annotated[str, typer.Option(metavar="WORD", help="Whom the documents are for.")] = "",
    valid_from: Day = None,
    valid_until: Day = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Add or update documents in the draft: a file, a folder with all below it, or web pages.

    What did not change is passed over, so a command that was interrupted is repeated and finishes. Tags, audience and
    days hold for every document of this call, before what a document says of itself. Web pages of a list or a sitemap
    are always mirrored: those that are gone from it are removed.
    """
    pages = kb_pages.asked_for(path, urls, sitemap, allow)
    if path:
        _check_place(path, mirror=mirror)
    labels, owner = _labels(tag, audience, valid_from, valid_until), find_tenant(config, tenant)
    base, missing = base_of(owner), list["Report"]()
    with progress(quiet=as_json) as advance:
        place = path or (pages.folder_in(owner.folder) if pages else Path())
        if pages:
            missing = pages.fetch(place, advance)
        added = base.add(place, labels=labels, mirror=mirror or bool(pages), progress=_each(place, advance))
    name = pages.name if pages else place.name
    _show_reports(missing + added, str(path or name), as_json=as_json)
    if publish:
        _publish(base, tenant, f"kb add {name}", quiet=as_json)
    elif not as_json:
        _say_what_waits(base, tenant)


def _check_place(path: Path, *, mirror: bool) -> None:
    if not path.exists():
        raise NearsideError("no such file or folder", where=str(path))
    if mirror and not path.is_dir():
        raise typer.BadParameter("PATH is no folder", param_hint="'--mirror'")


def _show_reports(reports: "list[Report]", where: str, *, as_json: bool) -> None:
    columns = {"document_id": "Document", "status": "", "passages": "Passages", "notes": "Notes"}
    terminal.show_rows([_row(report) for report in reports], columns, as_json=as_json, empty=f"no file in {where}")
    if not as_json and reports:
        typer.echo(_counts(str(report.status) for report in reports))
    if reports and all(report.status == "skipped" for report in reports):
        raise NearsideError("nothing could be added", where=where, hint="see the notes")


@group.command("remove", help="Remove documents from the draft, by the ids that `kb list --draft` shows.")
def remove(
    document: Annotated[list[str], typer.Argument(metavar="DOCUMENT…")],
    tenant: TenantId,
    publish: Annotated[bool, typer.Option("--publish", help="Publish the draft afterwards.")] = False,
    config: Config = None,
) -> None:
    base = open_base(config, tenant)
    unknown = [document_id for document_id in document if not base.remove(document_id)]
    if unknown:
        raise NearsideError(f"no document {', '.join(unknown)}", where=f"tenant {tenant}", hint="see `kb list --draft`")
    typer.echo(f"removed {len(document)}")
    if publish:
        _publish(base, tenant, "kb remove", quiet=False)
    else:
        _say_what_waits(base, tenant)


@group.command("changes", help="Show what publishing the draft would change.")
def changes(tenant: TenantId, config: Config = None, as_json: AsJson = False) -> None:
    rows = [asdict(change) for change in open_base(config, tenant).changes()]
    columns = {
        "document_id": "Document",
        "title": "Title",
        "kind": "",
        "passages_before": "Passages live",
        "passages_after": "then",
    }
    terminal.show_rows(rows, columns, as_json=as_json, empty="nothing waits: the draft is what is live")


@group.command("publish", help="Make the draft live as the next version; a running core sees it at its next search.")
def publish(tenant: TenantId, note: Note = "", config: Config = None, as_json: AsJson = False) -> None:
    _publish(open_base(config, tenant), tenant, note, quiet=False, as_json=as_json)


@group.command("discard", help="Forget the draft; what is live stays.")
def discard(tenant: TenantId, config: Config = None, as_json: AsJson = False) -> None:
    discarded = open_base(config, tenant).discard()
    if as_json:
        terminal.show_json({"discarded": discarded})
    else:
        typer.echo(f"discarded {discarded}" if discarded else "nothing waits: the draft is what is live")


@group.command("versions", help="List the versions, newest first.")
def versions(tenant: TenantId, config: Config = None, as_json: AsJson = False) -> None:
    base = open_base(config, tenant)
    live = base.version
    rows = [asdict(version) | {"live": str(version.number) == live} for version in base.versions()]
    columns = {
        "number": "Version",
        "published_at": "Published",
        "documents": "Documents",
        "passages": "Passages",
        "state": "",
        "note": "Note",
    }
    if not as_json:
        rows = [row | {"state": _state(row)} for row in rows]
    terminal.show_rows(
        rows, columns, as_json=as_json, empty="nothing is published yet: cloud-core kb publish --tenant ID"
    )


@group.command("rollback")
def rollback(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="A version that `kb versions` shows.")],
    tenant: TenantId,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Bring an old version's content back, at once and as a new version.

    The draft stays as it is. The last ten versions are kept for this.
    """
    version = open_base(config, tenant).rollback(number)
    if as_json:
        terminal.show_json({"version": version, "restored": number})
    else:
        typer.echo(f"version {version} is live, with the content of version {number}")


@group.command("list", help="List the documents.")
def show(tenant: TenantId, draft: OfDraft = False, config: Config = None, as_json: AsJson = False) -> None:
    rows = [asdict(document) for document in open_base(config, tenant).documents(draft=draft)]
    columns = {
        "document_id": "Document",
        "title": "Title",
        "lang": "Language",
        "passages": "Passages",
        "added_at": "Added",
    }
    hint = "no document yet: cloud-core kb add PATH --tenant ID --publish"
    terminal.show_rows(rows, columns, as_json=as_json, empty=hint)


@group.command("stats", help="Tell how much there is, in which languages, and which documents look wrong.")
def stats(tenant: TenantId, draft: OfDraft = False, config: Config = None, as_json: AsJson = False) -> None:
    base = open_base(config, tenant)
    documents, measures, state = base.documents(draft=draft), base.measure(), base.encoder_state()
    numbers = {
        "version": base.version,
        "changes_waiting": len(base.changes()),
        "documents": len(documents),
        "passages": sum(document.passages for document in documents),
        "text_bytes": sum(document.size for document in documents),
        "languages": dict(sorted(Counter(document.lang for document in documents).items())),
        **asdict(measures),
        "encoder": base.active_encoder(),
        "encoder_wanted": state.wanted.kind,
        "passages_waiting_for_vectors": state.waiting,
        "thin": [document.document_id for document in documents if document.size < THIN_BYTES],
        "huge": [document.document_id for document in documents if document.passages > HUGE_PASSAGES],
    }
    if as_json:
        terminal.show_json(numbers)
        return
    width = max(map(len, numbers))
    for name, value in numbers.items():
        typer.echo(f"{name.replace('_', ' '):<{width}}  {_shown(value)}")


@group.command("synonyms", help="Show the tenant's own synonyms, or take them from a file instead.")
def synonyms(
    tenant: TenantId,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Words that mean the same on a line, with commas between.")
    ] = None,
    config: Config = None,
) -> None:
    from nearside.operator_files import read_text

    base = open_base(config, tenant)
    if file is None:
        typer.echo(base.synonyms().rstrip("\n") or "no synonyms yet: cloud-core kb synonyms FILE --tenant ID")
        return
    version = base.set_synonyms(read_text(file), str(file))
    typer.echo(f"version {version} is live for {tenant}, with the synonyms of {file}")


def _publish(base: "KnowledgeBase", tenant: str, note: str, *, quiet: bool, as_json: bool = False) -> None:
    waiting, before = base.changes(), base.version
    version = base.publish(note)
    if quiet:
        return
    if as_json:
        terminal.show_json({"version": version, "changes": [asdict(change) for change in waiting]})
    elif version == before:
        typer.echo(f"nothing to publish: version {version} is live")
    else:
        typer.echo(f"version {version} is live for {tenant}: {_kinds(waiting)}")


def _say_what_waits(base: "KnowledgeBase", tenant: str) -> None:
    if waiting := base.changes():
        typer.echo(f"in the draft: {_kinds(waiting)} — live after `cloud-core kb publish --tenant {tenant}`")


def _kinds(waiting: "list[Change]") -> str:
    return _counts(str(change.kind) for change in waiting)


def _counts(names: Any) -> str:
    return ", ".join(f"{number} {name}" for name, number in Counter(names).items())


def _state(row: dict[str, Any]) -> str:
    words = ["live"] * row["live"] + [f"content of {row['restored']}"] * bool(row["restored"])
    return ", ".join(words + ["not kept"] * (not row["kept"]))


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{number} {name}" for name, number in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return f"{value:,}" if isinstance(value, int) else str(value or "none")


def _row(report: "Report") -> dict[str, Any]:
    notes = "; ".join(filter(None, (report.reason, *report.remarks)))
    return {
        "document_id": report.document_id,
        "status": str(report.status),
        "passages": report.passages,
        "notes": notes,
    }


def _labels(tag: list[str] | None, audience: str, first: datetime | None, last: datetime | None) -> "Labels":
    from cloud_core.knowledge.adding import Labels

    if first and last and last < first:
        raise typer.BadParameter("it is before --valid-from", param_hint="'--valid-until'")
    tags = tuple(dict.fromkeys(word.strip() for word in tag or () if word.strip()))
    return Labels(tags, audience.strip(), first.date() if first else None, last.date() if last else None)


def _each(path: Path, advance: Advance | None) -> "Callable[[Report], None] | None":
    """What is told of each file."""
    if advance is None:
        return None
    from cloud_core.knowledge.ingest import sources

    total, done = sources.count(path), count(1)
    return lambda report: advance(report.document_id, next(done), total)


def open_base(config: Path | None, tenant_id: str) -> "KnowledgeBase":
    return base_of(find_tenant(config, tenant_id))


def find_tenant(config: Path | None, tenant_id: str) -> "Tenant":
    from cloud_core.app import open_tenants

    return open_tenants(load(config)).get(tenant_id)


def base_of(tenant: "Tenant") -> "KnowledgeBase":
    from cloud_core.app import Libraries
    from nearside.encoder import TextEncoder

    return Libraries(TextEncoder()).of(tenant)
