"""`edge-node chat`: the customer's chat in a terminal."""

import asyncio
from pathlib import Path
from typing import Annotated, Literal

import typer

from edge_node.cli.config import Config, TenantOption, load, one_tenant

Lang = Literal["en", "zh"]


def add_to(app: typer.Typer) -> None:
    app.command("chat", help="Talk to a running edge as a customer would, in this terminal.")(chat)


def chat(
    tenant: TenantOption = None,
    url: Annotated[str | None, typer.Option(help="The edge's address, e.g. https://edge.example.com:8443.")] = None,
    ca: Annotated[Path | None, typer.Option(metavar="FILE", help="The authority to trust.")] = None,
    lang: Annotated[Lang | None, typer.Option(help="The customer's language.")] = None,
    config: Config = None,
) -> None:
    from edge_node.cli.talking import Place, talk

    if url is None:
        settings = load(config)
        local_ca = settings.https.cert.parent / "ca.crt"
        url, ca = f"https://localhost:{settings.https.port}", ca or (local_ca if local_ca.exists() else None)
        tenant = one_tenant(settings, tenant)
    place = Place(url, tenant or "demo", ca, lang)
    asyncio.run(talk(place))
