"""`cloud-core kb …`: works while the core runs, which sees what is published at its next search."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloud_core.cli.config import Config, load
from cloud_core.cli.progress import Advance, progress
from nearside import terminal
from nearside.errors import NearsideError
from nearside.terminal import AsJson

if TYPE_CHECKING:
    from cloud_core.knowledge.adding import Labels
    from cloud_core.knowledge.base import KnowledgeBase
    from cloud_core.knowledge.documents import Report
    from cloud_core.knowledge.index.filters import Filters
    from cloud_core.knowledge.stores.base import Change

THIN_BYTES, HUGE_PASSAGES = 200, 400
group = terminal.make_group("A tenant's knowledge base: what is added waits in a draft until it is published.")
TenantId = Annotated[str, typer.Option("--tenant", "-t", metavar="ID", help="Whose knowledge base.")]
Note = Annotated[str, typer.Option(metavar="TEXT", help="What `kb versions` shall say of it.")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD")]
OfDraft = Annotated[bool, typer.Option("--draft", help="As if the draft were published.")]


@group.command("add")
def add(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A file, an archive (zip), or a folder with all below it.")
    ],
    tenant: TenantId,
    publish: Annotated[bool, typer.Option("--publish", help="Publish the draft afterwards.")] = False,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Remove documents that came from this folder and are gone from it.")
    ] = False,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="WORD", help="A tag of each document; may be repeated.")
    ] = None,
    audience: Annotated[str, typer.Option(metavar="WORD", help="Whom the documents are for.")] = "",
    valid_from: Day = None,
    valid_until: Day = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Add or update documents in the draft: a file, or a folder with all below it.

    Files that did not change are passed over, so a command that was interrupted is repeated and finishes. Tags,
    audience and days hold for every document of this call, before what a document says of itself.
    """
    if not path.exists():
        raise NearsideError("no such file or folder", where=str(path))
    if mirror and not path.is_dir():
        raise typer.BadParameter("PATH is no folder", param_hint="'--mirror'")
    base, labels = _open(config, tenant), _labels(tag, audience, valid_from, valid_until)
    with progress(quiet=as_json) as advance:
        reports = base.add(path, labels=labels, mirror=mirror, progress=_each(path, advance))
    columns = {"document_id": "Document", "status": "", "passages": "Passages", "notes": "Notes"}
    terminal.show_rows([_row(report) for report in reports], columns, as_json=as_json, empty=f"no file in {path}")
    if not as_json and reports:
        typer.echo(_counts(str(report.status) for report in reports))
    if reports and all(report.status == "skipped" for report in reports):
        raise NearsideError("nothing could be added", where=str(path), hint="see the notes")
    if publish:
        _publish(base, tenant, f"kb add {path.name}", quiet=as_json)
    elif not as_json:
        _say_what_waits(base, tenant)


@group.command("remove", help="Remove documents from the draft, by the ids that `kb list --draft` shows.")
def remove(
    document: Annotated[list[str], typer.Argument(metavar="DOCUMENT…")],
    tenant: TenantId,
    publish: Annotated[bool, typer.Option("--publish", help="Publish the draft afterwards.")] = False,
    config: Config = None,
) -> None:
    base = _open(config, tenant)
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
    rows = [asdict(change) for change in _open(config, tenant).changes()]
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
    _publish(_open(config, tenant), tenant, note, quiet=False, as_json=as_json)


@group.command("discard", help="Forget the draft; what is live stays.")
def discard(tenant: TenantId, config: Config = None, as_json: AsJson = False) -> None:
    discarded = _open(config, tenant).discard()
    if as_json:
        terminal.show_json({"discarded": discarded})
    else:
        typer.echo(f"discarded {discarded}" if discarded else "nothing waits: the draft is what is live")


@group.command("versions", help="List the versions, newest first.")
def versions(tenant: TenantId, config: Config = None, as_json: AsJson = False) -> None:
    base = _open(config, tenant)
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
    version = _open(config, tenant).rollback(number)
    if as_json:
        terminal.show_json({"version": version, "restored": number})
    else:
        typer.echo(f"version {version} is live, with the content of version {number}")


