"""`cloud-core kb …`: works while the core runs, which sees the change at its next search."""

from collections import Counter
from collections.abc import Callable
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
    from cloud_core.knowledge.base import KnowledgeBase
    from cloud_core.knowledge.documents import Report

group = terminal.make_group("A tenant's knowledge base.")
TenantId = Annotated[str, typer.Option("--tenant", "-t", metavar="ID", help="Whose knowledge base.")]


@group.command("add", help="Add or update documents: a file, or a folder with all below it.")
def add(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="md, html, txt, pdf or docx.")],
    tenant: TenantId,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    if not path.exists():
        raise NearsideError("no such file or folder", where=str(path))
    base = _open(config, tenant)
    with progress(quiet=as_json) as advance:
        reports = base.add_folder(path, _each(path, advance)) if path.is_dir() else [base.add(path)]
    rows = [_row(report) for report in reports]
    columns = {"document_id": "Document", "status": "", "passages": "Passages", "notes": "Notes"}
    terminal.show_rows(rows, columns, as_json=as_json, empty=f"no file in {path}")
    if not as_json:
        counts = Counter(str(report.status) for report in reports)
        typer.echo(", ".join(f"{count} {status}" for status, count in counts.items()))
    if reports and all(report.status == "skipped" for report in reports):
        raise NearsideError("nothing could be added", where=str(path), hint="see the notes")


@group.command("list", help="List the documents.")
def show(tenant: TenantId, config: Config = None, as_json: AsJson = False) -> None:
    rows = [
        {
            "document_id": document.document_id,
            "title": document.title,
            "uri": document.uri,
            "lang": document.lang,
            "passages": document.passages,
            "added_at": document.added_at,
        }
        for document in _open(config, tenant).documents()
    ]
    columns = {
        "document_id": "Document",
        "title": "Title",
        "lang": "Language",
        "passages": "Passages",
        "added_at": "Added",
    }
    terminal.show_rows(rows, columns, as_json=as_json, empty="no document yet: cloud-core kb add PATH --tenant ID")


@group.command("remove", help="Remove documents by the ids that `kb list` shows.")
def remove(
    document: Annotated[list[str], typer.Argument(metavar="DOCUMENT…")], tenant: TenantId, config: Config = None
) -> None:
    base = _open(config, tenant)
    unknown = [document_id for document_id in document if not base.remove(document_id)]
    if unknown:
        raise NearsideError(f"no document {', '.join(unknown)}", where=f"tenant {tenant}", hint="see `kb list`")
    typer.echo(f"removed {len(document)}")


@group.command("search", help="Show the passages that a question finds.")
def search(
    question: Annotated[str, typer.Argument(metavar="QUESTION")],
    tenant: TenantId,
    limit: Annotated[int, typer.Option(min=1, max=50, help="How many passages.")] = 5,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    from nearside.lexical import language_of

    passages = _open(config, tenant).search(question, language_of(question), limit)
    rows = [
        {
            "score": round(passage.score, 4),
            "document_id": passage.document_id,
            "title": passage.title,
            "heading": passage.heading,
            "uri": passage.uri,
            "lang": passage.lang,
            "text": passage.text,
        }
        for passage in passages
    ]
    if as_json or not rows:
        terminal.show_rows(rows, {}, as_json=as_json, empty="nothing found")
        return
    for number, row in enumerate(rows, start=1):
        _show_passage(number, row)


def _show_passage(number: int, row: dict[str, Any]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    console = terminal.console()
    place = " › ".join(part for part in (row["title"], row["heading"]) if part)
    console.print(Text(f"{number}. {place}", style="bold"), Text(f"{row['score']:.3f}  {row['uri']}", style="dim"))
    console.print(Padding(Text(row["text"].replace("\t", "  ")), (0, 0, 1, 3), expand=False))


def _row(report: "Report") -> dict[str, Any]:
    notes = "; ".join(filter(None, (report.reason, *report.remarks)))
    return {
        "document_id": report.document_id,
        "status": str(report.status),
        "passages": report.passages,
        "notes": notes,
    }


def _each(folder: Path, advance: Advance | None) -> "Callable[[Report], None] | None":
    """What is told of each file."""
    if advance is None:
        return None
    total, done = sum(1 for file in folder.rglob("*") if file.is_file()), count(1)
    return lambda report: advance(report.document_id, next(done), total)


def _open(config: Path | None, tenant_id: str) -> "KnowledgeBase":
    from cloud_core.app import Libraries, open_tenants
    from nearside.encoder import TextEncoder

    tenant = open_tenants(load(config)).get(tenant_id)
    return Libraries(TextEncoder()).of(tenant)
