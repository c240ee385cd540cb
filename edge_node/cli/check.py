"""`edge-node check`: every finding is one sentence."""

import typer

from edge_node.cli.config import AsJson, Config, load
from nearside import terminal


def add_to(app: typer.Typer) -> None:
    app.command("check", help="Look at settings, certificates, content and the core; say what is wrong and what to do.")(
        check
    )


def check(config: Config = None, as_json: AsJson = False) -> None:
    settings = load(config)
    from edge_node.check import findings

    found = findings(settings)
    rows = [{"state": finding.state, "what": finding.what, "hint": finding.hint} for finding in found]
    columns = {"state": "", "what": "What", "hint": "What to do"}
    terminal.show_rows(rows, columns, as_json=as_json, empty="")
    if any(finding.state == "error" for finding in found):
        raise typer.Exit(1)