@group.command("list", help="List the documents.")
def show(tenant: TenantId, draft: OfDraft = False, config: Config = None, as_json: AsJson = False) -> None:
    rows = [asdict(document) for document in _open(config, tenant).documents(draft=draft)]
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
    base = _open(config, tenant)
    documents, measures = base.documents(draft=draft), base.measure()
    numbers = {
        "version": base.version,
        "changes_waiting": len(base.changes()),
        "documents": len(documents),
        "passages": sum(document.passages for document in documents),
        "text_bytes": sum(document.size for document in documents),
        "languages": dict(sorted(Counter(document.lang for document in documents).items())),
        **asdict(measures),
        "encoder": base.active_encoder(),
        "thin": [document.document_id for document in documents if document.size < THIN_BYTES],
        "huge": [document.document_id for document in documents if document.passages > HUGE_PASSAGES],
    }
    if as_json:
        terminal.show_json(numbers)
        return
    width = max(map(len, numbers))
    for name, value in numbers.items():
        typer.echo(f"{name.replace('_', ' '):<{width}}  {_shown(value)}")


@group.command("search")
def search(
    question: Annotated[str, typer.Argument(metavar="QUESTION")],
    tenant: TenantId,
    limit: Annotated[int, typer.Option(min=1, max=50, help="How many passages.")] = 5,
    lang: Annotated[str, typer.Option(metavar="en|zh", help="Only passages in this language.")] = "",
    tag: Annotated[
        list[str] | None, typer.Option(metavar="WORD", help="Only with this tag; repeated: one of them.")
    ] = None,
    audience: Annotated[
        str, typer.Option(metavar="WORD", help="Also what is for them, not only what is for all.")
    ] = "",
    explain: Annotated[bool, typer.Option("--explain", help="Show what each list gave to the score.")] = False,
    draft: OfDraft = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show the passages that a question finds, as the engine would get them.

    Documents that are not valid today are not among them.
    """
    from nearside.lexical import language_of

    filters = _filters(lang, tag, audience)
    evidence = _open(config, tenant).look_up(question, language_of(question), limit, filters=filters, draft=draft)
    rows: list[dict[str, Any]] = [
        {
            "score": round(passage.score, 4),
            "document_id": passage.document_id,
            "title": passage.title,
            "heading": passage.heading,
            "uri": passage.uri,
            "lang": passage.lang,
            "text": passage.text,
        }
        for passage in evidence.passages
    ]
    if explain:
        lists = [{name: round(given, 4) for name, given in one.items()} for one in evidence.explanation]
        rows = [row | {"lists": given} for row, given in zip(rows, lists, strict=True)]
    if as_json or not rows:
        terminal.show_rows(rows, {}, as_json=as_json, empty="nothing found")
        return
    for number, row in enumerate(rows, start=1):
        _show_passage(number, row)


@group.command("synonyms", help="Show the tenant's own synonyms, or take them from a file instead.")
def synonyms(
    tenant: TenantId,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Words that mean the same on a line, with commas between.")
    ] = None,
    config: Config = None,
) -> None:
    from nearside.operator_files import read_text

    base = _open(config, tenant)
    if file is None:
        typer.echo(base.synonyms().rstrip("\n") or "no synonyms yet: cloud-core kb synonyms FILE --tenant ID")
        return
    base.set_synonyms(read_text(file), str(file))
    typer.echo(f"{tenant} is searched with the synonyms of {file} from now on")


def _show_passage(number: int, row: dict[str, Any]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    console = terminal.console()
    place = " › ".join(part for part in (row["title"], row["heading"]) if part)
    console.print(Text(f"{number}. {place}", style="bold"), Text(f"{row['score']:.3f}  {row['uri']}", style="dim"))
    if lists := row.get("lists"):
        given = ", ".join(f"{name} {share:.3f}" for name, share in lists.items())
        console.print(Padding(Text(given, style="dim"), (0, 0, 0, 3), expand=False))
    console.print(Padding(Text(row["text"].replace("\t", "  ")), (0, 0, 1, 3), expand=False))


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


def _filters(lang: str, tag: list[str] | None, audience: str) -> "Filters":
    from cloud_core.knowledge.index.filters import Filters
    from cloud_core.knowledge.index.snapshot import LANGS

    if lang and lang not in LANGS:
        raise typer.BadParameter(f"it is one of {', '.join(LANGS)}", param_hint="'--lang'")
    langs = frozenset(one for one in LANGS if one == lang)
    return Filters(langs, frozenset(tag or ()), audience)


def _each(path: Path, advance: Advance | None) -> "Callable[[Report], None] | None":
    """What is told of each file."""
    if advance is None:
        return None
    from cloud_core.knowledge.ingest import sources

    total, done = sources.count(path), count(1)
    return lambda report: advance(report.document_id, next(done), total)


def _open(config: Path | None, tenant_id: str) -> "KnowledgeBase":
    from cloud_core.app import Libraries, open_tenants
    from nearside.encoder import TextEncoder

    tenant = open_tenants(load(config)).get(tenant_id)
    return Libraries(TextEncoder()).of(tenant)
