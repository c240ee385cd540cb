"""`cloud-core kb gaps`: what the writers have to write."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cloud_core.cli import kb
from cloud_core.cli.config import Config
from nearside import terminal
from nearside.errors import StorageError
from nearside.terminal import AsJson

if TYPE_CHECKING:
    from cloud_core.knowledge.gaps import Topic

_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def add_to(group: typer.Typer) -> None:
    group.command("gaps")(gaps)


def gaps(
    tenant: kb.TenantId,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="FILE.csv", help="Write all of them to a file.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Forget them afterwards.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show the questions that found no answer, alike ones together, the most frequent first.

    The newest 2,000 are kept, masked, as long as answers are (`turns.keep_days`).
    """
    from cloud_core.knowledge.gaps import topics_of

    base = kb.open_base(config, tenant)
    noted = base.gaps()
    topics = topics_of(noted)
    if export is not None:
        _write(export, topics)
    columns = {"count": "Asked", "example": "Question", "lang": "Language", "first_at": "First", "last_at": "Last"}
    rows = [asdict(topic) for topic in topics]
    terminal.show_rows(rows, columns, as_json=as_json, empty="no question without an answer was noted")
    if export is not None and not as_json:
        typer.echo(f"written to {export}: {len(topics)} topics, {len(noted)} questions")
    if clear:
        base.forget_gaps([gap.turn_id for gap in noted])
        if not as_json:
            typer.echo(f"forgotten: {len(noted)}")


def _write(path: Path, topics: "Sequence[Topic]") -> None:
    """With a mark of the encoding, which Excel wants."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("asked", "question", "language", "first", "last", "also asked as"))
    for topic in topics:
        others = "\n".join(question for question in topic.questions if question != topic.example)
        row = (topic.count, _harmless(topic.example), topic.lang, topic.first_at, topic.last_at, _harmless(others))
        writer.writerow(row)
    try:
        path.write_text(text.getvalue(), encoding="utf-8-sig", newline="")
    except OSError as error:
        raise StorageError(f"cannot be written ({error.strerror})", where=str(path), hint="see the folder") from None


def _harmless(cell: str) -> str:
    """A customer's words are no formula."""
    return f"'{cell}" if cell.startswith(_FORMULAS) else cell
