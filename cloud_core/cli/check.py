"""`cloud-core check`: every finding is one sentence that says what, where and what to do."""

import typer

from cloud_core.cli.config import AsJson, Config, find_config
from nearside import terminal


def add_to(app: typer.Typer) -> None:
    app.command("check", help="Say what is wrong with the settings, certificates, keys and data.")(check)


def check(config: Config = None, as_json: AsJson = False) -> None:
    from cloud_core.cli.findings import findings

    path = find_config(config)
    found = list(findings(path))
    failed = any(finding.severity == "error" for finding in found)
    if as_json:
        rows = [{"severity": finding.severity, "finding": finding.text} for finding in found]
        terminal.show_json({"ok": not failed, "config": str(path), "findings": rows})
    else:
        for finding in found:
            typer.echo(f"{finding.severity}: {finding.text}")
        if not failed:
            typer.echo(f"{path} is fine")
    raise typer.Exit(1 if failed else 0)
