"""`cloud-core tenant …`."""

from typing import Annotated

import typer

from cloud_core.cli.config import Config, load
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
