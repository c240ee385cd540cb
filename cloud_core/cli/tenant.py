"""`cloud-core tenant …`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cloud_core.cli.config import Config, load
from cloud_core.cli.progress import progress
from nearside import terminal
from nearside.terminal import AsJson

group = terminal.make_group("The companies that this core serves.")


@group.command("add", help="Add a tenant; a running core serves it at once.")
def add(
    tenant_id: Annotated[str, typer.Argument(metavar="ID", help="2 to 32 of a-z, 0-9 and -, a letter first.")],
    name: Annotated[str, typer.Option(help="The company's name.")],
    config: Config = None,
) -> None:
    from cloud_core.app import open_tenants

    tenant = open_tenants(load(config)).add(tenant_id, name)
    typer.echo(f"added {tenant.id}")


@group.command("list", help="List the tenants.")
def show(config: Config = None, as_json: AsJson = False) -> None:
    from cloud_core.app import open_tenants

    rows = [
        {"id": tenant.id, "name": tenant.name, "created_at": tenant.created_at}
        for tenant in open_tenants(load(config)).all()
    ]
    columns = {"id": "ID", "name": "Name", "created_at": "Since"}
    terminal.show_rows(rows, columns, as_json=as_json, empty="no tenant yet: cloud-core tenant add ID --name NAME")


@group.command("remove")
def remove(
    tenant_id: Annotated[str, typer.Argument(metavar="ID", help="Which one; `tenant list` shows them.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: Config = None,
) -> None:
    """Destroy a tenant's key and with it all its data, then its files; nobody can bring them back.

    A running core notices at once. Its edges' certificates go on naming the tenant, which opens nothing here.
    """
    from cloud_core.app import open_tenants

    tenants = open_tenants(load(config))
    tenants.folder_of(tenant_id)
    if not yes:
        _be_sure(tenant_id)
    tenants.remove(tenant_id)
    typer.echo(f"removed {tenant_id}")


def _be_sure(tenant_id: str) -> None:
    if not sys.stdin.isatty():
        raise typer.BadParameter("needed where nobody can be asked", param_hint="'--yes'")
    question = f"Destroy all that the core has of {tenant_id}? It cannot be undone, `tenant export` keeps a copy"
    typer.confirm(question, abort=True)


@group.command("export")
def export(
    tenant_id: Annotated[str, typer.Argument(metavar="ID", help="Which one; `tenant list` shows them.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The zip to write; it becomes 0600.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Write all that the core has of a tenant into a zip of JSON lines, for a company that leaves.

    Nothing in it is encrypted. Its manifest.json explains every file and field.
    """
    from cloud_core.app import EXPORTED, ROOMS, open_tenants
    from cloud_core.backups.fetching import in_a_file
    from cloud_core.tenants.export import export as write

    settings = load(config)
    tenant = open_tenants(settings).get(tenant_id)
    with progress(quiet=as_json) as advance, in_a_file(tenant, ROOMS, settings.data) as readable:
        written = write(readable, EXPORTED, file, force=force, progress=advance)
    rows = [{"path": entry.path, "rows": entry.rows, "size": entry.size, "sha256": entry.sha256} for entry in written]
    columns = {"path": "File", "rows": "Rows", "size": "Bytes"}
    terminal.show_rows(rows, columns, as_json=as_json, empty="")
    if not as_json:
        typer.echo(f"wrote {file}")
