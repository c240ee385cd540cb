"""`cloud-core kb search`: what a question finds."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloud_core.cli import kb
from cloud_core.cli.config import Config
from nearside import terminal
from nearside.terminal import AsJson

if TYPE_CHECKING:
    from cloud_core.knowledge.base import Evidence
    from cloud_core.knowledge.index.filters import Filters


def add_to(group: typer.Typer) -> None:
    group.command("search")(search)


def search(
    question: Annotated[str, typer.Argument(metavar="QUESTION")],
    tenant: kb.TenantId,
    limit: Annotated[int, typer.Option(min=1, max=50, help="How many passages.")] = 5,
    lang: Annotated[str, typer.Option(metavar="en|zh", help="Only passages in this language.")] = "",
    tag: Annotated[
        list[str] | None, typer.Option(metavar="WORD", help="Only with this tag; repeated: one of them.")
    ] = None,
    audience: Annotated[
        str, typer.Option(metavar="WORD", help="Also what is for them, not only what is for all.")
    ] = "",
    explain: Annotated[bool, typer.Option("--explain", help="Show what each list gave to the score.")] = False,
    draft: kb.OfDraft = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show the passages that a question finds, as the engine would get them.

    Documents that are not valid today are not among them.
    """
    from nearside.lexical import language_of

    filters = _filters(lang, tag, audience)
    evidence = kb.open_base(config, tenant).look_up(
        question, language_of(question), limit, filters=filters, draft=draft
    )
    rows = list(_rows(evidence, explain=explain))
    if as_json or not rows:
        terminal.show_rows(rows, {}, as_json=as_json, empty="nothing found")
        return
    for number, row in enumerate(rows, start=1):
        _show_passage(number, row)


def _rows(evidence: "Evidence", *, explain: bool) -> Iterator[dict[str, Any]]:
    for place, passage in enumerate(evidence.passages):
        row: dict[str, Any] = {
            "score": round(passage.score, 4),
            "document_id": passage.document_id,
            "title": passage.title,
            "heading": passage.heading,
            "uri": passage.uri,
            "lang": passage.lang,
            "text": passage.text,
        }
        if explain:
            row["lists"] = {name: round(given, 4) for name, given in evidence.explanation[place].items()}
        yield row


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


def _filters(lang: str, tag: list[str] | None, audience: str) -> "Filters":
    from cloud_core.knowledge.index.filters import Filters
    from cloud_core.knowledge.index.snapshot import LANGS

    if lang and lang not in LANGS:
        raise typer.BadParameter(f"it is one of {', '.join(LANGS)}", param_hint="'--lang'")
    langs = frozenset(one for one in LANGS if one == lang)
    return Filters(langs, frozenset(tag or ()), audience)
