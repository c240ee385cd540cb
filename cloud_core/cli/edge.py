"""`cloud-core edge …`."""

from pathlib import Path
from typing import Annotated

import typer

from cloud_core.cli.config import Config, load
from nearside import terminal

group = terminal.make_group("The edge nodes that may come in.")


@group.command("issue")
def issue(
    edge_id: Annotated[str, typer.Argument(metavar="EDGE", help="The edge's id.")],
    tenant: Annotated[list[str], typer.Option(help="A tenant it serves; may be repeated.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to write; edge.key becomes 0600.")],
    config: Config = None,
) -> None:
    """Make an edge's key and certificate by hand.

    Writes edge.key, edge.crt and ca.crt. Carry them to the edge over a channel you trust and name them in
    its edge.toml; the certificate lasts a year and is renewed with this same command.
    """
    from cloud_core.app import open_tenants
    from cloud_core.fleet.authority import issue_edge, load_ca

    settings = load(config)
    tenants = open_tenants(settings)
    ids = [tenants.get(tenant_id).id for tenant_id in dict.fromkeys(tenant)]
    ca = load_ca(settings)
    issue_edge(ca, edge_id, ids).write(out / "edge.crt", out / "edge.key")
    (out / "ca.crt").write_bytes(ca.pem)
    typer.echo(f"wrote {out}/edge.key, {out}/edge.crt and {out}/ca.crt")
