"""`cloud-core check`: every finding is one sentence that says what, where and what to do."""

import typer

from cloud_core.cli.config import FILE, Config
from nearside.terminal import AsJson


def add_to(app: typer.Typer) -> None:
    app.command("check", help="Say what is wrong with the settings, certificates, keys and data.")(check)


def check(config: Config = None, as_json: AsJson = False) -> None:
    from cloud_core.cli.findings import look
    from nearside.findings import show

    path = FILE.find(config)
    show(list(look(path)), path, as_json=as_json)
