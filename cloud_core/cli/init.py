"""`cloud-core init DIR`."""

from pathlib import Path
from typing import Annotated

import typer


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
    from cloud_core.tenants import KEY_OWNER
    from nearside.sealing import KeyRing

    file = folder / settings.FILE_NAME
    content = settings.render(settings.CoreSettings(name=name))
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
        typer.echo(f"wrote {file}")
    elif file.read_text(encoding="utf-8") != content:
        typer.echo(f"left {file} as it is: it was changed since it was written")
    loaded = settings.load(file)
    for path in make_certificates(loaded, host or []):
        typer.echo(f"wrote {path}")
    if not loaded.node_key.exists():
        KeyRing(loaded.node_key, KEY_OWNER)
        typer.echo(f"wrote {loaded.node_key} (back it up: without it no tenant's data opens)")
    loaded.data.mkdir(parents=True, exist_ok=True)
    loaded.data.chmod(0o700)
    typer.echo(f"ready: cloud-core serve --config {file}")
