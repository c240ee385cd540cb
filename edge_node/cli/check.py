"""`edge-node check`: every finding is one sentence that says what, where and what to do."""

import typer

from edge_node.cli.config import FILE, Config
from nearside.terminal import AsJson


def add_to(app: typer.Typer) -> None:
    app.command("check", help="Say what is wrong with settings, certificates, content and the way to the core.")(check)


def check(config: Config = None, as_json: AsJson = False) -> None:
    from edge_node.cli.findings import look
    from nearside.findings import show

    path = FILE.find(config)
    show(list(look(path)), path, as_json=as_json)
