"""`cloud-core backup`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cloud_core.cli.config import FILE, Config
from cloud_core.cli.progress import progress
from nearside import terminal
from nearside.errors import NearsideError
from nearside.terminal import AsJson


def add_to(app: typer.Typer) -> None:
    app.command("backup", help="Write everything into one sealed file, while the core serves or is stopped.")(backup)


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it is there.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    from cloud_core import settings
    from cloud_core.backups.writing import backup as write

    path = FILE.find(config)
    loaded = settings.load(path)
    with progress(quiet=as_json) as advance:
        held = write(loaded, path.read_text(encoding="utf-8"), file, force=force, progress=advance)
    if as_json:
        terminal.show_json({"file": str(file.absolute()), **held})
    else:
        _tell(file, held)
    if held["missing"]:
        hint = "the rest is in it; see the lines above and `cloud-core check`"
        raise NearsideError(f"left out of the backup: {', '.join(held['missing'])}", where=str(file), hint=hint)


def _tell(file: Path, held: Mapping[str, Any]) -> None:
    tenants, size = len(held["tenants"]), size_of(held["bytes"])
    parts = [count(tenants, "company", "companies"), count(held["files"], "file", "files"), size]
    typer.echo(
        f"wrote {file}: {', '.join(parts)}, {held['seconds']:.1f} s; opens with the recovery key {held['recovery_key']}"
    )
    for line in held["left_out"]:
        typer.echo(f"left out: {line}", err=True)


def count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def size_of(number: float) -> str:
    """Such as `3.4 MiB`."""
    for unit in ("bytes", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} bytes" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"
