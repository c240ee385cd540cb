"""`edge-node serve`."""

import typer

from edge_node.cli.config import Config, load


def add_to(app: typer.Typer) -> None:
    app.command("serve", help="Run the edge until SIGTERM or Ctrl-C.")(serve)


def serve(config: Config = None) -> None:
    settings = load(config)
    from edge_node.app import run

    run(settings)
