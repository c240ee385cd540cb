"""`cloud-core serve`."""

import typer

from cloud_core.cli.config import Config, load


def add_to(app: typer.Typer) -> None:
    app.command("serve", help="Run the core until SIGTERM or Ctrl-C.")(serve)


def serve(config: Config = None) -> None:
    settings = load(config)
    from cloud_core.app import run

    run(settings)
