"""`edge-node init DIR`."""

from pathlib import Path
from typing import Annotated

import typer

OTHER_FILE = "core.toml"


def add_to(app: typer.Typer) -> None:
    app.command("init", help="Write a commented edge.toml, a local certificate and keys; safe to repeat.")(init)


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", show_default=False)],
    name: Annotated[str, typer.Option(help="What this edge calls itself.")] = "edge",
    host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A name or address under which customers reach this edge; may be repeated."),
    ] = None,
) -> None:
    from edge_node import settings
    from edge_node.tls.certificates import make_certificates
    from nearside import first_steps

    file = folder / settings.FILE_NAME
    content = settings.render(first_steps.named(settings.EdgeSettings, name))
    first_steps.write_settings(file, content, other=OTHER_FILE)
    loaded = settings.load(file)
    first_steps.make_place(loaded.node_key, loaded.data)
    for line in make_certificates(loaded.https.cert, loaded.https.key, host or []):
        typer.echo(line)
    first_steps.say_who_gets_in(host or [], loaded.https.host, "https.host", file)
    typer.echo(f"next: add a company under [tenants.ID], put the core's certificates into {folder / 'link'},")
    typer.echo(f"then `edge-node check --config {file}` and `edge-node serve --config {file}`")
