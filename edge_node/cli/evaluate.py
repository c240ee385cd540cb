"""`edge-node evaluate …`: how good the edge is at something, measured on a file of your own."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nearside import terminal
from nearside.terminal import AsJson

if TYPE_CHECKING:
    from edge_node.privacy.evaluation import Figures

group = terminal.make_group("Measure on texts of your own how good the edge is.")

COLUMNS = {"type": "Type", "count": "Count", "recall": "Recall", "note": ""}
ANNOTATED = 'JSON lines: {"text", "spans": [{"start", "end", "type"}]}; a text without spans is clean.'


@group.callback()
def evaluating() -> None:
    """A group, also while it has one command."""


@group.command("privacy")
def privacy(
    texts: Annotated[
        Path, typer.Option("--texts", metavar="FILE", exists=True, dir_okay=False, readable=True, help=ANNOTATED)
    ],
    content: Annotated[
        Path | None,
        typer.Option(
            "--content", metavar="DIR", help="A company's folder: measure with the [privacy] of its tenant.toml."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say how much personal data is masked before a text leaves the edge, per type, and how much else is."""
    from edge_node.privacy.evaluation import measure, read_annotated
    from edge_node.privacy.policy import Privacy
    from nearside.tenant_toml import TENANT_FILE, load_tenant_settings

    settings = load_tenant_settings(content / TENANT_FILE).privacy if content else None
    figures = measure(read_annotated(texts), Privacy(settings))
    if as_json:
        terminal.show_json(figures.as_json())
    else:
        _show(figures)


def _show(figures: "Figures") -> None:
    terminal.show_rows(_rows(figures), COLUMNS, as_json=False, empty="no annotated text: nothing to find")
    rate = figures.false_positive_rate
    said = "no clean text to measure on" if rate is None else f"{rate:.2%} of the clean texts have something masked"
    typer.echo(f"false positives: {said}")
    typer.echo(f"time: {figures.us_per_text:.0f} µs for a text, the median")


def _rows(figures: "Figures") -> list[dict[str, Any]]:
    from edge_node.privacy.evaluation import NOT_LOOKED_FOR

    return [
        {
            "type": name,
            "count": found.count,
            "recall": f"{found.recall:.2%}",
            "note": "not looked for" if name in NOT_LOOKED_FOR else "",
        }
        for name, found in figures.types.items()
    ]
