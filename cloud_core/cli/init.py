"""`cloud-core init DIR`."""

from pathlib import Path
from typing import Annotated

import typer

OTHER_FILE = "edge.toml"


def add_to(app: typer.Typer) -> None:
    app.command("init", help="Write a commented core.toml, an authority, certificates and keys; safe to repeat.")(init)


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", show_default=False)],
    name: Annotated[str, typer.Option(help="What this core calls itself.")] = "core",
    host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A name or address under which edges reach this core; may be repeated."),
    ] = None,
) -> None:
    from cloud_core import settings
    from cloud_core.fleet.authority import make_certificates
    from nearside import first_steps

    file = folder / settings.FILE_NAME
    content = settings.render(first_steps.named(settings.CoreSettings, name))
    first_steps.write_settings(file, content, other=OTHER_FILE)
    loaded = settings.load(file)
    first_steps.make_place(loaded.node_key, loaded.data)
    for line in make_certificates(loaded, host or []):
        typer.echo(line)
    first_steps.say_who_gets_in(host or [], loaded.grpc.host, "grpc.host", file)
    typer.echo(f"ready: cloud-core serve --config {file}")
